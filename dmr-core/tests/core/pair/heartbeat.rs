//! Silence, told apart from quiet.

use std::time::Duration;

use dmr_core::session::{AgentState, ServerState};

use super::harness::Pair;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn beats(names: &[&str]) -> usize {
    names.iter().filter(|name| **name == "heartbeat").count()
}

scripts! {
    fn an_idle_link_lives_on_heartbeats_alone() {
        let mut pair = Pair::ready();
        pair.advance(seconds(3_600));
        assert_eq!((pair.agent.state(), pair.server_state()), (AgentState::Ready, ServerState::Ready));
        // At least one each period of 20 s, at most one each half period.
        for beats in [beats(&pair.from_agent), beats(&pair.from_server)] {
            assert!((180..=360).contains(&beats), "{beats}");
        }
        assert_eq!((pair.told(), pair.server_told()), (vec![], vec![]));
    }

    fn an_agent_that_hears_nothing_for_two_periods_closes_the_link() {
        let mut pair = Pair::ready();
        pair.agent_hears = false;
        pair.advance(seconds(39));
        assert_eq!(pair.agent.state(), AgentState::Ready);
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down heartbeat-missed"]);
        assert_eq!(pair.server_told(), ["ended heartbeat-missed"]);
    }

    fn a_server_that_hears_nothing_for_two_periods_closes_the_link() {
        let mut pair = Pair::ready();
        pair.server_hears = false;
        pair.advance(seconds(39));
        assert_eq!(pair.server_state(), ServerState::Ready);
        pair.advance(seconds(1));
        assert_eq!(pair.server_told(), ["ended heartbeat-missed"]);
        assert_eq!(pair.told(), ["down heartbeat-missed"]);
    }

    fn a_link_that_is_dead_both_ways_is_noticed_by_both_sides() {
        let mut pair = Pair::ready();
        (pair.agent_hears, pair.server_hears) = (false, false);
        pair.advance(seconds(40));
        assert_eq!(pair.server_told(), ["ended heartbeat-missed"]);
        assert_eq!(pair.told(), ["down heartbeat-missed"]);
        (pair.agent_hears, pair.server_hears) = (true, true);
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["ready"]);
    }

    fn the_server_says_how_often_both_sides_speak() {
        let mut pair = Pair::new();
        pair.server.heartbeat = seconds(2);
        pair.run();
        pair.told();
        pair.agent_hears = false;
        pair.advance(seconds(4));
        assert_eq!(pair.told(), ["down heartbeat-missed"]);
    }

    fn frames_take_the_place_of_heartbeats() {
        let mut pair = Pair::ready();
        for number in 0..60 {
            pair.publish(number).unwrap();
            pair.advance(seconds(5));
        }
        assert_eq!((beats(&pair.from_agent), beats(&pair.from_server)), (0, 0));
    }

    fn a_draining_link_beats_on() {
        let mut pair = Pair::new();
        (pair.server.heartbeat, pair.server.grace) = (seconds(2), seconds(60));
        pair.hold(super::harness::Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        let now = pair.now;
        pair.server("drain", |server| server.drain(Duration::ZERO, now));
        pair.advance(Duration::from_millis(4_900));
        assert_eq!((pair.agent.state(), pair.server_state()), (AgentState::Draining, ServerState::Draining));
        assert!(beats(&pair.from_agent) > 0 && beats(&pair.from_server) > 0);
        pair.server_hears = false;
        pair.agent_hears = false;
        pair.advance(seconds(4));
        assert_eq!(pair.server_told(), ["logged in", "ended heartbeat-missed"]);
    }
}
