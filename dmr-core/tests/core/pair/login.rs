//! From the open link to the welcome, and every way not to get there.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, Challenge, ServerFrame};
use dmr_core::id::Nonce;
use dmr_core::limit;
use dmr_core::reason::CloseReason;
use dmr_core::session::{AgentState, ServerState};

use super::harness::{Hold, Pair};
use super::world::{self, name};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A challenge that is all right but for what `change` does to it.
fn challenge(change: impl FnOnce(&mut Challenge)) -> Bytes {
    let mut challenge = Challenge {
        network: name("pair"),
        server: name("relay"),
        version_min: 1,
        version_max: 1,
        max_envelope: 1 << 20,
        nonce: Nonce([9; 32]),
        binds_channel: false,
        directory_revision: 0,
        server_key: None,
    };
    change(&mut challenge);
    let frame = ServerFrame::Challenge { challenge: challenge.encode().unwrap(), signature: Bytes::new() };
    frame.encode().unwrap()
}

/// A pair whose agent waits for a challenge that does not come.
fn unchallenged() -> Pair {
    let mut pair = Pair::new();
    pair.hold(Hold::SignChallenge);
    pair.run();
    assert_eq!(pair.agent.state(), AgentState::AwaitingChallenge);
    pair
}

/// A pair whose server waits for a login that does not come.
fn unanswered() -> Pair {
    let mut pair = Pair::new();
    pair.hold(Hold::Sign);
    pair.run();
    assert_eq!(pair.server_state(), ServerState::AwaitingLogin);
    pair
}

