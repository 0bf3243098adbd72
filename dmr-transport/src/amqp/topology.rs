//! The topology: every exchange and queue by name, and how each is declared.
//!
//! ```text
//!  dmr.v1 (direct) ──▶ dmr.a.<participant>       mailboxes
//!    │                   │ expired, refused
//!    │                   ▼
//!    │                 dmr.dlx (fanout) ──▶ dmr.dead          servers tell the senders
//!    │                                  └─▶ dmr.dead.kept     for the operator
//!    └──▶ dmr.probe, dmr.store                                proof of life; the store's name
//!
//!  dmr.ctl (fanout) ──▶ dmr.s.<server>                        what servers tell each other
//! ```
//!
//! Every name begins with `dmr.`, and nothing goes through the default exchange, so that a server's user needs no other
//! permission. Only what cannot be a policy is an argument: RabbitMQ refuses to declare a queue again with other arguments, whereas
//! a policy can be changed while the network runs. The policies are in [`policy`](super::policy).

use dmr_core::id::ParticipantId;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};

/// Envelopes to mailboxes, by the mailbox's name.
pub const EXCHANGE: &str = "dmr.v1";
/// Messages that died.
pub const DEAD_EXCHANGE: &str = "dmr.dlx";
/// Dead letters for the servers.
pub const DEAD: &str = "dmr.dead";
/// Dead letters for the operator.
pub const KEPT: &str = "dmr.dead.kept";
/// What servers tell each other.
pub const CONTROL: &str = "dmr.ctl";
/// A message goes through it to prove that the broker works.
pub const PROBE: &str = "dmr.probe";
/// A stream whose first record names the store.
pub const STORE: &str = "dmr.store";

/// What every mailbox's name begins with.
pub const MAILBOX_PREFIX: &str = "dmr.a.";
/// What the name of every server's own queue begins with.
pub(super) const SERVER_PREFIX: &str = "dmr.s.";

/// The queue of a participant.
pub fn mailbox_name(mailbox: ParticipantId) -> String {
    format!("{MAILBOX_PREFIX}{mailbox}")
}

/// Whose mailbox a queue is, if it is one.
pub fn mailbox_of(queue: &str) -> Option<ParticipantId> {
    queue.strip_prefix(MAILBOX_PREFIX)?.parse().ok()
}

/// A name as the protocol carries it. Ours are all shorter than its 255 bytes.
pub(super) fn short(name: &str) -> ShortString {
    name.into()
}

struct Exchange {
    name: &'static str,
    kind: ExchangeKind,
}

struct Queue {
    name: &'static str,
    kind: &'static str,
    source: &'static str,
}

// No alternate exchange: it would take what no mailbox takes, the broker would confirm that, and nobody would be told.
const EXCHANGES: [Exchange; 3] = [
    Exchange { name: EXCHANGE, kind: ExchangeKind::Direct },
    Exchange { name: DEAD_EXCHANGE, kind: ExchangeKind::Fanout },
    Exchange { name: CONTROL, kind: ExchangeKind::Fanout },
];

const QUORUM: &str = "quorum";

const QUEUES: [Queue; 3] = [
    Queue { name: DEAD, kind: QUORUM, source: DEAD_EXCHANGE },
    Queue { name: KEPT, kind: QUORUM, source: DEAD_EXCHANGE },
    Queue { name: PROBE, kind: QUORUM, source: EXCHANGE },
];

/// Makes sure that everything exists that publishing needs, but the mailboxes. The stream is not among it: it cannot be
/// declared while it has no leader, and servers that know the store's name go on without it.
pub(super) async fn declare(channel: &Channel) -> lapin::Result<()> {
    for exchange in &EXCHANGES {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(short(exchange.name), exchange.kind.clone(), options, FieldTable::default()).await?;
    }
    for queue in &QUEUES {
        declare_queue(channel, queue.name, queue.kind).await?;
        bind(channel, queue.name, queue.source).await?;
    }
    Ok(())
}

/// Makes sure that the stream exists that names the store, and says how many records it has.
pub(super) async fn declare_store(channel: &Channel) -> lapin::Result<u32> {
    let records = declare_queue(channel, STORE, "stream").await?;
    bind(channel, STORE, EXCHANGE).await?;
    Ok(records)
}

/// Makes sure that a mailbox exists and that its messages find it.
pub(super) async fn declare_mailbox(channel: &Channel, mailbox: ParticipantId) -> lapin::Result<()> {
    let name = mailbox_name(mailbox);
    declare_queue(channel, &name, QUORUM).await?;
    bind(channel, &name, EXCHANGE).await
}

/// Declares a queue, and says how many messages are in it.
async fn declare_queue(channel: &Channel, name: &str, kind: &str) -> lapin::Result<u32> {
    let mut arguments = FieldTable::default();
    arguments.insert(short("x-queue-type"), AMQPValue::LongString(kind.into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    Ok(channel.queue_declare(short(name), options, arguments).await?.message_count())
}

/// Binds a queue to an exchange under its own name.
async fn bind(channel: &Channel, queue: &str, exchange: &str) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel.queue_bind(short(queue), short(exchange), short(queue), options, FieldTable::default()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_named_after_its_participant() {
        let participant = ParticipantId::from_custom_bytes([7; 16]);
        let name = mailbox_name(participant);
        assert_eq!(name, "dmr.a.07070707-0707-8707-8707-070707070707");
        assert_eq!(mailbox_of(&name), Some(participant));
        for other in ["dmr.dead", "dmr.a.x", "a.07070707-0707-8707-8707-070707070707"] {
            assert_eq!(mailbox_of(other), None);
        }
    }
}
