//! The driver over links and a broker in memory, in paused time.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use dmr_core::frame::{AgentFrame, ChannelBinding, ServerFrame, Settlement};
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_crypto::VerifiedDirectory;
use dmr_transport::memory::{MemoryBroker, MemoryLink};
use dmr_transport::{Broker, LinkReceiver, Publication, PublishError, Received};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::listener;
use crate::shared::Shared;
use crate::testing::agent::TestAgent;
use crate::testing::network::Network;
use crate::testing::server;

/// A server without its ports.
struct Stage {
    shared: Arc<Shared<MemoryBroker>>,
    broker: MemoryBroker,
    publish: watch::Sender<VerifiedDirectory>,
}

impl Stage {
    async fn of(network: &Network, limits: Limits) -> Self {
        let broker = server::memory();
        let everybody: Vec<_> = network.directory.directory().participants.iter().map(|entry| entry.id).collect();
        broker.declare(&everybody).await.unwrap();
        let (shared, publish) = server::shared(network, limits, broker.clone());
        Self { shared, broker, publish }
    }

    fn connect(&self) -> TestAgent<MemoryLink> {
        self.connect_bound(ChannelBinding::None)
    }

    fn connect_bound(&self, binding: ChannelBinding) -> TestAgent<MemoryLink> {
        let (ours, theirs) = MemoryLink::pair_bound(binding);
        let pass = self.shared.gate.admit(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        tokio::spawn(listener::serve(Arc::clone(&self.shared), theirs, pass));
        TestAgent::new(ours)
    }

    async fn log_in(&self, network: &Network, member: &str) -> TestAgent<MemoryLink> {
        let mut agent = self.connect();
        agent.log_in(network, member).await;
        agent
    }

    async fn ready(&self) -> u64 {
        self.broker.depth().await.unwrap().ready
    }

    async fn ready_reaches(&self, messages: u64) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.ready().await != messages {
            assert!(Instant::now() < deadline, "{} of {messages} ready", self.ready().await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_given_a_session_on_a_broker_that_must_not_be_used() {
    let network = Network::of(&["tax"]);
    let stage = Stage::of(&network, Limits::default()).await;
    stage.shared.readiness.note_unfit(Some("a policy is missing".into()));
    assert_eq!(stage.connect().close_reason().await, Some(CloseReason::Unavailable));
    stage.shared.readiness.note_unfit(None);
    stage.log_in(&network, "tax").await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_read_is_heard_all_the_same_and_closed_as_slow() {
    let network = Network::of(&["tax", "police"]);
    let stage = Stage::of(&network, Limits::default()).await;
    for _ in 0..40 {
        let envelope = network.seal("tax", &["police"]);
        let publication = Publication {
            mailbox: network.id("police"),
            sender: network.id("tax"),
            id: envelope.header().id,
            expires: envelope.header().expires,
            envelope: envelope.bytes().clone(),
        };
        stage.broker.publish(publication).await.unwrap();
    }
    let mut police = stage.log_in(&network, "police").await;
    police.subscribe(40).await;
    stage.ready_reaches(0).await;
    // The link's 16 places are taken; what the agent says still arrives.
    police.publish(&network.seal("police", &["tax"])).await;
    stage.ready_reaches(1).await;
    let before = Instant::now();
    // Well before a missed heartbeat could end it: ten seconds for writing, two for the close.
    while stage.shared.gate.links() > 0 {
        assert!(before.elapsed() < Duration::from_secs(13), "{:?}", before.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(before.elapsed() > Duration::from_secs(9), "{:?}", before.elapsed());
    assert_eq!(stage.ready().await, 41);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_confirmed_before_the_broker_has_and_the_link_lives_on_meanwhile() {
    let network = Network::of(&["tax", "police"]);
    let limits = Limits { heartbeat: Duration::from_secs(2), ..Limits::default() };
    let stage = Stage::of(&network, limits).await;
    let mut tax = stage.log_in(&network, "tax").await;
    stage.broker.hold_confirms(true);
    let envelope = network.seal("tax", &["police"]);
    tax.publish(&envelope).await;
    for _ in 0..4 {
        // The broker is slow, the link is not: heartbeats come, and are answered.
        let Received::Frame(frame) = tax.receive().await else { panic!("closed") };
        assert_eq!(ServerFrame::decode(&frame).unwrap(), ServerFrame::Heartbeat);
        tax.send(&AgentFrame::Heartbeat).await;
    }
    stage.broker.hold_confirms(false);
    tax.expect_confirm(envelope.header().id).await;
}

#[tokio::test(start_paused = true)]
async fn more_publishes_than_the_credit_close_the_link() {
    let network = Network::of(&["tax", "police"]);
    let stage = Stage::of(&network, Limits { credit: 2, ..Limits::default() }).await;
    let mut tax = stage.log_in(&network, "tax").await;
    stage.broker.hold_confirms(true);
    for _ in 0..3 {
        tax.publish(&network.seal("tax", &["police"])).await;
    }
    assert_eq!(tax.close_reason().await, Some(CloseReason::CreditExceeded));
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_refuses_is_rejected_and_may_be_tried_again() {
    let network = Network::of(&["tax", "police"]);
    let stage = Stage::of(&network, Limits::default()).await;
    let mut tax = stage.log_in(&network, "tax").await;
    let cases = [
        (PublishError::Full(network.id("police")), RejectReason::MailboxFull),
        (PublishError::Unavailable, RejectReason::Unavailable),
        (PublishError::Undecided, RejectReason::Undecided),
    ];
    let envelope = network.seal("tax", &["police"]);
    for (error, expected) in cases {
        stage.broker.fail_next_publish(error);
        let (reason, retry_after_ms) = tax.publish_rejected(&envelope).await;
        assert_eq!(reason, expected);
        assert!(reason.is_retryable() && retry_after_ms > 0);
    }
    // A mailbox that the broker lost is declared again, and the publish made again.
    stage.broker.fail_next_publish(PublishError::Unroutable(network.id("police")));
    tax.publish_confirmed(&envelope).await;
}

#[tokio::test(start_paused = true)]
async fn one_refusing_mailbox_is_told_apart_from_the_others() {
    let network = Network::of(&["tax", "police", "rescue"]);
    let stage = Stage::of(&network, Limits::default()).await;
    let mut tax = stage.log_in(&network, "tax").await;
    stage.broker.fail_next_publish(PublishError::Unavailable);
    tax.publish(&network.seal("tax", &["police", "rescue"])).await;
    let ServerFrame::Reject { reason, recipients, .. } = tax.frame().await else { panic!("no reject") };
    assert_eq!(reason, RejectReason::Unavailable);
    let failed = recipients.iter().filter(|result| result.reason.is_some()).count();
    assert_eq!((recipients.len(), failed), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_login_is_bound_to_the_connection_it_travels_on() {
    let network = Network::of(&["tax"]);
    let stage = Stage::of(&network, Limits::default()).await;
    let ours = ChannelBinding::TlsExporter([1; 32]);
    let cases = [
        (ours, None),
        (ChannelBinding::None, Some(CloseReason::NoChannelBinding)),
        (ChannelBinding::TlsExporter([2; 32]), Some(CloseReason::LoginRefused)),
    ];
    for (theirs, expected) in cases {
        let mut agent = stage.connect_bound(ours);
        let mut parts = agent.login_parts(&network, network.keys("tax")).await;
        parts.fields.binding = theirs;
        agent.authenticate(&parts, network.keys("tax")).await;
        match expected {
            None => assert!(matches!(agent.frame().await, ServerFrame::Welcome(_))),
            expected => assert_eq!(agent.close_reason().await, expected),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_stranger_is_closed_when_the_login_is_due_and_leaves_its_place() {
    let network = Network::of(&["tax"]);
    let stage = Stage::of(&network, Limits::default()).await;
    let mut strangers: Vec<_> = (0..8).map(|_| stage.connect()).collect();
    let began = Instant::now();
    for stranger in &mut strangers {
        stranger.challenge().await;
        assert_eq!(stranger.close_reason().await, Some(CloseReason::LoginTimeout));
    }
    assert_eq!(began.elapsed().as_secs(), 10);
    stage.log_in(&network, "tax").await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_strangers_at_once_and_lets_an_agent_settle() {
    let network = Network::of(&["tax", "police"]);
    let stage = Stage::of(&network, Limits::default()).await;
    let mut stranger = stage.connect();
    stranger.challenge().await;
    let (mut tax, mut police) = (stage.log_in(&network, "tax").await, stage.log_in(&network, "police").await);
    police.subscribe(4).await;
    tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    let (tag, _, _) = police.delivery().await;
    stage.shared.registry.drain();
    assert_eq!(stranger.close_reason().await, Some(CloseReason::Draining));
    assert!(matches!(police.frame().await, ServerFrame::Drain { .. }));
    police.settle(tag, Settlement::Ack).await;
    assert_eq!(police.close_reason().await, Some(CloseReason::Draining));
    assert_eq!(stage.broker.depth().await.unwrap().unsettled, 0);
    assert_eq!(stage.ready().await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_unsettled_delivery_goes_back_when_its_link_breaks() {
    let network = Network::of(&["tax", "police"]);
    let stage = Stage::of(&network, Limits::default()).await;
    let (mut tax, mut police) = (stage.log_in(&network, "tax").await, stage.log_in(&network, "police").await);
    police.subscribe(4).await;
    tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    police.delivery().await;
    assert_eq!(stage.broker.depth().await.unwrap().unsettled, 1);
    drop(police);
    stage.ready_reaches(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_envelope_in_the_wrong_mailbox_is_never_delivered() {
    let network = Network::of(&["tax", "police", "rescue"]);
    let stage = Stage::of(&network, Limits::default()).await;
    let mut police = stage.log_in(&network, "police").await;
    police.subscribe(4).await;
    let put = async |bytes: bytes::Bytes| {
        let envelope = network.seal("tax", &["rescue"]);
        let (id, expires) = (envelope.header().id, envelope.header().expires);
        let (mailbox, sender) = (network.id("police"), network.id("tax"));
        let publication = Publication { mailbox, sender, id, expires, envelope: bytes };
        stage.broker.publish(publication).await.unwrap();
    };
    put(network.seal("tax", &["rescue"]).bytes().clone()).await;
    put(bytes::Bytes::from_static(b"no envelope")).await;
    let good = network.seal("tax", &["police"]);
    put(good.bytes().clone()).await;
    police.take(&good).await;
    let mut dead = stage.broker.dead_letters().await.unwrap();
    let mut reasons = Vec::new();
    for _ in 0..2 {
        reasons.push(dmr_transport::DeadLetters::next(&mut dead).await.unwrap().reason);
    }
    assert_eq!(reasons, [FailureReason::Rejected, FailureReason::Malformed]);
}

#[tokio::test(start_paused = true)]
async fn a_directory_reaches_only_agents_whose_own_is_older() {
    let mut network = Network::of(&["tax", "police"]);
    let stage = Stage::of(&network, Limits::default()).await;
    let mut behind = stage.log_in(&network, "tax").await;
    network.amend(|_| ());
    let mut level = stage.connect();
    let parts = level.login_parts(&network, network.keys("police")).await;
    assert_eq!(parts.fields.directory_revision, network.directory.revision());
    level.log_in_with(&parts, network.keys("police")).await;
    stage.publish.send_replace(network.directory.clone());
    stage.shared.registry.directory_changed();
    let ServerFrame::Directory { revision, .. } = behind.frame().await else { panic!("no directory") };
    assert_eq!(revision, network.directory.revision());
    let quiet = tokio::time::timeout(Duration::from_secs(5), level.receiver.receive()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_was_announced_before_the_link_was_known_reaches_it_at_its_login() {
    let mut network = Network::of(&["tax"]);
    let stage = Stage::of(&network, Limits::default()).await;
    let mut agent = stage.connect();
    let parts = agent.login_parts(&network, network.keys("tax")).await;
    network.amend(|_| ());
    // In use, and this link is never told by itself.
    stage.publish.send_replace(network.directory.clone());
    agent.log_in_with(&parts, network.keys("tax")).await;
    let ServerFrame::Directory { revision, .. } = agent.frame().await else { panic!("no directory") };
    assert_eq!(revision, network.directory.revision());
}
