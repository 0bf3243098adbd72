//! What a server session is made with, asks for and tells.

use std::time::Duration;

use bytes::Bytes;

use crate::envelope::Envelope;
use crate::id::{InstanceId, KeyId, Name, Nonce, ParticipantId, SessionId, StoreId};
use crate::limit;
use crate::reason::{CloseReason, FailureReason, RejectReason};

/// How a server session behaves.
#[derive(Debug, Clone)]
pub struct ServerSessionConfig {
    /// Network served.
    pub network: Name,
    /// This server's name.
    pub server: Name,
    /// Key that signs the challenge; `None`: it goes unsigned.
    pub server_key: Option<KeyId>,
    /// Names this link; fresh.
    pub session: SessionId,
    /// The broker's memory.
    pub store: StoreId,
    /// Fresh random bytes.
    pub nonce: Nonce,
    /// Whether the driver can bind the login to the connection.
    pub binds_channel: bool,
    /// Revision of the directory in use.
    pub directory_revision: u64,
    /// Publishes an agent may have unconfirmed, at least 1. Default 64. Too small starves fast agents, too large costs
    /// memory: an envelope each.
    pub credit: u16,
    /// Largest prefetch granted; more is cut to it. Default 1,024.
    pub max_prefetch: u16,
    /// Each side sends at least this often, 100 ms to 10 min: agents leave a server that asks for anything else. Silence
    /// for twice as long closes the link. Default 20 s, below the 60 s at which proxies give up.
    pub heartbeat: Duration,
    /// Time for the whole login. Default 10 s.
    pub login_timeout: Duration,
    /// Time for settling a delivery. Default 10 min, below the 30 min at which RabbitMQ closes the channel.
    pub settle_timeout: Duration,
    /// Largest envelope taken, in bytes. Default [`limit::ENVELOPE`].
    pub max_envelope: usize,
    /// Time for finishing after [`ServerSession::drain`](super::ServerSession::drain). Default 10 s.
    pub grace: Duration,
}

impl ServerSessionConfig {
    /// The defaults, for what has no default.
    pub fn new(network: Name, server: Name, session: SessionId, store: StoreId, nonce: Nonce) -> Self {
        Self {
            network,
            server,
            server_key: None,
            session,
            store,
            nonce,
            binds_channel: false,
            directory_revision: 0,
            credit: 64,
            max_prefetch: 1024,
            heartbeat: Duration::from_secs(20),
            login_timeout: Duration::from_secs(10),
            settle_timeout: Duration::from_secs(600),
            max_envelope: limit::ENVELOPE,
            grace: Duration::from_secs(10),
        }
    }
}

/// Names one publish on one link, between the session and its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(super) u64);

/// A login that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    /// Who logged in.
    pub participant: ParticipantId,
    /// Which of its processes.
    pub instance: InstanceId,
    /// Revision of the directory it has; 0 for none.
    pub directory_revision: u64,
}

/// A publish that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RejectReason,
    /// Do not try again before; zero for no hint.
    pub retry_after: Duration,
}

/// What becomes of a delivery at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposed {
    /// It is done.
    Ack,
    /// It goes back to the mailbox.
    Requeue,
    /// It goes to the dead letters.
    DeadLetter(FailureReason),
}

/// What a server session asks its driver for, and tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerOutput {
    /// Sign the challenge if this server has a key; answer with `challenge_signed`.
    SignChallenge {
        /// The bytes to sign.
        challenge: Bytes,
    },
    /// Check the proof, the channel binding and that the participant is active; answer with `login_checked`.
    /// Network and version are already right.
    CheckLogin {
        /// Challenge bytes as sent.
        challenge: Bytes,
        /// Encoded login fields as received.
        fields: Bytes,
        /// The proof as received.
        proof: Bytes,
    },
    /// The login holds: register this session; an older link of the same instance is superseded.
    LoggedIn(Login),
    /// The agent's directory is older: answer with `directory_changed`.
    SendDirectory,
    /// Check signature, times, recipients, policy and rate; answer with `envelope_checked`. Its sender is the
    /// participant of this session, its network this network, its size allowed.
    CheckEnvelope {
        /// To answer by.
        ticket: Ticket,
        /// The envelope.
        envelope: Envelope,
    },
    /// Publish into the mailbox of each recipient; answer with `published`.
    Publish {
        /// To answer by.
        ticket: Ticket,
        /// The envelope.
        envelope: Envelope,
    },
    /// Subscribe to the mailbox; answer with `subscribed`.
    Subscribe {
        /// Whose mailbox.
        mailbox: ParticipantId,
        /// Unsettled deliveries to allow, with room for those that wait for a retry.
        prefetch: u16,
    },
    /// Settle a delivery at the broker.
    Settle {
        /// The broker's tag.
        tag: u64,
        /// What becomes of it.
        disposition: Disposed,
    },
    /// The session is over; what it has not settled goes back to the mailbox. Nothing follows.
    Ended {
        /// Why.
        reason: CloseReason,
    },
}
