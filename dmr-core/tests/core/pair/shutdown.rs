//! The program asks the agent session to finish.

use std::time::Duration;

use dmr_core::session::{AgentPublishError, AgentState};

use super::harness::{Hold, Pair};
use super::world::{message, tax_authority};

fn shutdown(pair: &mut Pair) {
    let now = pair.now;
    pair.agent("shutdown", |agent| agent.shutdown(now));
}

scripts! {
    fn an_idle_agent_closes_and_is_stopped() {
        let mut pair = Pair::ready();
        shutdown(&mut pair);
        pair.run();
        assert_eq!(pair.told(), ["stopped"]);
        assert_eq!(pair.server_told(), ["ended shutdown"]);
        assert_eq!(pair.agent.poll_timeout(), None);
        pair.advance(Duration::from_secs(3_600));
        assert_eq!((pair.told().len(), pair.links.len()), (0, 1));
    }

    fn an_agent_that_is_not_logged_in_stops_from_every_state() {
        for hold in [Hold::Dial, Hold::SignChallenge, Hold::Sign, Hold::CheckLogin] {
            let mut pair = Pair::new();
            pair.hold(hold);
            pair.run();
            shutdown(&mut pair);
            pair.run();
            assert_eq!(pair.told(), ["stopped"], "{hold:?}");
            assert_eq!(pair.agent.state(), AgentState::Stopped);
        }
        let mut pair = Pair::new();
        pair.unreachable.insert(0);
        pair.run();
        assert_eq!(pair.agent.state(), AgentState::Waiting);
        shutdown(&mut pair);
        pair.run();
        assert_eq!(pair.told(), ["down connect-failed", "stopped"]);
    }

    fn what_was_published_is_sent_and_confirmed_first() {
        let mut pair = Pair::ready();
        for number in 1..=3 {
            pair.publish(number).unwrap();
        }
        shutdown(&mut pair);
        assert_eq!(pair.agent.state(), AgentState::Draining);
        assert_eq!(pair.publish(4), Err(AgentPublishError::Stopped));
        pair.run();
        assert_eq!(pair.told(), ["confirmed 1", "confirmed 2", "confirmed 3", "stopped"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 2, 3]);
        assert_eq!(pair.publish(4), Err(AgentPublishError::Stopped));
    }

    fn what_is_withdrawn_is_not_waited_for() {
        let mut pair = Pair::ready();
        pair.publish(1).unwrap();
        assert!(pair.agent.withdraw(message(1)));
        pair.live.remove(&1);
        shutdown(&mut pair);
        pair.run();
        assert_eq!(pair.told(), ["stopped"]);
    }

    fn an_unsettled_delivery_is_waited_for() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Handle);
        pair.put(1);
        pair.run();
        shutdown(&mut pair);
        pair.run();
        assert_eq!(pair.agent.state(), AgentState::Draining);
        pair.release(Hold::Handle);
        assert_eq!(pair.told(), ["delivered 1 attempt 1", "stopped"]);
        assert_eq!(pair.broker.acknowledged, [1]);
    }

    fn the_grace_period_bounds_the_wait() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        shutdown(&mut pair);
        pair.advance(Duration::from_millis(4_999));
        assert_eq!(pair.told(), [""; 0]);
        pair.advance(Duration::from_millis(1));
        assert_eq!(pair.told(), ["stopped"]);
        assert_eq!(pair.server_told(), ["ended shutdown"]);
    }

    fn a_lost_link_ends_a_shutdown() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        shutdown(&mut pair);
        pair.cut();
        pair.run();
        assert_eq!(pair.told(), ["stopped"]);
    }

    fn a_shutdown_during_a_drain_or_a_close_stops_after_it() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        let now = pair.now;
        pair.server("drain", |server| server.drain(Duration::ZERO, now));
        pair.run();
        shutdown(&mut pair);
        assert_eq!(pair.agent.state(), AgentState::Draining);
        pair.release(Hold::Publish);
        assert_eq!(pair.told(), ["confirmed 1", "stopped"]);
        let mut pair = Pair::ready();
        let now = pair.now;
        pair.agent("reconnect", |agent| agent.reconnect(dmr_core::reason::CloseReason::DirectoryChanged, now));
        shutdown(&mut pair);
        pair.run();
        assert_eq!(pair.told(), ["stopped"]);
    }

    fn a_shutdown_during_a_drain_publishes_nothing_that_would_be_refused() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        let now = pair.now;
        pair.server("drain", |server| server.drain(Duration::ZERO, now));
        pair.run();
        pair.publish(2).unwrap();
        shutdown(&mut pair);
        pair.run();
        assert_eq!(pair.from_agent.iter().filter(|name| **name == "publish").count(), 1);
        assert_eq!(pair.agent.state(), AgentState::Draining);
        pair.release(Hold::Publish);
        assert_eq!(pair.told(), ["confirmed 1", "stopped"]);
    }

    fn a_stopped_agent_hears_nothing() {
        let mut pair = Pair::ready();
        shutdown(&mut pair);
        pair.run();
        let now = pair.now;
        pair.agent("late", |agent| agent.link_up(now));
        pair.agent("late", |agent| agent.receive(&bytes::Bytes::new(), now));
        pair.agent("late", |agent| agent.link_down(dmr_core::reason::CloseReason::LinkLost, now));
        pair.agent("late", |agent| agent.handle_timeout(now));
        shutdown(&mut pair);
        pair.run();
        assert_eq!(pair.agent.state(), AgentState::Stopped);
        assert_eq!(pair.told(), ["stopped"]);
    }
}
