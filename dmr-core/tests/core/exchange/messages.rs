//! Messages that go out.

use std::time::Duration;

use dmr_core::exchange::{MessageStatus, Records, SendError};
use dmr_core::frame::ServerFrame;
use dmr_core::reason::{CloseReason, RejectReason};

use super::script::{Script, few};
use super::stand_in::id;

#[test]
fn an_id_that_is_taken_and_an_outbox_that_is_full_are_told_at_once_and_nothing_else_is() {
    let mut script = Script::with(|config| config.limits = few());
    script.log_in();
    script.exchange.publish(script.outgoing(1, "one"), false, script.now).unwrap();
    let again = script.exchange.publish(script.outgoing(1, "another"), false, script.now);
    assert_eq!(again, Err(SendError::Duplicate(id(1))));
    script.exchange.publish(script.outgoing(2, "two"), false, script.now).unwrap();
    let full = script.exchange.publish(script.outgoing(3, "three"), false, script.now);
    assert!(matches!(full, Err(SendError::Full { .. })));
    script.run();
    assert!(script.told.lines.is_empty());
    script.confirm_all();
    assert_eq!(script.told.lines, ["published", "published"]);
}

#[test]
fn what_was_on_a_lost_link_is_sent_again_and_told_once() {
    let mut script = Script::ready();
    script.exchange.publish(script.outgoing(1, "?"), false, script.now).unwrap();
    script.run();
    assert_eq!(script.take_published().len(), 1);
    script.exchange.link_down(CloseReason::LinkLost, script.now);
    script.run();
    script.pass(Duration::from_secs(1));
    script.told.lines.retain(|line| line.starts_with("connect"));
    script.log_in();
    script.pass(Duration::ZERO);
    script.exchange.publish(script.outgoing(2, "?"), false, script.now).unwrap();
    script.run();
    script.confirm_all();
    assert!(script.told.lines.iter().all(|line| line == "published"), "{:?}", script.told.lines);
}

#[test]
fn what_a_server_may_have_stored_is_tried_again_here_with_the_same_bytes() {
    let mut script = Script::ready();
    let message = script.outgoing(1, "?");
    script.exchange.publish(message.clone(), false, script.now).unwrap();
    script.run();
    script.take_published();
    let (reason, recipients) = (RejectReason::Undecided, Vec::new());
    script.server(ServerFrame::Reject { id: id(1), reason, retry_after_ms: 0, recipients });
    assert!(script.told.lines.is_empty(), "it may be stored");
    script.pass(Duration::from_secs(1));
    let again = script.take_published();
    assert_eq!(again[0].bytes(), &message.envelope);
    script.server(ServerFrame::Confirm { ids: vec![id(1)] });
    assert_eq!(script.told.lines, ["published"]);
}

#[test]
fn what_was_never_on_a_link_can_be_taken_back_and_its_id_is_free_again() {
    let records = Records::new(10);
    let mut script = Script::with(|config| config.records = records.clone());
    script.run();
    script.exchange.publish(script.outgoing(1, "?"), false, script.now).unwrap();
    assert_eq!(records.status(id(1)), Some(MessageStatus::Pending));
    assert!(script.exchange.withdraw(id(1), script.now) && !script.exchange.withdraw(id(1), script.now));
    assert_eq!(records.status(id(1)), None);
    script.run();
    assert_eq!(script.told.lines, ["connect 0", "not published: it was withdrawn before it was sent"]);
    script.exchange.publish(script.outgoing(1, "?"), false, script.now).unwrap();
}

#[test]
fn the_outbox_and_the_timers_are_empty_when_nothing_is_owed() {
    let mut script = Script::ready();
    script.exchange.publish(script.outgoing(1, "?"), false, script.now).unwrap();
    script.run();
    assert_eq!(script.exchange.outbox().messages, 1);
    assert!(script.exchange.poll_timeout().is_some_and(|at| at > script.now.elapsed));
    assert_eq!(script.exchange.in_hand(), 0);
}
