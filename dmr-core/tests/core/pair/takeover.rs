//! A newer link of the same instance takes over from one that is half dead.

use std::time::Duration;

use dmr_core::reason::CloseReason;
use dmr_core::session::{AgentState, ServerState};

use super::harness::{Hold, Pair};
use super::world::{instance, police};

/// The agent has lost its first link and logged in on a second; the server has not noticed the loss.
fn half_open() -> Pair {
    let mut pair = Pair::ready();
    pair.hold(Hold::Handle);
    pair.put(1);
    pair.run();
    pair.cut_for_agent();
    pair.advance(Duration::from_secs(1));
    assert_eq!(pair.links.len(), 2);
    pair
}

scripts! {
    fn a_newer_link_supersedes_the_older_and_gets_what_it_had_not_settled() {
        let mut pair = half_open();
        assert_eq!(pair.links[0].session.state(), ServerState::Ended);
        assert_eq!(pair.server_told(), ["logged in", "ended superseded"]);
        assert_eq!(pair.told(), ["delivered 1 attempt 1", "down link-lost", "ready", "delivered 1 attempt 2"]);
        pair.release(Hold::Handle);
        assert_eq!(pair.broker.acknowledged, [1]);
    }

    fn a_superseded_session_cannot_release_its_successor() {
        let mut pair = half_open();
        let registered = pair.registry.get(&instance()).copied();
        assert_eq!(registered, Some(pair.links[1].session.session()));
        // The operating system reports the old connection's end much later, and more than once.
        for _ in 0..2 {
            pair.server_at(0, "link down", |server| server.link_down(CloseReason::LinkLost));
            pair.advance(Duration::from_secs(30));
        }
        assert_eq!(pair.registry.get(&instance()).copied(), registered);
        assert_eq!((pair.agent.state(), pair.server_state()), (AgentState::Ready, ServerState::Ready));
        pair.release(Hold::Handle);
        pair.put(2);
        pair.run();
        assert_eq!(pair.broker.acknowledged, [1, 2]);
    }

    fn an_agent_that_is_superseded_comes_back() {
        let mut pair = Pair::ready();
        pair.server("superseded", |server| server.supersede());
        pair.run();
        assert_eq!(pair.told(), ["down superseded"]);
        pair.advance(Duration::from_secs(1));
        assert_eq!(pair.told(), ["ready"]);
    }

    fn an_old_session_that_is_never_superseded_ends_on_its_heartbeat() {
        let mut pair = half_open();
        // Another server has the new link, so nobody tells the old session.
        pair.registry.clear();
        pair.hold(Hold::Dial);
        pair.cut_for_agent();
        pair.server_told();
        pair.advance(Duration::from_secs(40));
        assert_eq!(pair.server_told(), ["ended heartbeat-missed"]);
        assert_eq!(pair.broker.waiting(police()), [1]);
    }
}
