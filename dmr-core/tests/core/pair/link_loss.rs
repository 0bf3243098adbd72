//! The link breaks, in every state, with everything in flight.

use std::time::Duration;

use dmr_core::reason::CloseReason;
use dmr_core::session::{AgentState, ServerState};

use super::harness::{Hold, Pair};
use super::world::tax_authority;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn publishes(pair: &Pair) -> usize {
    pair.from_agent.iter().filter(|name| **name == "publish").count()
}

scripts! {
    fn an_agent_that_loses_its_link_in_any_state_comes_back_and_loses_no_message() {
        use AgentState::{AwaitingChallenge, AwaitingWelcome, Closing, Connecting, Draining, Ready, Signing};
        for state in [Connecting, AwaitingChallenge, Signing, AwaitingWelcome, Ready, Draining, Closing] {
            let mut pair = Pair::new();
            pair.publish(1).unwrap();
            if matches!(state, Draining | Closing) {
                pair.hold(Hold::Publish);
                pair.run();
                let now = pair.now;
                pair.server("drain", |server| server.drain(Duration::ZERO, now));
                if state == Closing {
                    pair.agent("reconnect", |agent| agent.reconnect(CloseReason::DirectoryChanged, now));
                }
            }
            pair.run_to(state);
            pair.cut();
            assert_eq!(pair.agent.state(), AgentState::Waiting, "lost in {state:?}");
            pair.release(Hold::Publish);
            pair.advance(seconds(1));
            assert_eq!(pair.agent.state(), Ready, "lost in {state:?}");
            let reason = if state == Closing { "directory-changed" } else { "link-lost" };
            assert_eq!(pair.told().iter().filter(|line| line.starts_with("down")).collect::<Vec<_>>(), [&format!("down {reason}")]);
            assert!(pair.broker.waiting(tax_authority()).contains(&1), "lost in {state:?}");
            assert_eq!(pair.agent.outbox().unconfirmed, 0);
        }
    }

    fn a_server_session_ends_with_its_link_in_any_state() {
        use ServerState::{AwaitingLogin, CheckingLogin, Closing, Draining, Ended, Greeting, Ready};
        for state in [Greeting, AwaitingLogin, CheckingLogin, Ready, Draining, Closing] {
            let mut pair = Pair::new();
            pair.hold(Hold::Publish);
            pair.publish(1).unwrap();
            while pair.links.is_empty() || pair.server_state() != state {
                if !pair.step() {
                    let now = pair.now;
                    match state {
                        Draining => pair.server("drain", |server| server.drain(seconds(1), now)),
                        _ => pair.server("close", |server| server.close(CloseReason::Unavailable)),
                    }
                }
            }
            pair.cut();
            assert_eq!(pair.server_state(), Ended, "lost in {state:?}");
            let reason = if state == Closing { "unavailable" } else { "link-lost" };
            pair.run();
            assert_eq!(pair.server_told().last().unwrap(), &format!("ended {reason}"));
        }
    }

    fn a_publish_lost_on_the_way_is_published_again() {
        let mut pair = Pair::ready();
        pair.server_hears = false;
        pair.publish(1).unwrap();
        pair.run();
        pair.server_hears = true;
        pair.cut();
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down link-lost", "ready", "confirmed 1"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [1]);
    }

    fn a_lost_confirm_leads_to_a_second_copy_and_one_confirm() {
        let mut pair = Pair::ready();
        pair.server_writes = false;
        pair.publish(1).unwrap();
        pair.run();
        assert_eq!(pair.broker.waiting(tax_authority()), [1]);
        pair.server_writes = true;
        pair.cut();
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down link-lost", "ready", "confirmed 1"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 1]);
    }

    fn the_brokers_word_for_a_lost_link_goes_to_nobody() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        pair.cut();
        pair.release(Hold::Publish);
        assert_eq!(pair.links[0].session.unconfirmed(), 0);
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down link-lost", "ready", "confirmed 1"]);
    }

    fn unconfirmed_messages_go_out_again_in_the_order_of_publishing() {
        let mut pair = Pair::ready();
        pair.hold(Hold::CheckEnvelope);
        for number in 1..=5 {
            pair.publish(number).unwrap();
        }
        pair.run();
        pair.cut();
        pair.publish(6).unwrap();
        pair.release(Hold::CheckEnvelope);
        pair.advance(seconds(1));
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 2, 3, 4, 5, 6]);
    }

    fn a_store_that_forgot_is_told_again_what_it_confirmed() {
        let mut pair = Pair::ready();
        for number in 1..=3 {
            pair.publish(number).unwrap();
        }
        pair.run();
        pair.receipt(2);
        pair.told();
        pair.broker.restart();
        pair.cut();
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down link-lost", "ready", "confirmed 1", "confirmed 3"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 3]);
    }

    fn a_store_that_remembers_is_not_told_again() {
        let mut pair = Pair::ready();
        pair.publish(1).unwrap();
        pair.run();
        pair.cut();
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["confirmed 1", "down link-lost", "ready"]);
        assert_eq!(publishes(&pair), 1);
    }

    fn a_link_that_was_good_begins_the_backoff_anew_and_a_flapping_one_does_not() {
        let mut pair = Pair::ready();
        for _ in 0..12 {
            pair.cut();
            pair.run_to(AgentState::Waiting);
            while pair.agent.state() != AgentState::Ready {
                pair.advance(Duration::from_millis(50));
            }
        }
        let flapped_for = pair.now.elapsed;
        assert!(flapped_for > seconds(10), "{flapped_for:?}");
        pair.advance(seconds(10));
        pair.cut();
        pair.advance(Duration::from_millis(250));
        assert_eq!(pair.agent.state(), AgentState::Ready);
    }

    fn a_reconnect_closes_the_link_for_its_reason_and_opens_another() {
        let mut pair = Pair::ready();
        let now = pair.now;
        pair.agent("reconnect", |agent| agent.reconnect(CloseReason::DirectoryChanged, now));
        pair.run();
        assert_eq!(pair.server_told(), ["ended directory-changed"]);
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down directory-changed", "ready"]);
        pair.cut();
        pair.agent("reconnect", |agent| agent.reconnect(CloseReason::DirectoryChanged, now));
        assert_eq!(pair.agent.state(), AgentState::Waiting);
    }

    fn a_close_that_the_link_does_not_take_is_not_waited_for() {
        let mut pair = Pair::ready();
        pair.agent_writes = false;
        let now = pair.now;
        pair.agent("reconnect", |agent| agent.reconnect(CloseReason::DirectoryChanged, now));
        pair.advance(seconds(5));
        assert_eq!(pair.told(), ["down directory-changed"]);
        pair.agent_writes = true;
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["ready"]);
    }
}
