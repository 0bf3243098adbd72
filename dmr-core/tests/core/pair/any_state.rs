//! Every input in every state: what has its place leads on, what has none closes the link, and nothing else happens.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, DeliveryTag, ServerFrame, Settlement, Welcome};
use dmr_core::id::{SessionId, StoreId};
use dmr_core::limit;
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_core::session::{AgentSession, AgentState, ServerSession, ServerState};

use super::harness::{Hold, Pair};
use super::world::{message, police, tax_authority};

const AGENT_STATES: [AgentState; 9] = [
    AgentState::Waiting,
    AgentState::Connecting,
    AgentState::AwaitingChallenge,
    AgentState::Signing,
    AgentState::AwaitingWelcome,
    AgentState::Ready,
    AgentState::Draining,
    AgentState::Closing,
    AgentState::Stopped,
];

const SERVER_STATES: [ServerState; 7] = [
    ServerState::Greeting,
    ServerState::AwaitingLogin,
    ServerState::CheckingLogin,
    ServerState::Ready,
    ServerState::Draining,
    ServerState::Closing,
    ServerState::Ended,
];

/// A pair whose agent stands in `state`; message 1 is unconfirmed once there was a link.
fn agent_in(state: AgentState) -> Pair {
    let mut pair = Pair::new();
    match state {
        AgentState::Waiting => drop(pair.unreachable.insert(0)),
        AgentState::Connecting => pair.hold(Hold::Dial),
        AgentState::AwaitingChallenge => pair.hold(Hold::SignChallenge),
        AgentState::Signing => pair.hold(Hold::Sign),
        AgentState::AwaitingWelcome => pair.hold(Hold::CheckLogin),
        _ => {}
    }
    pair.hold(Hold::Publish);
    pair.publish(1).unwrap();
    pair.run();
    let now = pair.now;
    match state {
        AgentState::Draining => {
            pair.server("drain", |server| server.drain(Duration::ZERO, now));
            pair.run();
        }
        AgentState::Closing => pair.agent("reconnect", |agent| agent.reconnect(CloseReason::DirectoryChanged, now)),
        AgentState::Stopped => {
            pair.agent("shutdown", |agent| agent.shutdown(now));
            pair.advance(Duration::from_secs(5));
        }
        _ => {}
    }
    assert_eq!(pair.agent.state(), state);
    pair
}

/// A pair whose server session stands in `state`.
fn server_in(state: ServerState) -> Pair {
    let mut pair = match state {
        ServerState::Greeting => agent_in(AgentState::AwaitingChallenge),
        ServerState::AwaitingLogin => agent_in(AgentState::Signing),
        ServerState::CheckingLogin => agent_in(AgentState::AwaitingWelcome),
        ServerState::Draining => agent_in(AgentState::Draining),
        _ => agent_in(AgentState::Ready),
    };
    if matches!(state, ServerState::Closing | ServerState::Ended) {
        pair.server("close", |server| server.close(CloseReason::Unavailable));
    }
    if state == ServerState::Ended {
        pair.cut();
    }
    assert_eq!(pair.server_state(), state);
    pair
}

/// Each frame of a server, as one that has no place, whose content breaks a rule, or that always has its place.
fn server_frames() -> Vec<(&'static str, Bytes)> {
    let id = message(77);
    let welcome = Welcome {
        session: SessionId::from_bytes([9; 16]).unwrap(),
        store: StoreId::from_bytes([9; 16]).unwrap(),
        credit: 0,
        heartbeat_ms: 1_000,
        max_envelope: 1,
    };
    let reject = |reason| ServerFrame::Reject { id, reason, retry_after_ms: 0, recipients: vec![] };
    let part = |offset, len: usize| ServerFrame::Directory { revision: 1, total: 9, offset, part: vec![0; len].into() };
    let deliver = |envelope: Bytes| ServerFrame::Deliver { tag: DeliveryTag(1), attempt: 1, envelope };
    let frames = [
        ServerFrame::Challenge { challenge: Bytes::from_static(b"?"), signature: Bytes::new() },
        ServerFrame::Welcome(welcome),
        ServerFrame::Refused { reason: CloseReason::LoginRefused },
        ServerFrame::Confirm { ids: vec![id] },
        ServerFrame::Confirm { ids: vec![] },
        reject(RejectReason::Expired),
        reject(RejectReason::Draining),
        deliver(Bytes::from_static(b"any")),
        part(0, 5),
        part(4, 5),
        ServerFrame::Notice { id, reason: FailureReason::Expired },
        ServerFrame::Drain { retry_after_ms: u32::MAX },
        ServerFrame::Heartbeat,
    ];
    let frames = frames.into_iter().map(|frame| (frame.name(), frame.encode().unwrap()));
    let broken = [("garbage", Bytes::from_static(&[0xff])), ("garbage", vec![5; limit::FRAME + 1].into())];
    frames.chain(broken).collect()
}

