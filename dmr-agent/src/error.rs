//! What can go wrong for a program that uses an agent.

use std::path::PathBuf;
use std::time::Duration;

use dmr_core::frame::RecipientResult;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::{FailureReason, RejectReason};

/// Why an agent could not be set up. Nothing was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No server to connect to.
    #[error("no server is configured")]
    NoServer,
    /// The pin is of another network than the configuration.
    #[error("the root file is of network {pinned}, and the configuration says {configured}")]
    OtherNetwork {
        /// The pin's network.
        pinned: Box<str>,
        /// The configured network.
        configured: Box<str>,
    },
    /// The directory kept in the state directory cannot be read, or does not verify under the pin.
    #[error("the kept directory {path}: {reason}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: Box<str>,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random,
    /// The runtime shut down while the state directory was read.
    #[error("the runtime is shutting down")]
    Interrupted,
}

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
    /// [`Agent::withdraw`](crate::Agent::withdraw) took it back: it was never on any link.
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

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The question was not accepted.
    #[error(transparent)]
    Send(#[from] SendError),
    /// No answer came in time. A late one comes as a delivery; [`Agent::message`](crate::Agent::message) tells what is known.
    #[error("no answer in time to question {question}")]
    Deadline {
        /// The question.
        question: MessageId,
    },
    /// A recipient refused the question, signed.
    #[error("question {question} failed: {reason}")]
    Failed {
        /// The question.
        question: MessageId,
        /// Why.
        reason: FailureReason,
    },
    /// A recipient declined to answer.
    #[error("question {question} was declined")]
    Declined {
        /// The question.
        question: MessageId,
    },
    /// The agent is shutting down.
    #[error("the agent is shutting down")]
    Stopped,
}
