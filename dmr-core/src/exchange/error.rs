//! Why a message was not accepted.

use std::time::Duration;

use crate::frame::RecipientResult;
use crate::id::{MessageId, ParticipantId};
use crate::reason::RejectReason;

/// Why an agent seals nothing for now. Opening goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unsealable {
    /// No directory has come yet.
    #[error("no directory yet")]
    NoDirectory,
    /// The directory expired longer ago than the grace.
    #[error("the directory has expired")]
    Expired,
    /// Two directories of one revision were seen.
    #[error("two directories of one revision were seen")]
    Forked,
    /// This agent's own entry is missing, inactive, or lacks a key it has.
    #[error("the directory's entry for this participant does not carry its keys")]
    OwnEntry,
}

impl Unsealable {
    /// A stable lower-case word for APIs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoDirectory => "no-directory",
            Self::Expired => "directory-expired",
            Self::Forked => "directory-forked",
            Self::OwnEntry => "own-entry",
        }
    }
}

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Nothing can be sealed now; nothing was sent.
    #[error("nothing can be sealed now: {0}")]
    Unsealable(#[from] Unsealable),
    /// The directory does not list the recipient.
    #[error("the directory does not list {0}")]
    UnknownRecipient(ParticipantId),
    /// The recipient is suspended, removed or has no key that can be sealed to now.
    #[error("{0} cannot receive now")]
    RecipientInactive(ParticipantId),
    /// The directory's policy does not let this participant write to the recipient.
    #[error("the policy does not allow writing to {0}")]
    PolicyRefused(ParticipantId),
    /// No recipient, more than 64, or one twice.
    #[error("a message has 1 to 64 different recipients")]
    Recipients,
    /// The lifetime asked for is zero or longer than the directory allows.
    #[error("a lifetime of {asked:?} was asked for, at most {allowed:?} is allowed")]
    Lifetime {
        /// Asked for.
        asked: Duration,
        /// The directory's longest.
        allowed: Duration,
    },
    /// The message is larger than can be sent.
    #[error("{len} bytes, {limit} allowed")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The bound in bytes.
        limit: usize,
    },
    /// The outbox is at its bound: recipients are slower than this agent sends.
    #[error("the outbox is full; try again in {} ms", .retry_after.as_millis())]
    Full {
        /// When there may be room.
        retry_after: Duration,
    },
    /// The id is in use for a message of this process.
    #[error("message {0} was sent before")]
    Duplicate(MessageId),
    /// The server did not take it.
    #[error("the server rejected it: {reason}")]
    Rejected {
        /// Why.
        reason: RejectReason,
        /// Do not try again before; zero for no hint.
        retry_after: Duration,
        /// Each recipient's result when they differ.
        recipients: Vec<RecipientResult>,
    },
    /// It expired before a server confirmed it.
    #[error("it expired before a server confirmed it")]
    Expired,
    /// It was taken back by [`Exchange::withdraw`](super::Exchange::withdraw): it was never on any link.
    #[error("it was withdrawn before it was sent")]
    Withdrawn,
    /// An answer to something that is not a question.
    #[error("only a question can be answered")]
    NotAQuestion,
    /// Sealing failed for a reason of the system's.
    #[error("sealing failed: {0}")]
    Seal(Box<str>),
    /// The agent is shutting down.
    #[error("the agent is shutting down")]
    Stopped,
}

impl SendError {
    /// Whether the same message may be accepted later, under the same id.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unsealable(_) | Self::Full { .. } | Self::Withdrawn => true,
            Self::Rejected { reason, .. } => reason.is_retryable(),
            Self::UnknownRecipient(_)
            | Self::RecipientInactive(_)
            | Self::PolicyRefused(_)
            | Self::Recipients
            | Self::Lifetime { .. }
            | Self::TooLarge { .. }
            | Self::Duplicate(_)
            | Self::Expired
            | Self::NotAQuestion
            | Self::Seal(_)
            | Self::Stopped => false,
        }
    }
}
