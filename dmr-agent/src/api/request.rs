//! The body of `POST /v1/messages` and `POST /v1/questions`, checked field by field.

use std::fmt;
use std::time::Duration;

use dmr_core::id::{MessageId, Name, ParticipantId};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::chat;
use super::field::{FieldError, member};
use super::fingerprint::Fingerprint;
use super::timestamp;
use crate::json_message::JsonMessage;

/// Longest `type`, in bytes.
const MAX_TYPE: usize = 128;

/// How a request names its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecipientName {
    /// By id.
    Id(ParticipantId),
    /// By the name in the directory.
    Name(Name),
}

/// A message to send, as its writer asked for it.
#[derive(Debug)]
pub(crate) struct MessageRequest {
    /// The writer's id for it; `None`: the agent makes one.
    pub(crate) id: Option<MessageId>,
    /// Whom it is for.
    pub(crate) recipient: RecipientName,
    /// What is sealed.
    pub(crate) message: JsonMessage,
    /// The question it answers.
    pub(crate) in_reply_to: Option<MessageId>,
    /// How long it may take; `None`: as long as the directory allows.
    pub(crate) expires_in: Option<Duration>,
    /// Equal for equal bodies.
    pub(crate) fingerprint: Fingerprint,
}

impl MessageRequest {
    /// The request that `body` holds.
    ///
    /// # Errors
    /// [`FieldError`] for the first field that is wrong.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, FieldError> {
        Self::parse_for(body, None)
    }

    /// The same, where the recipient is known already: the body need not name it.
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub(crate) fn parse_for(body: &[u8], to: Option<&RecipientName>) -> Result<Self, FieldError> {
        let mut members: Members<'_> =
            serde_json::from_slice(body).map_err(|error| FieldError::new("", describe(&error)))?;
        let value = serde_json::from_slice(body).map_err(|error| FieldError::new("", describe(&error)))?;

        let id = members.optional("id")?.map(|text: String| parse_id("id", &text)).transpose()?;
        let recipient = match (members.optional::<String>("recipientId")?, to) {
            (Some(text), _) => recipient_name(&text)?,
            (None, Some(to)) => to.clone(),
            (None, None) => return Err(FieldError::new("/recipientId", "is missing")),
        };
        let timestamp: String = members.required("timestamp")?;
        if !timestamp::is_rfc3339(&timestamp) {
            return Err(FieldError::new(
                "/timestamp",
                "must be an RFC 3339 date and time, such as 2026-01-31T12:00:00Z",
            ));
        }
        let type_name = type_name(members.required("type")?)?;
        let payload: Box<RawValue> = members.required("payload")?;
        check_payload(&type_name, &payload)?;
        let in_reply_to =
            members.optional("inReplyTo")?.map(|text: String| parse_id("inReplyTo", &text)).transpose()?;
        let expires_in = members.optional("expiresInSeconds")?.map(expires_in).transpose()?;
        members.nothing_left()?;

        let message = JsonMessage { timestamp, type_name, payload };
        Ok(Self { id, recipient, message, in_reply_to, expires_in, fingerprint: Fingerprint::of(&value) })
    }
}

/// Checks a payload against what its type promises.
///
/// # Errors
/// [`FieldError`] for the first member that is wrong.
pub(crate) fn check_payload(type_name: &str, payload: &RawValue) -> Result<(), FieldError> {
    let value: Value =
        serde_json::from_str(payload.get()).map_err(|error| FieldError::new("/payload", describe(&error)))?;
    if type_name == chat::CHAT_MESSAGE { chat::check(&value) } else { Ok(()) }
}

/// A checked `type`: 1 to 128 bytes without control characters.
///
/// # Errors
/// [`FieldError`] otherwise.
pub(crate) fn type_name(text: String) -> Result<String, FieldError> {
    if (1..=MAX_TYPE).contains(&text.len()) && !text.chars().any(char::is_control) {
        Ok(text)
    } else {
        Err(FieldError::new("/type", format!("must be 1 to {MAX_TYPE} bytes without control characters")))
    }
}

fn parse_id(name: &str, text: &str) -> Result<MessageId, FieldError> {
    text.parse().map_err(|error| FieldError::new(member("", name), format!("must be a UUID: {error}")))
}

/// A participant's UUID or name.
///
/// # Errors
/// [`FieldError`] for anything else.
pub(crate) fn recipient_name(text: &str) -> Result<RecipientName, FieldError> {
    if let Ok(id) = text.parse() {
        return Ok(RecipientName::Id(id));
    }
    let name = text.parse().map(RecipientName::Name);
    name.map_err(|_| FieldError::new("/recipientId", "must be a participant's UUID or name"))
}

fn expires_in(seconds: u64) -> Result<Duration, FieldError> {
    if seconds == 0 {
        return Err(FieldError::new("/expiresInSeconds", "must be at least 1"));
    }
    Ok(Duration::from_secs(seconds))
}

/// What serde says, without quoting the document: its messages for syntax errors and types quote at most names.
fn describe(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Io => "cannot be read",
        Category::Syntax => "is not JSON, or is nested too deeply",
        Category::Data => "is not of the right form",
        Category::Eof => "ends too early",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// The members of an object, each as its own text, none twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.0.iter().position(|(member, _)| member == name)?;
        let (_, raw) = self.0.swap_remove(at);
        (raw.get() != "null" || name == "payload").then_some(raw)
    }

    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, FieldError> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        let value = serde_json::from_str(raw.get());
        value.map(Some).map_err(|_| FieldError::new(member("", name), wrong_form(name)))
    }

    fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, FieldError> {
        self.optional(name)?.ok_or_else(|| FieldError::new(member("", name), "is missing"))
    }

    fn nothing_left(self) -> Result<(), FieldError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(64).collect();
                Err(FieldError::new(member("", &shown), "is not a member of a message"))
            }
        }
    }
}

