//! A server goes away in good order.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::{DeliveryTag, ServerFrame};
use dmr_core::reason::{CloseReason, RejectReason};
use dmr_core::session::{AgentState, Refusal, ServerState};

use super::harness::{Hold, Pair};
use super::world::tax_authority;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn drain(pair: &mut Pair, retry_after: Duration) {
    let now = pair.now;
    pair.server("drain", |server| server.drain(retry_after, now));
}

scripts! {
    fn an_idle_link_is_drained_at_once() {
        let mut pair = Pair::ready();
        drain(&mut pair, seconds(30));
        assert_eq!(pair.server_state(), ServerState::Closing);
        pair.run();
        assert_eq!(pair.told(), ["down draining"]);
        assert_eq!(pair.server_told(), ["ended draining"]);
        assert_eq!(pair.from_server, ["drain"]);
    }

    fn a_drained_agent_goes_to_the_other_server_and_stays_away() {
        let mut pair = Pair::ready_with(Pair::agent_config(2));
        drain(&mut pair, seconds(60));
        pair.run();
        let avoided = pair.dialled.last().copied();
        for _ in 0..5 {
            pair.advance(seconds(5));
            assert_ne!(pair.dialled.last().copied(), avoided);
            pair.cut();
        }
        pair.advance(seconds(60));
        pair.cut();
        pair.advance(seconds(30));
        assert!(pair.dialled.iter().filter(|server| Some(**server) == avoided).count() > 1);
    }

    fn an_agent_with_one_server_comes_back_to_it() {
        let mut pair = Pair::ready();
        drain(&mut pair, seconds(3_600));
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down draining", "ready"]);
    }

    fn what_is_in_flight_is_finished_first_and_what_is_new_waits_for_the_next_link() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        drain(&mut pair, Duration::ZERO);
        pair.run();
        assert_eq!((pair.agent.state(), pair.server_state()), (AgentState::Draining, ServerState::Draining));
        pair.publish(2).unwrap();
        pair.run();
        assert!(!pair.agent.wants_transmit());
        pair.release(Hold::Publish);
        assert_eq!(pair.told(), ["confirmed 1", "down draining"]);
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["ready", "confirmed 2"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 2]);
    }

    fn a_publish_that_crosses_the_drain_is_sent_again_on_the_next_link() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Handle);
        pair.put(7);
        pair.run();
        pair.agent_hears = false;
        drain(&mut pair, Duration::ZERO);
        pair.server("transmit", |server| server.poll_transmit()).unwrap();
        pair.agent_hears = true;
        pair.publish(1).unwrap();
        pair.run();
        assert_eq!(pair.agent.state(), AgentState::Draining);
        assert_eq!(pair.from_server.last(), Some(&"reject"));
        pair.release(Hold::Handle);
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["delivered 7 attempt 1", "down draining", "ready", "confirmed 1"]);
    }

    fn an_unsettled_delivery_is_waited_for() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Handle);
        pair.put(1);
        pair.run();
        drain(&mut pair, Duration::ZERO);
        pair.put(2);
        pair.run();
        assert_eq!(pair.links[0].session.demand(), 0);
        assert_eq!(pair.server_state(), ServerState::Draining);
        pair.release(Hold::Handle);
        assert_eq!(pair.broker.acknowledged, [1]);
        pair.advance(seconds(1));
        assert_eq!(pair.broker.acknowledged, [1, 2]);
        assert_eq!(
            pair.told(),
            ["delivered 1 attempt 1", "down draining", "ready", "delivered 2 attempt 1"]
        );
    }

    fn an_agent_waits_no_longer_than_its_grace_period() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Handle);
        pair.put(1);
        pair.run();
        drain(&mut pair, Duration::ZERO);
        pair.advance(Duration::from_millis(4_999));
        assert_eq!(pair.agent.state(), AgentState::Draining);
        pair.advance(Duration::from_millis(1));
        assert_eq!(pair.told(), ["delivered 1 attempt 1", "down draining"]);
        assert_eq!(pair.broker.waiting(super::world::police()), [1]);
    }

    fn a_server_waits_no_longer_than_its_grace_period() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Handle);
        pair.put(1);
        pair.run();
        pair.agent_hears = false;
        drain(&mut pair, Duration::ZERO);
        pair.advance(Duration::from_millis(9_999));
        assert_eq!(pair.server_state(), ServerState::Draining);
        pair.advance(Duration::from_millis(1));
        assert_eq!(pair.server_told(), ["ended draining"]);
    }

    fn a_second_drain_changes_nothing() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        drain(&mut pair, Duration::ZERO);
        pair.run();
        pair.forget_frames();
        drain(&mut pair, Duration::ZERO);
        pair.run();
        assert_eq!(pair.from_server, [""; 0]);
        assert_eq!(pair.server_state(), ServerState::Draining);
        let frame = ServerFrame::Drain { retry_after_ms: 1 };
        pair.inject_to_agent(frame.encode().unwrap());
        pair.run();
        assert_eq!(pair.agent.state(), AgentState::Draining);
    }

    fn a_link_that_has_not_logged_in_is_closed_at_once() {
        for hold in [Hold::SignChallenge, Hold::Sign, Hold::CheckLogin] {
            let mut pair = Pair::new();
            pair.hold(hold);
            pair.run();
            drain(&mut pair, Duration::ZERO);
            pair.run();
            assert_eq!(pair.told(), ["down draining"], "{hold:?}");
            assert_eq!(pair.server_told(), ["ended draining"]);
        }
    }

    fn a_draining_link_can_still_be_closed() {
        for (close, reason) in [(CloseReason::Unavailable, "unavailable"), (CloseReason::DirectoryChanged, "directory-changed")] {
            let mut pair = Pair::ready();
            pair.hold(Hold::Publish);
            pair.publish(1).unwrap();
            pair.run();
            drain(&mut pair, Duration::ZERO);
            pair.run();
            pair.server("close", |server| server.close(close));
            pair.run();
            assert_eq!(pair.told(), [format!("down {reason}")]);
        }
    }

    fn a_refusal_is_an_answer_too_and_ends_the_drain() {
        let mut pair = Pair::ready();
        pair.hold(Hold::CheckEnvelope);
        pair.publish(1).unwrap();
        pair.run();
        drain(&mut pair, Duration::ZERO);
        pair.run();
        let reason = RejectReason::PolicyRefused;
        pair.refusal = Some(Refusal { reason, retry_after: Duration::ZERO });
        pair.release(Hold::CheckEnvelope);
        assert_eq!(pair.told(), ["rejected 1 policy-refused", "down draining"]);
    }

    fn the_credit_holds_during_a_drain() {
        let mut config = Pair::agent_config(1);
        config.prefetch = Some(1);
        let mut pair = Pair::ready_with(config);
        pair.hold(Hold::Handle);
        pair.put(1);
        pair.run();
        drain(&mut pair, Duration::ZERO);
        pair.run();
        let envelope = Bytes::from_static(b"any");
        let frame = ServerFrame::Deliver { tag: DeliveryTag(2), attempt: 1, envelope };
        pair.inject_to_agent(frame.encode().unwrap());
        pair.run();
        assert_eq!(pair.told(), ["delivered 1 attempt 1", "down credit-exceeded"]);
    }
}
