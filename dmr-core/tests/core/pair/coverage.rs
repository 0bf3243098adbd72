//! Which transitions of the two state diagrams the scripts went through.
//!
//! The harness records every input that changed a session's state. One test runs all scripts again and compares what
//! they did with the tables below, both ways: a transition that no script shows fails, and so does one that the tables
//! do not know.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;

use super::{any_state, deliver, directory, drain, heartbeat, link_loss, login, misuse, publish, shutdown, takeover};

thread_local! {
    static SEEN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that `input` led from one state to another.
pub(super) fn record<S: Debug + PartialEq>(side: &str, from: S, input: &str, to: S) {
    if from != to {
        SEEN.with_borrow_mut(|seen| seen.insert(format!("{side}: {from:?} -- {input} -> {to:?}")));
    }
}

/// From a state, by each of these inputs, to a state. A frame goes by its name; `garbage` cannot be decoded, `closed` is
/// the end of a link that the session itself closed, `time` is a deadline or a missed heartbeat.
const AGENT: &str = "
    Waiting: time -> Connecting
    Waiting: shutdown -> Stopped
    Connecting: link down, time -> Waiting
    Connecting: link up -> AwaitingChallenge
    Connecting: shutdown -> Stopped
    AwaitingChallenge: link down -> Waiting
    AwaitingChallenge: challenge -> Signing
    AwaitingChallenge: challenge, confirm, deliver, directory, drain, garbage, heartbeat, notice, reconnect, refused, reject, shutdown, time, welcome -> Closing
    Signing: link down -> Waiting
    Signing: challenge signed -> AwaitingWelcome
    Signing: challenge, challenge refused, confirm, deliver, directory, drain, garbage, heartbeat, notice, reconnect, refused, reject, shutdown, time, welcome -> Closing
    AwaitingWelcome: link down -> Waiting
    AwaitingWelcome: welcome -> Ready
    AwaitingWelcome: challenge, confirm, deliver, directory, drain, garbage, heartbeat, notice, reconnect, refused, reject, shutdown, time, welcome -> Closing
    Ready: link down -> Waiting
    Ready: drain, reject, shutdown -> Draining
    Ready: challenge, confirm, deliver, directory, drain, garbage, reconnect, refused, reject, shutdown, time, welcome -> Closing
    Draining: link down -> Waiting
    Draining: challenge, confirm, deliver, directory, garbage, reconnect, refused, reject, time, transmit, welcome -> Closing
    Draining: link down -> Stopped
    Closing: closed, link down, time -> Waiting
    Closing: closed, link down, time -> Stopped
";

const SERVER: &str = "
    Greeting: challenge signed -> AwaitingLogin
    Greeting: authenticate, close, drain, fetch-directory, garbage, heartbeat, publish, settle, subscribe, superseded, time -> Closing
    Greeting: link down -> Ended
    AwaitingLogin: authenticate -> CheckingLogin
    AwaitingLogin: authenticate, close, drain, fetch-directory, garbage, heartbeat, publish, settle, subscribe, superseded, time -> Closing
    AwaitingLogin: link down -> Ended
    CheckingLogin: login holds -> Ready
    CheckingLogin: authenticate, close, drain, fetch-directory, garbage, heartbeat, login refused, publish, settle, subscribe, superseded, time -> Closing
    CheckingLogin: link down -> Ended
    Ready: drain -> Draining
    Ready: authenticate, close, drain, garbage, publish, settle, subscribe, superseded, time -> Closing
    Ready: link down -> Ended
    Draining: authenticate, close, envelope checked, garbage, publish, published, settle, subscribe, superseded, time -> Closing
    Draining: link down -> Ended
    Closing: closed, link down -> Ended
";

#[test]
fn the_scripts_show_every_transition_of_both_state_diagrams() {
    SEEN.take();
    for scripts in [
        any_state::SCRIPTS,
        deliver::SCRIPTS,
        directory::SCRIPTS,
        drain::SCRIPTS,
        heartbeat::SCRIPTS,
        link_loss::SCRIPTS,
        login::SCRIPTS,
        misuse::SCRIPTS,
        publish::SCRIPTS,
        shutdown::SCRIPTS,
        takeover::SCRIPTS,
    ] {
        scripts.iter().for_each(|script| script());
    }
    let seen = SEEN.take();
    let table = |side: &str, table: &str| {
        let mut transitions = Vec::new();
        for line in table.lines().filter(|line| !line.is_empty()) {
            let (from, rest) = line.trim().split_once(": ").unwrap();
            let (inputs, to) = rest.split_once(" -> ").unwrap();
            transitions.extend(inputs.split(", ").map(|input| format!("{side}: {from} -- {input} -> {to}")));
        }
        transitions
    };
    let known: BTreeSet<String> = table("agent", AGENT).into_iter().chain(table("server", SERVER)).collect();
    let unseen: Vec<_> = known.difference(&seen).collect();
    let unknown: Vec<_> = seen.difference(&known).collect();
    assert!(unseen.is_empty() && unknown.is_empty(), "no script shows {unseen:#?}\nno table knows {unknown:#?}");
}
