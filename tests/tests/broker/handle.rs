//! The broker's handle on a real node, where what it must survive cannot be seen through a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::header::{Header, Kind, Recipient, Recipients, Suite};
use dmr_core::id::{Digest, KeyCommitment, KeyId, MessageId, ParticipantId, StoreId};
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;
use dmr_tests::drill::{count, turn};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::patience::until;
use dmr_tests::programs::workspace;
use dmr_tests::rabbitmq::Node;
use dmr_transport::amqp::{AmqpBroker, AmqpConfig, Redrive};
use dmr_transport::{Broker, Disposition, Publication, Subscription};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since)
}

/// A node with the shipped policies, and a handle to it.
async fn stage() -> Outcome<(Node, AmqpBroker)> {
    let node = Node::start().await?;
    node.import_definitions(&workspace().join("deploy/rabbitmq/definitions.json")).await?;
    let address = node.amqp_url().replace("guest:guest@", "").parse().doing("the node's address")?;
    let names = Arc::new(AtomicU8::new(1));
    let fresh = move || Some(StoreId::from_random_bytes([names.fetch_add(1, Ordering::SeqCst); 16]));
    let broker = AmqpBroker::start(AmqpConfig::new(vec![address], 7, now), fresh);
    until("the broker is connected", async || Ok(broker.probe().await.is_ok())).await?;
    Ok((node, broker))
}

fn participant(number: u8) -> ParticipantId {
    ParticipantId::from_custom_bytes([number; 16])
}

fn publication(mailbox: ParticipantId, envelope: Bytes) -> Publication {
    let id = MessageId::from_custom_bytes([9; 16]);
    Publication { mailbox, sender: participant(1), id, expires: now().plus(Duration::from_secs(600)), envelope }
}

/// What a server could store for these recipients. Nobody could open it.
fn envelope(recipients: &[ParticipantId]) -> Outcome<Envelope> {
    let recipients = recipients.iter().map(|participant| Recipient { participant: *participant, key: KeyId([3; 16]) });
    let count = recipients.len();
    let header = Header {
        suite: Suite::X25519,
        network: "demo".parse().doing("a name")?,
        id: MessageId::from_custom_bytes([9; 16]),
        sender: participant(1),
        sender_key: KeyId([2; 16]),
        recipients: Recipients::new(recipients.collect()).doing("recipients")?,
        kind: Kind::EVENT,
        created: now(),
        expires: now().plus(Duration::from_secs(600)),
        directory_revision: 1,
        directory_digest: Digest([4; 32]),
        key_commitment: KeyCommitment([5; 32]),
    };
    let wrap = Wrap { enc: vec![1; 32].into(), ct: vec![2; 48].into() };
    let header = header.encode().doing("a header")?;
    Envelope::encode(&header, &vec![wrap; count], &[7; 512], &[8; 64]).doing("an envelope")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_nobody_waits_for_any_more_leaves_no_consumer() -> Outcome {
    let _turn = turn().await;
    let (node, broker) = stage().await?;
    let mailbox = participant(2);
    broker.declare(&[mailbox]).await.doing("declaring")?;
    for number in 0..20_u8 {
        broker.publish(publication(mailbox, vec![number].into())).await.doing("publishing")?;
    }
    for step in 0..count(200_u32, 1_000) {
        // Given up at another moment each time, from before the first byte to after the last answer.
        let patience = Duration::from_micros(u64::from(step % 100) * 60);
        drop(tokio::time::timeout(patience, broker.subscribe(mailbox, 8)).await);
    }
    let queue = format!("dmr.a.{mailbox}");
    node.queue_when(&queue, "has no consumer and all its messages", |facts| {
        (facts.consumers, facts.ready, facts.unacknowledged) == (0, 20, 0)
    })
    .await?;
    let mut subscription = broker.subscribe(mailbox, 64).await.doing("subscribing")?;
    for _ in 0..20 {
        let delivery = subscription.next().await.doing("a delivery")?;
        subscription.settle(delivery.tag, Disposition::Ack).await.doing("settling")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_lost_its_name_is_given_another_one_each_time() -> Outcome {
    let _turn = turn().await;
    let (node, broker) = stage().await?;
    let mut names = vec![broker.store().await.doing("the store's name")?];
    for _ in 0..2 {
        node.delete_queue("dmr.store").await?;
        // With the connection, what was known of the store is to be read again.
        node.close_all_connections().await?;
        let last = names.last().copied();
        until("the store has another name", async || Ok(broker.store().await.ok() != last)).await?;
        names.push(broker.store().await.doing("the store's name")?);
    }
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_given_up_during_an_alarm_do_not_end_the_connection() -> Outcome {
    let _turn = turn().await;
    let (node, broker) = stage().await?;
    let mailbox = participant(2);
    broker.declare(&[mailbox]).await.doing("declaring")?;
    // Large ones, so that many are on their way when the broker stops reading.
    let load = tokio::spawn({
        let broker = broker.clone();
        async move {
            let mut under_way = tokio::task::JoinSet::new();
            for number in 0..64_u8 {
                let broker = broker.clone();
                under_way.spawn(async move {
                    loop {
                        let publish = broker.publish(publication(mailbox, vec![number; 256 << 10].into()));
                        // Most are given up while they wait: their links ended.
                        drop(tokio::time::timeout(Duration::from_millis(500), publish).await);
                        tokio::task::yield_now().await;
                    }
                });
            }
            under_way.join_next().await
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..2 {
        node.raise_memory_alarm().await?;
        until("publishes are refused", async || Ok(broker.probe().await.is_err())).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        node.clear_memory_alarm().await?;
        until("the broker takes messages again", async || Ok(broker.probe().await.is_ok())).await?;
    }
    load.abort();
    let log = node.log()?;
    assert!(!log.contains("caused a connection exception"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_died_in_two_mailboxes_is_redriven_into_both() -> Outcome {
    let _turn = turn().await;
    let (_node, broker) = stage().await?;
    let mailboxes = [participant(2), participant(3)];
    broker.declare(&mailboxes).await.doing("declaring")?;
    let envelope = envelope(&mailboxes)?;
    for mailbox in mailboxes {
        broker.publish(publication(mailbox, envelope.bytes().clone())).await.doing("publishing")?;
        let mut subscription = broker.subscribe(mailbox, 8).await.doing("subscribing")?;
        let delivery = subscription.next().await.doing("a delivery")?;
        let refused = Disposition::DeadLetter(FailureReason::Refused);
        subscription.settle(delivery.tag, refused).await.doing("burying")?;
        until("it is buried", async || Ok(broker.kept_letters().await.is_ok_and(|letters| letters.left() > 0))).await?;
    }
    until("both letters are kept", async || Ok(broker.kept_letters().await.is_ok_and(|letters| letters.left() == 2)))
        .await?;
    let mut letters = broker.kept_letters().await.doing("the letters")?;
    let mut outcomes = Vec::new();
    while let Some(letter) = letters.next().await.doing("a letter")? {
        assert_eq!(letter.letter.reason, FailureReason::Refused);
        outcomes.push(letters.redrive(&letter).await.doing("redriving")?);
    }
    letters.finish().await;
    assert_eq!(outcomes, [Redrive::Stored, Redrive::Stored]);
    for mailbox in mailboxes {
        let mut subscription = broker.subscribe(mailbox, 8).await.doing("subscribing")?;
        let delivery = subscription.next().await.doing("a delivery")?;
        assert_eq!(delivery.envelope, *envelope.bytes());
        subscription.settle(delivery.tag, Disposition::Ack).await.doing("settling")?;
    }
    Ok(())
}
