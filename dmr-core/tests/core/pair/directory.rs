//! The directory reaches the agents that have an older one, in parts.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, ServerFrame};
use dmr_core::limit;
use dmr_core::session::AgentState;

use super::harness::Pair;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn document(len: usize) -> Bytes {
    vec![b'd'; len].into()
}

fn part(revision: u64, total: u32, offset: u32, part: usize) -> Bytes {
    ServerFrame::Directory { revision, total, offset, part: document(part) }.encode().unwrap()
}

fn change(pair: &mut Pair, revision: u64, len: usize) {
    pair.directory = (revision, document(len));
    pair.server("directory", |server| server.directory_changed(revision, document(len)));
}

fn fetches(pair: &Pair) -> usize {
    pair.from_agent.iter().filter(|name| **name == "fetch-directory").count()
}

scripts! {
    fn an_agent_with_an_older_directory_gets_the_newer_after_its_login() {
        let mut pair = Pair::new();
        pair.directory = (5, document(1_000));
        pair.run();
        assert_eq!(pair.told(), ["ready", "directory of 1000"]);
    }

    fn an_agent_with_the_same_directory_is_not_sent_it() {
        let mut pair = Pair::new();
        pair.directory = (5, document(1_000));
        pair.agent_revision = 5;
        pair.run();
        assert_eq!(pair.told(), ["ready"]);
    }

    fn a_long_directory_comes_in_parts() {
        let mut pair = Pair::new();
        let parts = 5;
        pair.directory = (5, document(parts * limit::DIRECTORY_PART - 1));
        pair.run();
        assert_eq!(pair.told(), ["ready".to_owned(), format!("directory of {}", parts * limit::DIRECTORY_PART - 1)]);
        assert_eq!(pair.from_server.iter().filter(|name| **name == "directory").count(), parts);
    }

    fn a_change_reaches_a_live_link_once() {
        let mut pair = Pair::ready();
        change(&mut pair, 7, 100);
        pair.run();
        change(&mut pair, 7, 100);
        pair.run();
        assert_eq!(pair.told(), ["directory of 100"]);
    }

    fn a_directory_that_takes_the_place_of_a_higher_revision_reaches_live_links() {
        // A stolen key signed the highest revision there is; a newer root document drops the key.
        let mut pair = Pair::new();
        pair.directory = (u64::MAX, document(10));
        pair.agent_revision = u64::MAX;
        pair.agent("directory", |agent| agent.directory_changed(u64::MAX));
        pair.run();
        change(&mut pair, 12, 100);
        pair.run();
        assert_eq!(pair.told(), ["ready", "directory of 100"]);
        pair.agent("directory", |agent| agent.directory_changed(12));
        change(&mut pair, 12, 100);
        change(&mut pair, 13, 101);
        pair.run();
        assert_eq!(pair.told(), ["directory of 101"]);
    }

    fn an_agent_ahead_of_its_server_asks_for_what_the_server_has() {
        let mut pair = Pair::new();
        pair.directory = (12, document(50));
        pair.agent_revision = u64::MAX;
        pair.agent("directory", |agent| agent.directory_changed(u64::MAX));
        pair.run();
        assert_eq!(pair.told(), ["ready", "directory of 50"]);
        assert_eq!(fetches(&pair), 1);
        pair.agent("directory", |agent| agent.directory_changed(12));
        pair.cut();
        pair.agent_revision = 12;
        pair.advance(seconds(20));
        assert_eq!(pair.told(), ["down link-lost", "ready"]);
        assert_eq!(fetches(&pair), 1);
    }

    fn a_newer_directory_takes_the_place_of_one_that_is_half_sent() {
        let mut pair = Pair::ready();
        change(&mut pair, 7, 3 * limit::DIRECTORY_PART);
        pair.step();
        change(&mut pair, 8, 200);
        pair.run();
        assert_eq!(pair.told(), ["directory of 200"]);
    }

    fn confirms_overtake_a_long_directory() {
        let mut pair = Pair::ready();
        pair.server_writes = false;
        change(&mut pair, 7, 4 * limit::DIRECTORY_PART);
        pair.publish(1).unwrap();
        pair.run();
        pair.server_writes = true;
        pair.run();
        assert_eq!(pair.told()[0], "confirmed 1");
    }

    fn a_fetch_is_answered_when_the_server_has_a_newer_one() {
        let mut pair = Pair::new();
        pair.directory = (5, document(50));
        pair.run();
        pair.told();
        let now = pair.now;
        // What came did not verify: the agent still has none, and asks again.
        pair.agent("fetch", |agent| agent.fetch_directory(now));
        pair.run();
        assert_eq!(pair.told(), ["directory of 50"]);
        pair.agent("directory", |agent| agent.directory_changed(5));
        pair.advance(seconds(5));
        let now = pair.now;
        pair.agent("fetch", |agent| agent.fetch_directory(now));
        pair.run();
        assert_eq!(fetches(&pair), 2);
        assert_eq!(pair.told(), [""; 0]);
    }

    fn at_most_one_fetch_goes_out_in_five_seconds() {
        let mut pair = Pair::ready();
        for _ in 0..90 {
            let now = pair.now;
            pair.agent("fetch", |agent| agent.fetch_directory(now));
            pair.advance(Duration::from_millis(100));
        }
        assert_eq!(fetches(&pair), 2);
        pair.advance(seconds(5));
        assert_eq!(fetches(&pair), 3);
    }

    fn a_fetch_without_a_link_goes_out_after_the_next_login() {
        let mut pair = Pair::ready();
        pair.cut();
        let now = pair.now;
        pair.agent("fetch", |agent| agent.fetch_directory(now));
        pair.advance(seconds(1));
        assert_eq!(fetches(&pair), 1);
    }

    fn a_server_answers_no_more_than_one_fetch_a_second() {
        let mut pair = Pair::new();
        pair.directory = (5, document(50));
        pair.run();
        pair.forget_frames();
        for _ in 0..20 {
            pair.inject_to_server(AgentFrame::FetchDirectory { revision: 0 }.encode().unwrap());
        }
        pair.run();
        assert_eq!(pair.from_server, ["directory"]);
        pair.advance(seconds(1));
        pair.inject_to_server(AgentFrame::FetchDirectory { revision: 0 }.encode().unwrap());
        pair.run();
        assert_eq!(pair.from_server, ["directory"; 2]);
    }

    fn parts_that_do_not_follow_each_other_close_the_link() {
        let past = u32::try_from(limit::DIRECTORY + 1).unwrap();
        let large = limit::DIRECTORY_PART + 1;
        for parts in [
            vec![part(5, 10, 5, 5)],
            vec![part(5, 10, 0, 5), part(5, 10, 6, 4)],
            vec![part(5, 10, 0, 5), part(6, 10, 5, 5)],
            vec![part(5, 10, 0, 5), part(5, 11, 5, 5)],
            vec![part(5, 10, 0, 5), part(5, 10, 5, 6)],
            vec![part(5, 10, 0, 5), part(5, 10, 5, 0)],
            vec![part(5, past, 0, 5)],
            vec![part(5, u32::MAX, 0, 5)],
            vec![part(5, 0, 0, 0)],
            vec![part(5, 1 << 20, 0, large)],
        ] {
            let mut pair = Pair::ready();
            for part in parts {
                pair.inject_to_agent(part);
            }
            pair.run();
            assert_eq!(pair.told(), ["down protocol-violation"]);
        }
    }

    fn half_a_directory_is_forgotten_with_its_link() {
        let mut pair = Pair::ready();
        pair.inject_to_agent(part(5, 10, 0, 5));
        pair.run();
        pair.cut();
        pair.advance(seconds(1));
        assert_eq!(pair.agent.state(), AgentState::Ready);
        pair.inject_to_agent(part(5, 10, 5, 5));
        pair.run();
        assert_eq!(pair.told(), ["down link-lost", "ready", "down protocol-violation"]);
    }
}
