//! Messages on their way out and in, in the clear: what the program gives and gets.

use std::time::Duration;

use crate::content::{Message, Reference};
use crate::header::Kind;
use crate::id::{MessageId, ParticipantId};
use crate::time::Timestamp;
use bytes::Bytes;

/// A message of the program's, before it is sealed.
///
/// `Debug` shows references and sizes, never the text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutgoingMessage {
    /// Its id; `None`: a fresh version 7 UUID. Never used for two messages.
    pub id: Option<MessageId>,
    /// 1 to 64 recipients.
    pub to: Vec<ParticipantId>,
    /// What it is for.
    pub kind: Kind,
    /// What is sealed.
    pub content: Message,
    /// How long it may take; `None`: as long as the directory allows (24 hours by default). Longer than that is refused.
    pub expires_in: Option<Duration>,
}

impl OutgoingMessage {
    /// A question to one participant.
    pub fn question(to: ParticipantId, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::to(vec![to], Kind::QUESTION, content(content_type, body, None))
    }

    /// An event: expects no answer.
    pub fn event(to: ParticipantId, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::to(vec![to], Kind::EVENT, content(content_type, body, None))
    }

    /// An answer to a question whose delivery was acknowledged before. Where it is still in hand,
    /// [`Outcome::Answer`](super::Outcome::Answer) does better: it settles the question with its answer.
    pub fn answer(
        to: ParticipantId,
        question: Reference,
        content_type: impl Into<String>,
        body: impl Into<Bytes>,
    ) -> Self {
        Self::to(vec![to], Kind::ANSWER, content(content_type, body, Some(question)))
    }

    /// A message of any kind to any number of participants.
    pub fn to(to: Vec<ParticipantId>, kind: Kind, content: Message) -> Self {
        Self { id: None, to, kind, content, expires_in: None }
    }

    /// The same under this id.
    #[must_use]
    pub fn with_id(mut self, id: MessageId) -> Self {
        self.id = Some(id);
        self
    }

    /// The same to one recipient more.
    #[must_use]
    pub fn and_to(mut self, recipient: ParticipantId) -> Self {
        self.to.push(recipient);
        self
    }

    /// The same, expiring after `span`.
    #[must_use]
    pub fn expiring_in(mut self, span: Duration) -> Self {
        self.expires_in = Some(span);
        self
    }
}

fn content(content_type: impl Into<String>, body: impl Into<Bytes>, in_reply_to: Option<Reference>) -> Message {
    Message {
        content_type: content_type.into(),
        conversation: None,
        sequence: None,
        room: None,
        in_reply_to,
        body: body.into(),
    }
}

/// The content of an answer to a question in hand.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Media type of `body`.
    pub content_type: String,
    /// The answer itself.
    pub body: Bytes,
}

impl Answer {
    /// An answer of this media type.
    pub fn new(content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { content_type: content_type.into(), body: body.into() }
    }
}

/// The size only: an answer is plaintext.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, [{} bytes])", self.content_type, self.body.len())
    }
}

/// The server's confirm: every recipient's mailbox has the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Names the message in receipts and answers.
    pub message: Reference,
}

/// A message that came in: opened, its sender's signature verified, never handed over before.
///
/// `Debug` shows references and sizes, never the text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncomingMessage {
    /// Names it in answers.
    pub reference: Reference,
    /// Who sealed and signed it.
    pub sender: ParticipantId,
    /// Everyone who can open it.
    pub recipients: Vec<ParticipantId>,
    /// What it is for.
    pub kind: Kind,
    /// When it was sealed, by the sender's clock.
    pub created: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// What was sealed.
    pub content: Message,
    /// 1 for the server's first attempt to deliver it; more after lost links and retries. A hint.
    pub attempt: u32,
    /// For an answer: whether it answers a message of this process. `false`: the question was a replica's, or asked
    /// before a restart; who asked it then cannot be checked here.
    pub solicited: bool,
}
