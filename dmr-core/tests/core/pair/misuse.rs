//! Frames that the other side must not send: garbage, too long, or at the wrong time.

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, ServerFrame, Welcome};
use dmr_core::id::{SessionId, StoreId};
use dmr_core::limit;
use dmr_core::reason::CloseReason;
use dmr_core::session::{AgentState, ServerState};

use super::harness::{Hold, Pair};
use super::world::{self, police, tax_authority};

scripts! {
    fn garbage_and_frames_too_long_close_the_link_on_either_side() {
        let garbage = [
            (Bytes::new(), "malformed"),
            (Bytes::from_static(&[0xff; 40]), "malformed"),
            (AgentFrame::Heartbeat.encode().unwrap().iter().chain(&[0]).copied().collect(), "malformed"),
            (vec![2; limit::FRAME + 1].into(), "frame-too-large"),
        ];
        for (frame, reason) in garbage {
            let mut pair = Pair::ready();
            pair.inject_to_server(frame.clone());
            pair.run();
            assert_eq!(pair.server_told(), [format!("ended {reason}")]);
            assert_eq!(pair.told(), [format!("down {reason}")]);
            let mut pair = Pair::ready();
            pair.inject_to_agent(frame);
            pair.run();
            assert_eq!(pair.told(), [format!("down {reason}")]);
            assert_eq!(pair.server_told(), [format!("ended {reason}")]);
        }
    }

    fn an_envelope_that_is_none_closes_the_link() {
        let mut pair = Pair::ready();
        pair.inject_to_server(AgentFrame::Publish { envelope: Bytes::from_static(b"DMR1 but no more") }.encode().unwrap());
        pair.run();
        assert_eq!(pair.server_told(), ["ended malformed"]);
        let mut pair = Pair::ready();
        let envelope = vec![0; limit::ENVELOPE + 1].into();
        pair.inject_to_server(AgentFrame::Publish { envelope }.encode().unwrap());
        pair.run();
        assert_eq!(pair.server_told(), ["ended frame-too-large"]);
    }

    fn a_second_login_closes_the_link() {
        let mut pair = Pair::ready();
        let (fields, proof) = world::login(b"a challenge", 0);
        pair.inject_to_server(AgentFrame::Authenticate { fields, proof }.encode().unwrap());
        pair.run();
        assert_eq!(pair.server_told(), ["ended protocol-violation"]);
    }

    fn a_second_greeting_closes_the_link() {
        let welcome = Welcome {
            session: SessionId::from_bytes([9; 16]).unwrap(),
            store: StoreId::from_bytes([9; 16]).unwrap(),
            credit: 1,
            heartbeat_ms: 1_000,
            max_envelope: 1,
        };
        for frame in [
            ServerFrame::Challenge { challenge: Bytes::new(), signature: Bytes::new() },
            ServerFrame::Welcome(welcome),
            ServerFrame::Refused { reason: CloseReason::LoginRefused },
        ] {
            let mut pair = Pair::ready();
            pair.inject_to_agent(frame.encode().unwrap());
            pair.run();
            assert_eq!(pair.told(), ["down protocol-violation"]);
        }
    }

    fn more_publishes_than_the_credit_close_the_link() {
        let mut pair = Pair::new();
        pair.server.credit = 3;
        pair.hold(Hold::CheckEnvelope);
        pair.run();
        pair.server_told();
        for number in 1..=4 {
            let envelope = world::envelope(number, police(), &[tax_authority()], 10, pair.now);
            pair.inject_to_server(AgentFrame::Publish { envelope }.encode().unwrap());
        }
        pair.run();
        assert_eq!(pair.server_told(), ["ended credit-exceeded"]);
        pair.release(Hold::CheckEnvelope);
        assert_eq!(pair.broker.waiting(tax_authority()), [0; 0]);
    }

    fn an_agent_that_does_not_read_its_answers_cannot_make_them_pile_up() {
        let mut pair = Pair::new();
        pair.server.credit = 3;
        pair.run();
        pair.server_told();
        pair.server_writes = false;
        for number in 1..=4 {
            let envelope = world::envelope(number, police(), &[tax_authority()], 10, pair.now);
            pair.inject_to_server(AgentFrame::Publish { envelope }.encode().unwrap());
            pair.run();
        }
        assert_eq!(pair.server_state(), ServerState::Closing);
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 2, 3]);
        pair.server_writes = true;
        pair.run();
        assert_eq!(pair.server_told(), ["ended credit-exceeded"]);
    }

    fn after_the_close_nothing_more_is_heard() {
        let mut pair = Pair::ready();
        let now = pair.now;
        let heartbeat = AgentFrame::Heartbeat.encode().unwrap();
        pair.server("close", |server| server.close(CloseReason::Unavailable));
        pair.server("close", |server| server.close(CloseReason::Superseded));
        pair.server("garbage", |server| server.receive(&Bytes::new(), now));
        pair.server("heartbeat", |server| server.receive(&heartbeat, now));
        assert_eq!(pair.server_state(), ServerState::Closing);
        pair.agent("reconnect", |agent| agent.reconnect(CloseReason::DirectoryChanged, now));
        pair.agent("garbage", |agent| agent.receive(&Bytes::new(), now));
        assert_eq!(pair.agent.state(), AgentState::Closing);
        pair.run();
        assert_eq!(pair.told(), ["down directory-changed"]);
        assert_eq!(pair.server_told(), ["ended unavailable"]);
    }

    fn others_go_on_when_one_link_is_closed_for_garbage() {
        let mut pair = Pair::ready();
        pair.publish(1).unwrap();
        pair.run();
        let mut other = Pair::ready();
        other.inject_to_server(Bytes::from_static(b"\xff"));
        other.run();
        pair.publish(2).unwrap();
        pair.run();
        assert_eq!(pair.told(), ["confirmed 1", "confirmed 2"]);
    }
}
