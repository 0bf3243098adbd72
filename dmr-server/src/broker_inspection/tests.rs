//! Looks in paused time, and what is concluded from them.

use std::sync::atomic::{AtomicU32, Ordering};

use dmr_core::id::SessionId;
use dmr_crypto::Freshness;
use dmr_transport::amqp::finding::Severity;
use dmr_transport::amqp::management::Overview;

use super::*;
use crate::signals::Signal;

fn fit(unseen: bool) -> Look {
    Look::Fit { broker: "RabbitMQ".into(), unseen }
}

fn unfit() -> Look {
    Look::Unfit { broker: "RabbitMQ; no policy".into() }
}

fn failed(error: &str) -> Look {
    Look::Failed { error: error.into() }
}

/// A server whose looks come to these, one after the other, and then to the last for ever.
struct Stage {
    readiness: Arc<Readiness>,
    registry: Arc<Registry>,
    looks: Arc<AtomicU32>,
}

impl Stage {
    fn of(required: bool, found_fit: bool, script: &[Look]) -> Self {
        let readiness = Arc::new(Readiness::new(required && !found_fit));
        let stage = Self { readiness, registry: Registry::new(8), looks: Arc::default() };
        let (readiness, registry) = (Arc::clone(&stage.readiness), Arc::clone(&stage.registry));
        let (looks, script) = (Arc::clone(&stage.looks), script.to_vec());
        tokio::spawn(async move {
            let look = || {
                let number = looks.fetch_add(1, Ordering::Relaxed) as usize;
                let seen = script[number.min(script.len() - 1)].clone();
                async move { seen }
            };
            watch(look, required, &readiness, &registry).await;
        });
        stage
    }

    /// How many looks there were, and whether agents may have sessions, so many seconds from now.
    async fn after(&self, seconds: u64) -> (u32, bool) {
        sleep(Duration::from_secs(seconds)).await;
        (self.looks.load(Ordering::Relaxed), !self.readiness.is_unfit())
    }

    fn problems(&self) -> Vec<String> {
        self.readiness.health(Freshness::Fresh).problems
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_must_be_fit_is_not_used_before_it_was_and_is_from_then_on() {
    let stage = Stage::of(true, false, &[failed("nobody there"), unfit(), fit(false), unfit(), failed("gone")]);
    assert!(stage.readiness.is_unfit(), "before the first look");
    assert_eq!(stage.after(1).await, (1, false));
    assert!(stage.problems()[0].contains("nobody there"), "{:?}", stage.problems());
    assert_eq!(stage.after(5).await, (2, false));
    assert!(stage.problems()[0].contains("dmr-server check"), "{:?}", stage.problems());
    assert_eq!(stage.after(5).await, (3, true));
    assert_eq!(stage.after(300).await, (4, true));
    assert_eq!(stage.after(300).await, (5, true));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_was_found_fit_before_the_start_is_used_though_the_next_look_fails() {
    let stage = Stage::of(true, true, &[failed("gone"), unfit()]);
    assert_eq!(stage.after(1).await, (1, true));
    assert_eq!(stage.after(5).await, (2, false));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_need_not_be_fit_is_used_whatever_is_found() {
    let stage = Stage::of(false, false, &[failed("nobody there"), unfit()]);
    assert_eq!(stage.after(1).await, (1, true));
    assert_eq!(stage.after(5).await, (2, true));
}

#[tokio::test(start_paused = true)]
async fn queues_without_figures_are_looked_at_again_soon_and_agents_leave_when_they_turn_out_wrong() {
    let stage = Stage::of(true, false, &[fit(true), unfit(), fit(false)]);
    assert_eq!(stage.after(1).await, (1, true));
    let seat = stage.registry.open(SessionId::from_bytes([1; 16]).unwrap());
    assert_eq!(stage.after(5).await, (2, false));
    assert_eq!(seat.signals().next().await, Signal::Drain);
    assert_eq!(stage.after(5).await, (3, true));
    assert_eq!(stage.after(290).await, (3, true));
}

#[tokio::test(start_paused = true)]
async fn figures_that_never_come_are_not_hastened_for() {
    let stage = Stage::of(true, false, &[fit(true)]);
    assert_eq!(stage.after(16).await, (4, true));
    assert_eq!(stage.after(290).await, (4, true));
    assert_eq!(stage.after(10).await, (5, true));
}

#[test]
fn a_look_that_fails_as_before_is_no_news() {
    let mut known = Known::default();
    let mut news = |look: Look| {
        let news = known.is_news(&look);
        known.judge(look);
        news
    };
    let script =
        [failed("one"), failed("one"), failed("two"), unfit(), unfit(), fit(true), fit(false), unfit(), unfit()];
    assert_eq!(script.map(&mut news), [true, false, true, true, false, true, false, true, true]);
    assert_eq!([failed("two"), failed("two"), fit(false)].map(news), [true, false, true]);
}

fn report(severity: Severity, subject: &str) -> Report {
    let overview = Overview {
        version: "3.10.8".into(),
        cluster: "test".into(),
        node: "rabbit@one".into(),
        statistics: true,
        nodes: Vec::new(),
    };
    let finding = Finding {
        severity,
        topic: Topic::Unseen,
        subject: subject.into(),
        others: 0,
        problem: "not seen".into(),
        consequence: "".into(),
        remedy: "".into(),
    };
    Report { vhost: "dmr.vhost".into(), overview, queues: 1, mailboxes: 1, findings: vec![finding] }
}

#[test]
fn only_queues_are_waited_for() {
    let broker = |subject: &str| format!("RabbitMQ 3.10.8 at dmr.vhost; {subject} not seen");
    for (severity, subject, unseen) in
        [(Severity::Note, "dmr.a.01", true), (Severity::Note, "dmr.vhost", false), (Severity::Risky, "broker", false)]
    {
        let look = Look::of(Ok(report(severity, subject)));
        assert_eq!(look, Look::Fit { broker: broker(subject), unseen });
    }
    let look = Look::of(Ok(report(Severity::Wrong, "dmr.a.01")));
    assert_eq!(look, Look::Unfit { broker: broker("dmr.a.01") });
}