fn wrong_form(name: &str) -> &'static str {
    if name == "expiresInSeconds" { "must be a whole number of seconds" } else { "must be a string" }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                /// More members than any message has: the rest need not be read to refuse it.
                const MOST: usize = 16;
                let mut members: Self::Value = Vec::new();
                while let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.len() == MOST || members.iter().any(|(before, _)| *before == name) {
                        return Err(A::Error::custom("a member is given twice, or there are too many"));
                    }
                    members.push((name, raw));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ID: &str = "0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f";

    fn good() -> Value {
        json!({"recipientId": "police", "timestamp": "2026-01-31T12:00:00Z", "type": "Note", "payload": {"text": "hi"}})
    }

    fn parse(value: &Value) -> Result<MessageRequest, FieldError> {
        MessageRequest::parse(&serde_json::to_vec(value).unwrap())
    }

    #[test]
    fn the_smallest_and_the_fullest_message_are_taken() {
        let request = parse(&good()).unwrap();
        assert_eq!(request.recipient, RecipientName::Name("police".parse().unwrap()));
        assert_eq!((request.id, request.in_reply_to, request.expires_in), (None, None, None));
        let mut full = good();
        full["id"] = json!(ID);
        full["inReplyTo"] = json!(ID);
        full["recipientId"] = json!(ID);
        full["expiresInSeconds"] = json!(60);
        let request = parse(&full).unwrap();
        assert_eq!(request.recipient, RecipientName::Id(ID.parse().unwrap()));
        assert_eq!(request.id, request.in_reply_to);
        assert_eq!(request.expires_in, Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_recipient_that_is_known_already_need_not_be_named() {
        let mut message = good();
        message.as_object_mut().unwrap().remove("recipientId");
        let body = serde_json::to_vec(&message).unwrap();
        let known = recipient_name("archive").unwrap();
        assert_eq!(MessageRequest::parse_for(&body, Some(&known)).unwrap().recipient, known);
        let named = MessageRequest::parse_for(&serde_json::to_vec(&good()).unwrap(), Some(&known)).unwrap();
        assert_eq!(named.recipient, recipient_name("police").unwrap());
    }

    #[test]
    fn the_wrong_field_is_named() {
        for (name, value, pointer) in [
            ("id", json!("no uuid"), "/id"),
            ("id", json!("00000000-0000-0000-0000-000000000000"), "/id"),
            ("id", json!(7), "/id"),
            ("recipientId", json!("Not A Name"), "/recipientId"),
            ("recipientId", json!(null), "/recipientId"),
            ("timestamp", json!("yesterday"), "/timestamp"),
            ("timestamp", json!(1_769_860_800), "/timestamp"),
            ("type", json!(""), "/type"),
            ("type", json!("a\nb"), "/type"),
            ("type", json!("x".repeat(129)), "/type"),
            ("type", json!("ChatMessage"), "/payload/chat"),
            ("inReplyTo", json!("x"), "/inReplyTo"),
            ("expiresInSeconds", json!(0), "/expiresInSeconds"),
            ("expiresInSeconds", json!(-1), "/expiresInSeconds"),
            ("expiresInSeconds", json!(1.5), "/expiresInSeconds"),
            ("surprise", json!(1), "/surprise"),
        ] {
            let mut message = good();
            message[name] = value;
            assert_eq!(parse(&message).unwrap_err().pointer, pointer, "{message}");
        }
        for name in ["recipientId", "timestamp", "type", "payload"] {
            let mut message = good();
            message.as_object_mut().unwrap().remove(name);
            assert_eq!(parse(&message).unwrap_err(), FieldError::new(format!("/{name}"), "is missing"));
        }
    }

    #[test]
    fn what_is_no_object_or_names_a_member_twice_is_refused_as_a_whole() {
        for body in ["", "7", "[]", "null", "{", "{\"id\":1,\"id\":2}", "\u{feff}{}", "{} {}"] {
            assert_eq!(MessageRequest::parse(body.as_bytes()).unwrap_err().pointer, "", "{body}");
        }
        let deep = format!("{{\"payload\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(MessageRequest::parse(deep.as_bytes()).unwrap_err().pointer, "");
    }

    #[test]
    fn a_payload_may_be_null_and_an_optional_member_too() {
        let mut message = good();
        message["payload"] = json!(null);
        message["id"] = json!(null);
        let request = parse(&message).unwrap();
        assert_eq!(request.message.payload.get(), "null");
        assert_eq!(request.id, None);
    }

    /// Never panics; what is taken has the text of its payload and the fingerprint of its value.
    fn rest_message(body: &[u8]) {
        let Ok(request) = MessageRequest::parse(body) else { return };
        let value: Value = serde_json::from_slice(body).unwrap();
        let payload: Value = serde_json::from_str(request.message.payload.get()).unwrap();
        assert_eq!(payload, value["payload"]);
        assert!(request.fingerprint == Fingerprint::of(&value));
        assert!(timestamp::is_rfc3339(&request.message.timestamp));
    }

    proptest! {
        #[test]
        fn random_bytes_are_taken_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            rest_message(&body);
        }

        #[test]
        fn a_mutated_message_is_taken_or_refused(at in 0usize..130, byte: u8) {
            let mut body = serde_json::to_vec(&good()).unwrap();
            let at = at % body.len();
            body[at] = byte;
            rest_message(&body);
        }
    }
}
