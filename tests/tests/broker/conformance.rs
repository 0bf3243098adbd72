//! The broker on RabbitMQ keeps every rule that brokers keep.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use dmr_core::id::StoreId;
use dmr_core::time::Timestamp;
use dmr_tests::drill::{say, turn};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::rabbitmq::shipped::bounded;
use dmr_tests::rabbitmq::{Node, shared};
use dmr_transport::Broker as _;
use dmr_transport::amqp::{AmqpBroker, AmqpConfig};
use dmr_transport::conformance::broker::{self, Harness};
use serde_json::Value;

/// A virtual host for each rule, with the policy for mailboxes as it is shipped, and a bound.
struct Rooms {
    node: &'static Node,
    policy: Value,
    next: AtomicU32,
}

impl Rooms {
    async fn open() -> Outcome<Self> {
        // The bound is soft: a quorum queue takes one more.
        let policy = bounded("dmr-mailboxes", 11)?;
        Ok(Self { node: shared().await?, policy, next: AtomicU32::new(0) })
    }

    async fn room(&self) -> Outcome<AmqpBroker> {
        let name = format!("rule{}", self.next.fetch_add(1, Ordering::SeqCst));
        let url = self.node.add_vhost(&name).await?;
        self.node.put_policy(&name, "dmr-mailboxes", &self.policy).await?;
        let address = url.replace("guest:guest@", "").parse().doing("the broker's address")?;
        let broker =
            AmqpBroker::start(AmqpConfig::new(vec![address], 7, now), || Some(StoreId::from_custom_bytes([3; 16])));
        // It has begun to connect; this waits until it has.
        broker.store().await.doing("connecting")?;
        Ok(broker)
    }
}

impl Harness for Rooms {
    type Broker = AmqpBroker;

    const MAILBOX: usize = 12;

    #[expect(clippy::unwrap_used, reason = "the suite has no place for a broker that does not start")]
    async fn fresh(&self) -> AmqpBroker {
        self.room().await.unwrap()
    }

    fn now(&self) -> Timestamp {
        now()
    }

    async fn pass(&self, span: Duration) {
        // The broker's clock is the system's, and cannot be set forward.
        tokio::time::sleep(span).await;
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_on_rabbitmq_keeps_every_rule_of_brokers() -> Outcome {
    let _turn = turn().await;
    let report = broker::check(&Rooms::open().await?).await;
    say(&report);
    assert!(report.is_clean() && report.held() == 21, "{report}");
    Ok(())
}
