//! Every broker keeps every rule, and brokers with a fault break just the rules it touches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dmr_core::id::StoreId;
use dmr_core::time::Timestamp;
use dmr_transport::conformance::broker::{self, Harness};
use dmr_transport::conformance::faulty_broker::{BrokerFault, FaultyBroker};
use dmr_transport::memory::{MemoryBroker, QueueLimits};

const RULES: usize = 21;

/// A memory broker on a clock of its own.
#[derive(Default)]
struct Memory {
    clock: Arc<AtomicU64>,
}

impl Harness for Memory {
    type Broker = MemoryBroker;
    const MAILBOX: usize = 12;

    async fn fresh(&self) -> MemoryBroker {
        let limits = QueueLimits { mailbox_messages: Self::MAILBOX, ..QueueLimits::default() };
        let clock = Arc::clone(&self.clock);
        let store = StoreId::from_custom_bytes([7; 16]);
        MemoryBroker::new(store, limits, move || Timestamp(clock.load(Ordering::SeqCst)))
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::SeqCst))
    }

    async fn pass(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap();
        self.clock.fetch_add(millis, Ordering::SeqCst);
        tokio::time::advance(span).await;
    }
}

struct Faulty {
    memory: Memory,
    fault: BrokerFault,
}

impl Harness for Faulty {
    type Broker = FaultyBroker<MemoryBroker>;
    const MAILBOX: usize = Memory::MAILBOX;

    async fn fresh(&self) -> Self::Broker {
        FaultyBroker::new(self.memory.fresh().await, self.fault)
    }

    fn now(&self) -> Timestamp {
        self.memory.now()
    }

    async fn pass(&self, span: Duration) {
        self.memory.pass(span).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_memory_broker_keeps_every_rule() {
    let report = broker::check(&Memory::default()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.held(), RULES);
}

#[tokio::test(start_paused = true)]
async fn a_broker_with_a_fault_breaks_the_rules_that_forbid_it_and_no_others() {
    for (fault, rules) in [
        (
            BrokerFault::ConfirmsEarly,
            &[
                "a_confirmed_message_is_delivered_unchanged",
                "a_mailbox_nobody_declared_is_unroutable",
                "a_full_mailbox_refuses_and_confirms_nothing",
                "mailboxes_are_apart",
                "a_waiting_subscription_hears_of_a_publish",
                "a_cancelled_next_loses_nothing",
            ][..],
        ),
        (BrokerFault::DropsOnDisconnect, &["a_dropped_subscription_gives_back_what_it_had"]),
        (
            BrokerFault::IgnoresPrefetch,
            &["prefetch_bounds_what_is_unsettled", "settling_what_is_not_unsettled_changes_nothing"],
        ),
        (
            BrokerFault::Reorders,
            &[
                "messages_come_in_the_order_they_were_published",
                "a_full_mailbox_refuses_and_confirms_nothing",
                "declaring_again_keeps_what_is_there",
                "prefetch_bounds_what_is_unsettled",
                "a_dropped_subscription_gives_back_what_it_had",
                "a_requeued_message_keeps_its_place",
                "an_acknowledged_message_never_comes_back",
                "a_waiting_subscription_hears_of_a_requeue",
                "depth_counts_what_waits",
            ],
        ),
        (BrokerFault::RequeuesAtTheEnd, &["a_requeued_message_keeps_its_place"]),
        (BrokerFault::ForgetsDeadLetters, &["a_dead_lettered_message_is_told_and_never_comes_back"]),
        (
            BrokerFault::NeverExpires,
            &[
                "an_expired_message_is_dead_lettered_and_not_delivered",
                "a_message_that_expires_while_delivered_is_not_delivered_again",
            ],
        ),
        (
            BrokerFault::ForgetsAcks,
            &[
                "a_full_mailbox_refuses_and_confirms_nothing",
                "prefetch_bounds_what_is_unsettled",
                "a_requeued_message_keeps_its_place",
                "an_acknowledged_message_never_comes_back",
                "settling_what_is_not_unsettled_changes_nothing",
                "depth_counts_what_waits",
            ],
        ),
    ] {
        let report = broker::check(&Faulty { memory: Memory::default(), fault }).await;
        assert_eq!(report.breached(), rules, "{fault:?}");
    }
}
