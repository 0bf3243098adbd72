//! The sealed body that agents exchange over their HTTP API: `{"timestamp", "type", "payload"}`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Media type of the sealed body.
pub const MESSAGE_TYPE: &str = "application/vnd.dmr.message+json";

/// What travels sealed. The text of `payload` is kept as it was written: numbers, escapes and the order of members
/// arrive as they were sent.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonMessage {
    /// When the message was written, as its writer said it.
    pub(crate) timestamp: String,
    /// What the payload is, such as `ChatMessage`.
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    /// Any JSON.
    pub(crate) payload: Box<RawValue>,
}

/// The type and sizes only: the rest is plaintext.
impl std::fmt::Debug for JsonMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonMessage")
            .field("type_name", &self.type_name)
            .field("payload", &format_args!("[{} bytes]", self.payload.get().len()))
            .finish_non_exhaustive()
    }
}

impl JsonMessage {
    /// The body to seal.
    pub(crate) fn encode(&self) -> Bytes {
        // Strings and a text that is JSON already have a JSON form; there is nothing else in it.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// The message that an opened body holds, or `None` when it is of another form.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_payload_survives_to_the_letter() {
        let text = r#"{"b":1.10,"a":123456789012345678901234567890,"s":"\u00e4"}"#;
        let payload = RawValue::from_string(text.to_owned()).unwrap();
        let message = JsonMessage { timestamp: "2026-01-01T00:00:00Z".into(), type_name: "Any".into(), payload };
        let back = JsonMessage::decode(&message.encode()).unwrap();
        assert_eq!(back.payload.get(), text);
        assert_eq!(back.timestamp, "2026-01-01T00:00:00Z");
    }

    #[test]
    fn anything_else_is_not_a_message() {
        for body in ["", "[]", "{}", r#"{"timestamp":"","type":"","payload":1,"more":2}"#, r#"{"timestamp":1}"#] {
            assert!(JsonMessage::decode(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn debug_shows_no_plaintext() {
        let payload = RawValue::from_string("\"canary\"".to_owned()).unwrap();
        let message = JsonMessage { timestamp: "canary".into(), type_name: "T".into(), payload };
        assert!(!format!("{message:?}").contains("canary"));
    }
}
