//! The shape of a `ChatMessage` payload: one chat and at least one message of it.

use serde_json::{Map, Value};

use super::field::{FieldError, member};

/// The `type` whose payloads have this shape.
pub(crate) const CHAT_MESSAGE: &str = "ChatMessage";

const CHAT_REQUIRED: [&str; 2] = ["id", "created"];
const CHAT_OPTIONAL: [&str; 8] = [
    "endUserFirstName",
    "endUserLastName",
    "endUserId",
    "endUserEmail",
    "endUserPhone",
    "customerSupportDisplayName",
    "endUserOs",
    "endUserUrl",
];
const MESSAGE_REQUIRED: [&str; 4] = ["id", "chatId", "authorTimestamp", "authorRole"];
const MESSAGE_OPTIONAL: [&str; 17] = [
    "content",
    "event",
    "csaTitle",
    "authorId",
    "authorFirstName",
    "authorLastName",
    "forwardedByUser",
    "forwardedFromCsa",
    "forwardedToCsa",
    "originalBaseId",
    "originalCreated",
    "rating",
    "created",
    "preview",
    "updated",
    "buttons",
    "options",
];

/// Checks a payload against the shape. Optional members may be `null`; members that the shape does not name are
/// allowed, since installations of different ages talk to each other.
///
/// # Errors
/// [`FieldError`] for the first member that is missing or not a string.
pub(crate) fn check(payload: &Value) -> Result<(), FieldError> {
    let payload = object(payload, "/payload")?;
    let chat_at = "/payload/chat";
    let chat = object(required(payload, "/payload", "chat")?, chat_at)?;
    strings(chat, chat_at, &CHAT_REQUIRED, &CHAT_OPTIONAL)?;
    let list_at = "/payload/messages";
    let messages = required(payload, "/payload", "messages")?
        .as_array()
        .ok_or_else(|| FieldError::new(list_at, "must be an array"))?;
    if messages.is_empty() {
        return Err(FieldError::new(list_at, "must hold at least one message"));
    }
    for (index, message) in messages.iter().enumerate() {
        let at = format!("{list_at}/{index}");
        strings(object(message, &at)?, &at, &MESSAGE_REQUIRED, &MESSAGE_OPTIONAL)?;
    }
    Ok(())
}

fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, FieldError> {
    value.as_object().ok_or_else(|| FieldError::new(at, "must be an object"))
}

fn required<'a>(object: &'a Map<String, Value>, at: &str, name: &str) -> Result<&'a Value, FieldError> {
    object.get(name).ok_or_else(|| FieldError::new(member(at, name), "is missing"))
}

fn strings(object: &Map<String, Value>, at: &str, needed: &[&str], optional: &[&str]) -> Result<(), FieldError> {
    for name in needed {
        if !required(object, at, name)?.is_string() {
            return Err(FieldError::new(member(at, name), "must be a string"));
        }
    }
    for name in optional {
        if object.get(*name).is_some_and(|value| !value.is_string() && !value.is_null()) {
            return Err(FieldError::new(member(at, name), "must be a string"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn smallest() -> Value {
        json!({
            "chat": {"id": "c1", "created": "2026-01-01T00:00:00Z"},
            "messages": [{"id": "m1", "chatId": "c1", "authorTimestamp": "2026-01-01T00:00:00Z", "authorRole": "end-user"}],
        })
    }

    #[test]
    fn the_smallest_chat_and_one_with_every_member_pass() {
        assert_eq!(check(&smallest()), Ok(()));
        let mut full = smallest();
        for name in CHAT_OPTIONAL {
            full["chat"][name] = json!("x");
        }
        for name in MESSAGE_OPTIONAL {
            full["messages"][0][name] = json!(null);
        }
        assert_eq!(check(&full), Ok(()));
    }

    #[test]
    fn every_required_member_is_named_when_it_is_missing_or_no_string() {
        for (path, names) in [("/chat", &CHAT_REQUIRED[..]), ("/messages/0", &MESSAGE_REQUIRED[..])] {
            for name in names {
                let mut missing = smallest();
                missing.pointer_mut(path).unwrap().as_object_mut().unwrap().remove(*name);
                assert_eq!(check(&missing).unwrap_err().pointer, format!("/payload{path}/{name}"));
                let mut number = smallest();
                number.pointer_mut(path).unwrap()[*name] = json!(7);
                assert_eq!(check(&number).unwrap_err().pointer, format!("/payload{path}/{name}"));
            }
        }
    }

    #[test]
    fn every_optional_member_must_be_a_string() {
        for (path, names) in [("/chat", &CHAT_OPTIONAL[..]), ("/messages/0", &MESSAGE_OPTIONAL[..])] {
            for name in names {
                let mut list = smallest();
                list.pointer_mut(path).unwrap()[*name] = json!([]);
                assert_eq!(check(&list).unwrap_err().pointer, format!("/payload{path}/{name}"));
            }
        }
    }

    #[test]
    fn a_chat_without_messages_is_refused() {
        for (messages, pointer) in [
            (json!([]), "/payload/messages"),
            (json!({}), "/payload/messages"),
            (json!(["text"]), "/payload/messages/0"),
        ] {
            let mut chat = smallest();
            chat["messages"] = messages;
            assert_eq!(check(&chat).unwrap_err().pointer, pointer);
        }
        assert_eq!(check(&json!("text")).unwrap_err().pointer, "/payload");
        assert_eq!(check(&json!({"messages": []})).unwrap_err().pointer, "/payload/chat");
    }
}
