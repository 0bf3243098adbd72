//! What a sender can know of its message.

use crate::id::MessageId;
use crate::reason::FailureReason;

/// What is known of a message that this process sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageStatus {
    /// In the outbox: no server has confirmed it yet.
    Pending,
    /// A server confirmed that every recipient's mailbox has it.
    Accepted,
    /// Every recipient said, signed, that its service took it.
    Delivered,
    /// It will never be delivered to at least one recipient.
    Failed {
        /// Why.
        reason: FailureReason,
        /// Whether the recipient signed that. `false`: a server's word, or this agent's own finding that it expired.
        signed: bool,
    },
    /// A recipient answered it.
    Answered {
        /// The answer.
        answer: MessageId,
    },
}

impl MessageStatus {
    /// A stable lower-case word for APIs and metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Failed { .. } => "failed",
            Self::Answered { .. } => "answered",
        }
    }

    /// Whether nothing more can be learnt but an answer, or a signed word that overrides an unsigned one.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Pending | Self::Accepted)
    }

    /// Whether its recipients signed it.
    pub const fn is_signed(&self) -> bool {
        match self {
            Self::Pending | Self::Accepted => false,
            Self::Delivered | Self::Answered { .. } => true,
            Self::Failed { signed, .. } => *signed,
        }
    }
}