scripts! {
    fn a_login_passes_through_every_state_in_order() {
        let mut pair = Pair::new();
        for hold in [Hold::Dial, Hold::SignChallenge, Hold::Sign, Hold::CheckLogin] {
            pair.hold(hold);
        }
        pair.run();
        assert_eq!(pair.agent.state(), AgentState::Connecting);
        pair.release(Hold::Dial);
        assert_eq!((pair.agent.state(), pair.server_state()), (AgentState::AwaitingChallenge, ServerState::Greeting));
        pair.release(Hold::SignChallenge);
        assert_eq!((pair.agent.state(), pair.server_state()), (AgentState::Signing, ServerState::AwaitingLogin));
        pair.release(Hold::Sign);
        assert_eq!((pair.agent.state(), pair.server_state()), (AgentState::AwaitingWelcome, ServerState::CheckingLogin));
        pair.release(Hold::CheckLogin);
        assert_eq!((pair.agent.state(), pair.server_state()), (AgentState::Ready, ServerState::Ready));
        assert_eq!(pair.told(), ["ready"]);
        assert_eq!(pair.server_told(), ["logged in"]);
        assert_eq!(pair.from_server, ["challenge", "welcome"]);
        assert_eq!(pair.from_agent, ["authenticate", "subscribe"]);
        assert!(pair.agent.is_ready());
        assert_eq!(pair.links[0].session.participant(), Some(world::police()));
    }

    fn a_server_of_another_version_is_left() {
        for (lowest, highest) in [(0, 0), (2, 9), (9, 1)] {
            let mut pair = unchallenged();
            pair.inject_to_agent(challenge(|challenge| {
                (challenge.version_min, challenge.version_max) = (lowest, highest);
            }));
            pair.run();
            assert_eq!(pair.told(), ["down unsupported-version"]);
            assert_eq!(pair.server_told(), ["ended unsupported-version"]);
        }
        let mut pair = unchallenged();
        pair.hold(Hold::Sign);
        pair.inject_to_agent(challenge(|challenge| challenge.version_max = 9));
        pair.run();
        assert_eq!(pair.agent.state(), AgentState::Signing);
    }

    fn a_server_of_another_network_is_left() {
        let mut pair = Pair::new();
        pair.server.network = name("another");
        pair.run();
        assert_eq!(pair.told(), ["down wrong-network"]);
        assert_eq!(pair.from_agent, [""; 0]);
    }

    fn a_server_of_another_name_than_configured_is_left() {
        let mut config = Pair::agent_config(1);
        config.server_names = vec![Some(name("relay-2"))];
        let mut pair = Pair::with(config.clone());
        pair.run();
        assert_eq!(pair.told(), ["down wrong-server"]);
        config.server_names = vec![Some(name("relay"))];
        assert!(Pair::ready_with(config).agent.is_ready());
    }

    fn a_challenge_that_the_driver_refuses_closes_the_link_for_its_reason() {
        let mut pair = Pair::new();
        pair.distrust = Some(CloseReason::NoChannelBinding);
        pair.run();
        assert_eq!(pair.told(), ["down no-channel-binding"]);
        assert_eq!(pair.server_told(), ["ended no-channel-binding"]);
    }

    fn a_login_of_another_version_or_network_is_refused_with_its_reason() {
        for (at, byte, reason) in [(0, b'q', "wrong-network"), (1, 2, "unsupported-version")] {
            let mut pair = unanswered();
            let (fields, proof) = world::login(b"any challenge", 0);
            let mut fields = fields.to_vec();
            // The network's first letter, or the version after network, participant and key.
            fields[if at == 0 { 1 } else { 1 + 4 + 16 + 16 }] = byte;
            pair.inject_to_server(AgentFrame::Authenticate { fields: fields.into(), proof }.encode().unwrap());
            pair.run();
            assert_eq!(pair.server_told(), [format!("ended {reason}")]);
            assert_eq!(pair.from_server, ["challenge", "refused"]);
            assert_eq!(pair.told(), [format!("down {reason}")]);
        }
    }

    fn a_proof_for_another_challenge_is_refused() {
        let mut pair = unanswered();
        let (fields, proof) = world::login(b"another challenge", 0);
        pair.inject_to_server(AgentFrame::Authenticate { fields, proof }.encode().unwrap());
        pair.run();
        assert_eq!(pair.told(), ["down login-refused"]);
        assert_eq!(pair.server_told(), ["ended login-refused"]);
    }

    fn a_refused_agent_waits_long_before_it_comes_back_and_then_gets_in() {
        let mut pair = Pair::new();
        pair.login_verdict = Some(CloseReason::LoginRefused);
        pair.run();
        assert_eq!(pair.told(), ["down login-refused"]);
        pair.login_verdict = None;
        pair.advance(seconds(29));
        assert_eq!(pair.links.len(), 1);
        pair.advance(seconds(31));
        assert_eq!(pair.links.len(), 2);
        assert_eq!(pair.told(), ["ready"]);
    }

    fn an_agent_that_one_server_refuses_tries_the_others_before_it_waits_long() {
        let mut pair = Pair::with(Pair::agent_config(3));
        pair.login_verdict = Some(CloseReason::LoginRefused);
        pair.run();
        pair.advance(seconds(2));
        assert_eq!(pair.told(), ["down login-refused"; 3]);
        pair.advance(seconds(20));
        assert_eq!(pair.told(), [""; 0]);
        pair.advance(seconds(60));
        assert!(pair.links.len() > 3);
    }

    fn a_server_that_refused_is_avoided_for_a_minute_while_another_can_be_had() {
        let mut pair = Pair::with(Pair::agent_config(2));
        pair.login_verdict = Some(CloseReason::LoginRefused);
        pair.run();
        pair.login_verdict = None;
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down login-refused", "ready"]);
        let refused = pair.dialled[0];
        while pair.now.elapsed < seconds(58) {
            pair.cut();
            while pair.agent.state() != AgentState::Ready {
                pair.advance(Duration::from_millis(500));
            }
            pair.advance(seconds(11));
        }
        assert_eq!(pair.dialled.iter().filter(|server| **server == refused).count(), 1);
        pair.cut();
        pair.advance(seconds(30));
        pair.cut();
        pair.advance(seconds(30));
        assert!(pair.dialled.iter().filter(|server| **server == refused).count() > 1);
    }

    fn a_login_that_holds_wipes_out_the_refusals_before_it() {
        let mut pair = Pair::with(Pair::agent_config(2));
        pair.login_verdict = Some(CloseReason::LoginRefused);
        pair.run();
        pair.login_verdict = None;
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down login-refused", "ready"]);
        // The first refusal since: the other server is tried soon, although two servers have refused by now.
        pair.server("close", |server| server.close(CloseReason::CreditExceeded));
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["down credit-exceeded", "ready"]);
    }

    fn a_server_that_cannot_be_reached_is_tried_again_with_backoff() {
        let mut pair = Pair::new();
        pair.unreachable.insert(0);
        pair.advance(seconds(3_600));
        let attempts = pair.told();
        assert!(attempts.iter().all(|line| line == "down connect-failed"));
        // At the cap of 30 s a delay is 15 s on average.
        assert!((150..400).contains(&attempts.len()), "{}", attempts.len());
        pair.unreachable.clear();
        pair.advance(seconds(30));
        assert_eq!(pair.told().last().unwrap(), "ready");
    }

    fn the_other_server_is_tried_when_one_cannot_be_reached() {
        for down in [0, 1] {
            let mut pair = Pair::with(Pair::agent_config(2));
            pair.unreachable.insert(down);
            pair.advance(seconds(1));
            assert_eq!(pair.told().last().unwrap(), "ready");
        }
    }

    fn a_link_that_does_not_open_in_time_is_given_up() {
        let mut pair = Pair::new();
        pair.hold(Hold::Dial);
        pair.advance(Duration::from_millis(14_999));
        assert_eq!(pair.told(), [""; 0]);
        pair.advance(Duration::from_millis(1));
        assert_eq!(pair.told(), ["down connect-failed"]);
        assert_eq!(pair.agent.state(), AgentState::Waiting);
    }

    fn a_login_that_takes_too_long_is_given_up_by_both_sides() {
        for hold in [Hold::SignChallenge, Hold::Sign, Hold::CheckLogin] {
            let mut pair = Pair::new();
            pair.hold(hold);
            pair.advance(Duration::from_millis(9_999));
            assert_eq!((pair.told(), pair.server_told()), (vec![], vec![]));
            pair.advance(Duration::from_millis(1));
            assert_eq!(pair.told(), ["down login-timeout"], "{hold:?}");
            assert_eq!(pair.server_told(), ["ended login-timeout"], "{hold:?}");
        }
    }

    fn a_silent_agent_is_closed_when_the_login_time_is_over() {
        for hold in [Hold::SignChallenge, Hold::Sign] {
            let mut pair = Pair::new();
            pair.hold(hold);
            pair.server.login_timeout = seconds(5);
            pair.advance(seconds(5));
            assert_eq!(pair.server_told(), ["ended login-timeout"]);
            assert_eq!(pair.told(), ["down login-timeout"]);
        }
    }

    fn only_one_login_is_looked_at_for_each_challenge() {
        let mut pair = Pair::new();
        pair.hold(Hold::CheckLogin);
        pair.run();
        let (fields, proof) = world::login(b"a guess", 0);
        pair.inject_to_server(AgentFrame::Authenticate { fields, proof }.encode().unwrap());
        pair.run();
        assert_eq!(pair.server_told(), ["ended protocol-violation"]);
        pair.release(Hold::CheckLogin);
        assert_eq!(pair.server_told(), [""; 0]);
    }

    fn before_the_login_a_server_hears_nothing_else() {
        let frames = [
            (AgentFrame::Heartbeat.encode().unwrap(), "protocol-violation"),
            (AgentFrame::Subscribe { prefetch: 1 }.encode().unwrap(), "protocol-violation"),
            (AgentFrame::Publish { envelope: vec![0; 4_000].into() }.encode().unwrap(), "protocol-violation"),
            (AgentFrame::Publish { envelope: vec![0; limit::LOGIN_FRAME].into() }.encode().unwrap(), "frame-too-large"),
            (Bytes::from_static(b"\xff\xff"), "malformed"),
            (Bytes::new(), "malformed"),
            (AgentFrame::Authenticate { fields: Bytes::new(), proof: Bytes::new() }.encode().unwrap(), "malformed"),
        ];
        for (frame, reason) in frames {
            let mut pair = unanswered();
            pair.inject_to_server(frame);
            pair.run();
            assert_eq!(pair.server_told(), [format!("ended {reason}")]);
            assert_eq!(pair.told(), [format!("down {reason}")]);
        }
        let mut pair = unchallenged();
        pair.inject_to_server(AgentFrame::Heartbeat.encode().unwrap());
        pair.run();
        assert_eq!(pair.server_told(), ["ended protocol-violation"]);
    }

    fn before_the_welcome_an_agent_hears_nothing_else() {
        let deliver = |len: usize| {
            let envelope = vec![0; len].into();
            ServerFrame::Deliver { tag: dmr_core::frame::DeliveryTag(1), attempt: 1, envelope }.encode().unwrap()
        };
        let frames = [
            (ServerFrame::Heartbeat.encode().unwrap(), "protocol-violation"),
            (deliver(4_000), "protocol-violation"),
            (deliver(limit::LOGIN_FRAME), "frame-too-large"),
            (Bytes::from_static(b"\xff\xff"), "malformed"),
            (Bytes::new(), "malformed"),
        ];
        for hold in [Hold::SignChallenge, Hold::Sign, Hold::CheckLogin] {
            for (frame, reason) in &frames {
                let mut pair = Pair::new();
                pair.hold(hold);
                pair.run();
                pair.inject_to_agent(frame.clone());
                pair.run();
                assert_eq!(pair.told(), [format!("down {reason}")], "{hold:?}");
            }
        }
        let mut pair = unchallenged();
        let garbage = ServerFrame::Challenge { challenge: Bytes::from_static(b"?"), signature: Bytes::new() };
        pair.inject_to_agent(garbage.encode().unwrap());
        pair.run();
        assert_eq!(pair.told(), ["down malformed"]);
    }

    fn a_server_that_refuses_before_it_challenges_is_believed() {
        let mut pair = unchallenged();
        pair.inject_to_agent(ServerFrame::Refused { reason: CloseReason::TooManyConnections }.encode().unwrap());
        pair.run();
        assert_eq!(pair.told(), ["down too-many-connections"]);
    }

    fn a_refusal_whose_number_is_no_close_reason_is_not_passed_on() {
        for number in [0, 1_000, 2_999, 4_000, u16::MAX] {
            let mut pair = unchallenged();
            let reason = CloseReason::from_number(number);
            pair.inject_to_agent(ServerFrame::Refused { reason }.encode().unwrap());
            pair.run();
            assert_eq!(pair.told(), ["down protocol-violation"], "{number}");
        }
    }

    fn the_longest_times_in_a_servers_configuration_do_not_overflow() {
        let mut pair = Pair::new();
        pair.advance(seconds(1));
        let server = &mut pair.server;
        (server.login_timeout, server.settle_timeout, server.grace) = (Duration::MAX, Duration::MAX, Duration::MAX);
        pair.cut();
        pair.advance(seconds(1));
        pair.hold(Hold::Handle);
        pair.put(1);
        pair.run();
        let now = pair.now;
        pair.server("drain", |server| server.drain(Duration::MAX, now));
        pair.advance(seconds(1));
        assert_eq!(pair.server_state(), ServerState::Draining);
        pair.release(Hold::Handle);
        assert_eq!(pair.server_state(), ServerState::Ended);
    }

    fn a_welcome_without_credit_or_with_an_absurd_heartbeat_is_refused() {
        for (credit, heartbeat) in [(0, seconds(20)), (64, Duration::from_millis(99)), (64, seconds(601))] {
            let mut pair = Pair::new();
            (pair.server.credit, pair.server.heartbeat) = (credit, heartbeat);
            pair.run();
            assert_eq!(pair.told(), ["down protocol-violation"]);
        }
    }

    fn answers_that_come_too_late_change_nothing() {
        let mut pair = unanswered();
        pair.cut();
        let (now, state) = (pair.now, pair.agent.state());
        pair.agent("late", |agent| agent.challenge_signed(Bytes::new(), Bytes::new(), now));
        pair.agent("late", |agent| agent.challenge_refused(CloseReason::WrongServer, now));
        pair.agent("late", |agent| agent.link_up(now));
        pair.agent("late", |agent| agent.receive(&Bytes::new(), now));
        assert_eq!(pair.agent.state(), state);
        pair.server("late", |server| server.challenge_signed(Bytes::new(), now));
        pair.server("late", |server| server.login_checked(Err(CloseReason::LoginRefused), now));
        pair.server("late", |server| server.receive(&Bytes::new(), now));
        pair.server("late", |server| server.handle_timeout(now));
        pair.server("late", |server| server.link_down(CloseReason::LinkLost));
        assert_eq!(pair.server_state(), ServerState::Ended);
        pair.run();
        assert_eq!(pair.server_told(), ["ended link-lost"]);
    }

    fn an_agent_without_servers_is_stopped_from_the_start() {
        let mut pair = Pair::with(Pair::agent_config(0));
        pair.advance(seconds(60));
        assert_eq!(pair.told(), ["stopped"]);
        assert_eq!(pair.agent.poll_timeout(), None);
    }
}
