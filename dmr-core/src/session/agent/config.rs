//! What an agent session is made with, is given, asks for and tells.

use std::time::Duration;

use bytes::Bytes;

use crate::backoff::BackoffConfig;
use crate::frame::{Challenge, DeliveryTag, RecipientResult};
use crate::id::{InstanceId, MessageId, Name, ParticipantId, SessionId, StoreId};
use crate::reason::{CloseReason, FailureReason, RejectReason};
use crate::time::Timestamp;

/// How an agent session behaves.
#[derive(Debug, Clone)]
pub struct AgentSessionConfig {
    /// Network the agent takes part in.
    pub network: Name,
    /// Who it is.
    pub participant: ParticipantId,
    /// This process.
    pub instance: InstanceId,
    /// For each server, in order, the name its challenge must bear; `None`: any.
    pub server_names: Vec<Option<Name>>,
    /// Deliveries that may be unsettled at once, 1 to 1,024; `None`: the agent only sends. Default 64. Zero is refused by
    /// servers, more is cut. Too small leaves the link idle between settles, too large holds messages that a replica
    /// could handle.
    pub prefetch: Option<u16>,
    /// Whether to subscribe with the first login. Default `true`. `false`: only after
    /// [`AgentSession::accept_deliveries`](super::AgentSession::accept_deliveries), for an agent that has no directory yet and
    /// would keep from its replicas what it cannot open.
    pub subscribes_at_once: bool,
    /// Messages kept until their receipt. Default 10,000.
    pub outbox_messages: usize,
    /// Bytes of envelopes kept until their receipt. Default 64 MiB.
    pub outbox_bytes: usize,
    /// Time for opening a link. Default 15 s.
    pub connect_timeout: Duration,
    /// Time from the open link to the welcome. Default 10 s.
    pub login_timeout: Duration,
    /// Time for finishing at a drain, and at a shutdown. Default 5 s.
    pub grace: Duration,
    /// Delay before connecting again. Default 250 ms doubling to 30 s, full jitter.
    pub backoff: BackoffConfig,
    /// Delay after a server refused the agent for a reason that will not pass soon. Default 60 s, jittered by half.
    pub refused_delay: Duration,
    /// Refusals in a row that are answered by an ordinary backoff: a server may not yet have read the directory that
    /// lists this participant. Default 1, and at least one for each server.
    pub first_refusals: usize,
    /// Seed of the jitter; different in every process.
    pub seed: u64,
}

impl AgentSessionConfig {
    /// The defaults, for what has no default.
    pub fn new(
        network: Name,
        participant: ParticipantId,
        instance: InstanceId,
        server_names: Vec<Option<Name>>,
        seed: u64,
    ) -> Self {
        Self {
            network,
            participant,
            instance,
            server_names,
            prefetch: Some(64),
            subscribes_at_once: true,
            outbox_messages: 10_000,
            outbox_bytes: 64 << 20,
            connect_timeout: Duration::from_secs(15),
            login_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            backoff: BackoffConfig { base: Duration::from_millis(250), cap: Duration::from_secs(30) },
            refused_delay: Duration::from_secs(60),
            first_refusals: 1,
            seed,
        }
    }
}

/// An envelope to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPublication {
    /// The id in its header: servers answer by that. Under any other id the answer belongs to nothing that was
    /// published, which closes the link.
    pub id: MessageId,
    /// Its bytes; the same bytes are published again when that is needed. They are not looked into.
    pub envelope: Bytes,
    /// When it expires.
    pub expires: Timestamp,
    /// `true`: kept until receipted or expired, and a server that cannot take it the first time gives it back as
    /// rejected. `false`, for receipts: published until confirmed, then forgotten.
    pub keep: bool,
}

/// Why an envelope was not taken for publishing. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentPublishError {
    /// The outbox is at its bound.
    #[error("the outbox is full; try again in {} ms", .retry_after.as_millis())]
    Full {
        /// When there may be room.
        retry_after: Duration,
    },
    /// The id is in the outbox already.
    #[error("this id is being published already")]
    Duplicate,
    /// The envelope is larger than the server takes.
    #[error("{len} bytes in the envelope, {limit} allowed")]
    TooLarge {
        /// Its size.
        len: usize,
        /// The bound.
        limit: usize,
    },
    /// The session is shutting down.
    #[error("the agent is shutting down")]
    Stopped,
}

/// Names one delivery; of no effect once its link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    pub(super) link: u64,
    pub(super) tag: DeliveryTag,
}

/// How full the outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxDepth {
    /// Messages kept.
    pub messages: usize,
    /// Bytes of their envelopes.
    pub bytes: usize,
    /// Those on the link without an answer.
    pub unconfirmed: usize,
}

/// What an agent session asks its driver for, and tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentOutput {
    /// Open a link to this server, giving up any other; answer with `link_up` or `link_down`.
    Connect {
        /// Position in the list of servers.
        server: usize,
    },
    /// Check the server's signature where the directory lists servers, build and sign the login; answer with
    /// `challenge_signed` or `challenge_refused`. Network, version and name are already right.
    Sign {
        /// The challenge.
        challenge: Challenge,
        /// Its bytes as received.
        challenge_bytes: Bytes,
        /// The server's signature over them; empty when it has no key.
        signature: Bytes,
    },
    /// Logged in.
    Ready {
        /// Position in the list of servers.
        server: usize,
        /// The login's name in both sides' logs.
        session: SessionId,
        /// The broker's memory.
        store: StoreId,
    },
    /// The link is gone; another is opened after the delay.
    Down {
        /// Why.
        reason: CloseReason,
        /// The delay.
        retry_in: Duration,
    },
    /// The server has it, by the broker's word. May come again after a republish.
    Confirmed {
        /// The message.
        id: MessageId,
    },
    /// The server does not take it; the session has forgotten it.
    Rejected {
        /// The message.
        id: MessageId,
        /// Why.
        reason: RejectReason,
        /// Do not publish it again before; zero for no hint, at most ten minutes.
        retry_after: Duration,
        /// Each recipient's result when they differ.
        recipients: Vec<RecipientResult>,
    },
    /// An envelope came in; settle it.
    Delivered {
        /// To settle it by.
        delivery: DeliveryId,
        /// 1 for the first attempt. A hint.
        attempt: u32,
        /// The envelope.
        envelope: Bytes,
    },
    /// It expired without a receipt (`keep`), or without a confirm; the session has forgotten it.
    Expired {
        /// The message.
        id: MessageId,
    },
    /// A directory document came in, unverified.
    Directory {
        /// The document.
        document: Bytes,
    },
    /// A server's unsigned word about a confirmed message.
    Notice {
        /// The message.
        id: MessageId,
        /// What became of it.
        reason: FailureReason,
    },
    /// The session has shut down. Nothing follows.
    Stopped,
}
