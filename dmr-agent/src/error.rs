//! What can go wrong for a program that uses an agent.

use std::path::PathBuf;

use dmr_core::exchange::SendError;
use dmr_core::id::MessageId;
use dmr_core::reason::FailureReason;

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
