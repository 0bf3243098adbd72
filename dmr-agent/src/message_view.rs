//! How a message that came in is shown: to the webhook, and as the answer to a question.

use bytes::Bytes;
use dmr_core::id::{MessageId, ParticipantId};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::json_message::{JsonMessage, MESSAGE_TYPE};
use dmr_core::exchange::IncomingMessage;

/// `{"id", "senderId", "recipientId", "timestamp", "type", "payload", "inReplyTo"?}`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageView<'a> {
    id: MessageId,
    sender_id: ParticipantId,
    recipient_id: ParticipantId,
    timestamp: &'a str,
    #[serde(rename = "type")]
    type_name: &'a str,
    payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_reply_to: Option<MessageId>,
}

/// The JSON body of an opened message, or `None` when it is of another form: then no agent program wrote it.
pub(crate) fn body(message: &IncomingMessage) -> Option<JsonMessage> {
    let content = &message.content;
    if content.content_type == MESSAGE_TYPE { JsonMessage::decode(&content.body) } else { None }
}

/// The view of `message`, whose body is `body`, as JSON for `recipient`.
pub(crate) fn render(message: &IncomingMessage, body: &JsonMessage, recipient: ParticipantId) -> Bytes {
    let view = MessageView {
        id: message.reference.id,
        sender_id: message.sender,
        recipient_id: recipient,
        timestamp: &body.timestamp,
        type_name: &body.type_name,
        payload: &body.payload,
        in_reply_to: message.content.in_reply_to.map(|question| question.id),
    };
    // Ids, strings and a text that is JSON already have a JSON form; there is nothing else in it.
    serde_json::to_vec(&view).unwrap_or_default().into()
}