fn agent_frames() -> Vec<(&'static str, Bytes)> {
    let settle = |settlement| AgentFrame::Settle { tag: DeliveryTag(77), settlement };
    let frames = [
        AgentFrame::Authenticate { fields: Bytes::from_static(b"?"), proof: Bytes::new() },
        AgentFrame::Subscribe { prefetch: 0 },
        AgentFrame::Publish { envelope: Bytes::from_static(b"?") },
        settle(Settlement::Ack),
        settle(Settlement::Retry { after_ms: u32::MAX }),
        settle(Settlement::Reject { reason: FailureReason::Refused }),
        AgentFrame::FetchDirectory { revision: u64::MAX },
        AgentFrame::Heartbeat,
    ];
    let frames = frames.into_iter().map(|frame| (frame.name(), frame.encode().unwrap()));
    let broken = [("garbage", Bytes::from_static(&[0xff])), ("garbage", vec![2; limit::FRAME + 1].into())];
    frames.chain(broken).collect()
}

scripts! {
    fn a_server_frame_without_a_place_closes_the_link_and_one_with_a_place_does_not() {
        for state in AGENT_STATES {
            for (position, (name, frame)) in server_frames().into_iter().enumerate() {
                let mut pair = agent_in(state);
                let now = pair.now;
                pair.agent(name, |agent| agent.receive(&frame, now));
                let expected = match state {
                    AgentState::Waiting | AgentState::Connecting | AgentState::Closing | AgentState::Stopped => state,
                    AgentState::Ready | AgentState::Draining => match (name, position) {
                        ("drain", _) => AgentState::Draining,
                        ("heartbeat" | "notice" | "deliver", _) | ("confirm", 4) | ("directory", 8) => state,
                        _ => AgentState::Closing,
                    },
                    _ => AgentState::Closing,
                };
                assert_eq!(pair.agent.state(), expected, "{name} ({position}) in {state:?}");
            }
        }
    }

    fn an_agent_frame_without_a_place_closes_the_link_and_one_with_a_place_does_not() {
        for state in SERVER_STATES {
            for (name, frame) in agent_frames() {
                let mut pair = server_in(state);
                let now = pair.now;
                pair.server(name, |server| server.receive(&frame, now));
                let expected = match state {
                    ServerState::Closing | ServerState::Ended => state,
                    ServerState::Ready | ServerState::Draining if matches!(name, "fetch-directory" | "heartbeat") => state,
                    _ => ServerState::Closing,
                };
                assert_eq!(pair.server_state(), expected, "{name} in {state:?}");
            }
        }
    }

    fn a_link_that_is_lost_in_any_state_is_lost_once() {
        for state in AGENT_STATES {
            let mut pair = agent_in(state);
            pair.cut();
            let expected = if state == AgentState::Stopped { state } else { AgentState::Waiting };
            assert_eq!(pair.agent.state(), expected, "{state:?}");
            pair.cut();
            pair.run();
            let lost = pair.told().iter().filter(|line| line.starts_with("down")).count();
            assert_eq!(lost, usize::from(state != AgentState::Stopped), "{state:?}");
        }
        for state in SERVER_STATES {
            let mut pair = server_in(state);
            pair.cut_for_server(0);
            pair.cut_for_server(0);
            assert_eq!(pair.server_state(), ServerState::Ended);
            pair.run();
            assert_eq!(pair.server_told().iter().filter(|line| line.starts_with("ended")).count(), 1, "{state:?}");
        }
    }

    fn a_reconnect_closes_any_link_there_is() {
        for state in AGENT_STATES {
            let mut pair = agent_in(state);
            let now = pair.now;
            pair.agent("reconnect", |agent| agent.reconnect(CloseReason::DirectoryChanged, now));
            let no_link = matches!(state, AgentState::Waiting | AgentState::Connecting | AgentState::Stopped);
            assert_eq!(pair.agent.state(), if no_link { state } else { AgentState::Closing });
        }
    }

    fn a_shutdown_ends_every_state_within_its_grace() {
        for state in AGENT_STATES {
            for writes in [true, false] {
                let mut pair = agent_in(state);
                let now = pair.now;
                pair.agent_writes = writes;
                pair.agent("shutdown", |agent| agent.shutdown(now));
                pair.advance(Duration::from_secs(10));
                assert_eq!(pair.agent.state(), AgentState::Stopped, "{state:?}");
                assert_eq!(pair.told().iter().filter(|line| *line == "stopped").count(), 1, "{state:?}");
            }
        }
    }

    fn a_shutdown_whose_link_is_lost_before_the_close_stops_all_the_same() {
        let mut pair = agent_in(AgentState::Closing);
        let now = pair.now;
        pair.agent("shutdown", |agent| agent.shutdown(now));
        pair.cut();
        assert_eq!(pair.agent.state(), AgentState::Stopped);
    }

    fn a_server_session_can_be_ended_in_any_state_for_any_reason() {
        for state in SERVER_STATES {
            for name in ["close", "superseded"] {
                let mut pair = server_in(state);
                pair.server(name, |server| match name {
                    "close" => server.close(CloseReason::Unavailable),
                    _ => server.supersede(),
                });
                let expected = if state == ServerState::Ended { state } else { ServerState::Closing };
                assert_eq!(pair.server_state(), expected, "{name} in {state:?}");
            }
            let mut pair = server_in(state);
            let now = pair.now;
            pair.server("drain", |server| server.drain(Duration::MAX, now));
            let expected = match state {
                ServerState::Ready | ServerState::Draining => ServerState::Draining,
                ServerState::Ended => state,
                _ => ServerState::Closing,
            };
            assert_eq!(pair.server_state(), expected, "drain in {state:?}");
        }
    }

    fn answers_in_the_wrong_state_are_ignored() {
        for state in AGENT_STATES {
            let mut pair = agent_in(state);
            let now = pair.now;
            if state != AgentState::Connecting {
                pair.agent("link up", |agent| agent.link_up(now));
            }
            if state != AgentState::Signing {
                pair.agent("challenge signed", |agent| agent.challenge_signed(Bytes::new(), Bytes::new(), now));
                pair.agent("challenge refused", |agent| agent.challenge_refused(CloseReason::WrongServer, now));
            }
            pair.agent("receipted", |agent| agent.receipted(message(77)));
            pair.agent("fetch", |agent| agent.fetch_directory(now));
            assert!(!pair.agent.withdraw(message(77)));
            assert_eq!(pair.agent.state(), state);
        }
        for state in SERVER_STATES {
            let mut pair = server_in(state);
            let now = pair.now;
            if state != ServerState::Greeting {
                pair.server("challenge signed", |server| server.challenge_signed(Bytes::new(), now));
            }
            if state != ServerState::CheckingLogin {
                pair.server("login refused", |server| server.login_checked(Err(CloseReason::LoginRefused), now));
            }
            pair.server("subscribed", ServerSession::subscribed);
            pair.server("notice", |server| server.notice(message(1), FailureReason::Expired));
            pair.server("directory", |server| server.directory_changed(9, Bytes::from_static(b"d")));
            if !matches!(state, ServerState::Ready) {
                let envelope = super::world::envelope(5, tax_authority(), &[police()], 10, now);
                pair.server("deliver", |server| server.deliver(1, 1, envelope, now));
            }
            assert_eq!(pair.server_state(), state);
        }
    }

    fn nothing_is_asked_for_and_nothing_sent_by_a_session_that_is_over() {
        let mut pair = agent_in(AgentState::Stopped);
        pair.told();
        pair.server_told();
        pair.advance(Duration::from_secs(10_000));
        assert_eq!((pair.told(), pair.server_told()), (vec![], vec![]));
        assert_eq!(pair.agent("transmit", AgentSession::poll_transmit), None);
        assert!(!pair.agent.wants_transmit());
        let mut pair = server_in(ServerState::Ended);
        assert_eq!(pair.server("transmit", ServerSession::poll_transmit), None);
        assert!(!pair.links[0].session.wants_transmit());
        assert_eq!(pair.links[0].session.poll_timeout(), None);
    }
}
