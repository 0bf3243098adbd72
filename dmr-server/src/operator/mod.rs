//! What an operator does from the command line with the broker of a network: header facts only.

pub mod dead;
mod names;
mod progress;
pub mod queues;

use dmr_core::id::MessageId;
use dmr_transport::amqp::{AmqpBroker, AmqpConfig};

use crate::broker_settings::{BrokerPlan, BrokerSettings};
use crate::program::{Failure, fresh_store};

/// Why an operator's command did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The memory broker lives in the server's process.
    #[error("--broker memory cannot be looked into from outside: it lives in the server; see its /metrics")]
    InMemory,
    /// Neither a directory nor the management API names any mailbox.
    #[error("which mailboxes: give --directory, or let the management api be asked")]
    WhichMailboxes,
    /// No letter has this id.
    #[error("no dead letter {id}")]
    NoLetter {
        /// Which id.
        id: MessageId,
    },
    /// Neither ids nor `--all`, or both.
    #[error("say which letters: ids, or --all")]
    WhichLetters,
    /// Letters that should be redriven are still dead.
    #[error("{count} were not redriven")]
    LettersStay {
        /// How many.
        count: u32,
    },
    /// What cannot be undone was not confirmed.
    #[error("this would throw {count} dead letters away for good: say --yes")]
    NotConfirmed {
        /// How many letters there are.
        count: u32,
    },
}

impl OperatorError {
    /// Whether the command was called wrongly, rather than not successful.
    pub(crate) const fn is_usage(&self) -> bool {
        match self {
            Self::InMemory | Self::WhichMailboxes | Self::WhichLetters | Self::NotConfirmed { .. } => true,
            Self::NoLetter { .. } | Self::LettersStay { .. } => false,
        }
    }
}

/// The broker that these settings name.
fn connect(settings: &BrokerSettings) -> Result<AmqpBroker, Failure> {
    match settings.plan()? {
        BrokerPlan::Memory => Err(OperatorError::InMemory.into()),
        BrokerPlan::Amqp(plan) => Ok(start(plan.config)),
    }
}

fn start(mut config: AmqpConfig) -> AmqpBroker {
    config.name = "dmr-server operator".into();
    AmqpBroker::start(config, fresh_store)
}
