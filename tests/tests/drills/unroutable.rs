//! Messages to mailboxes that do not exist, in one pipeline with those to mailboxes that do: each gets the answer that is
//! true of it. At the level of the broker's handle, since a server would make the mailbox and try again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dmr_core::id::{MessageId, ParticipantId, StoreId};
use dmr_core::time::Timestamp;
use dmr_tests::drill::{count, say, seed, turn};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::rabbitmq::Node;
use dmr_transport::amqp::{AmqpBroker, AmqpConfig};
use dmr_transport::{Broker as _, Publication, PublishError};
use tokio::task::JoinSet;

use crate::stage::{broker_url, import_policies};

/// Publishes outstanding at once: as many as the handle has channels.
const AT_ONCE: usize = 64;
/// Mailboxes; those with an even number exist.
const MAILBOXES: u8 = 16;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn mailbox(number: u8) -> ParticipantId {
    ParticipantId::from_custom_bytes([number + 1; 16])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unroutable_messages_among_good_ones_are_each_answered_as_it_is() -> Outcome {
    let _turn = turn().await;
    let messages = count(1_024, 10_048);
    let node = Node::start().await?;
    node.ctl(&["await_startup"]).await?;
    import_policies(&node).await?;
    let address = broker_url(&node).parse().doing("the broker's address")?;
    let broker =
        AmqpBroker::start(AmqpConfig::new(vec![address], seed(), now), || Some(StoreId::from_custom_bytes([3; 16])));
    let there: Vec<_> = (0..MAILBOXES).step_by(2).map(mailbox).collect();
    broker.declare(&there).await.doing("declaring the mailboxes")?;

    let (mut pipeline, broker) = (JoinSet::new(), Arc::new(broker));
    for place in 0..AT_ONCE {
        let broker = Arc::clone(&broker);
        pipeline.spawn(async move {
            let mut wrong = Vec::new();
            for number in (place..messages).step_by(AT_ONCE) {
                let chosen = u8::try_from(number % usize::from(MAILBOXES)).unwrap_or_default();
                let publication = Publication {
                    mailbox: mailbox(chosen),
                    sender: mailbox(100),
                    id: MessageId::from_custom_bytes(u128::try_from(number + 1).unwrap_or_default().to_le_bytes()),
                    expires: now().plus(Duration::from_secs(3600)),
                    envelope: vec![chosen; 1_000].into(),
                };
                let expected = if chosen % 2 == 0 { Ok(()) } else { Err(PublishError::Unroutable(mailbox(chosen))) };
                let answer = broker.publish(publication).await;
                if answer != expected {
                    wrong.push((number, answer));
                }
                // Neighbours change places, so that good ones and others meet on every channel.
                tokio::task::yield_now().await;
            }
            wrong
        });
    }
    let wrong: Vec<_> = pipeline.join_all().await.into_iter().flatten().collect();
    say(format_args!("{} of {messages} were answered wrongly", wrong.len()));
    assert!(wrong.is_empty(), "{wrong:?}");
    for mailbox in there {
        let depth = broker.look_into(mailbox).await.doing("looking into a mailbox")?.doing("a mailbox")?;
        assert_eq!(usize::try_from(depth.ready).unwrap_or_default(), messages / usize::from(MAILBOXES));
    }
    Ok(())
}
