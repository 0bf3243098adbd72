//! Questions whose answer somebody waits for.

use std::time::Duration;

use dmr_core::content::{Receipt, Receipts, Reference, Verdict};
use dmr_core::exchange::{MessageStatus, SendError};
use dmr_core::frame::ServerFrame;
use dmr_core::header::Kind;
use dmr_core::reason::{FailureReason, RejectReason};

use super::script::{Script, few};
use super::stand_in::{asker, id, office, says, seal};

/// Asks, and has the confirm.
fn asked(script: &mut Script) -> Reference {
    let question = script.outgoing(1, "?");
    script.exchange.publish(question.clone(), true, script.now).unwrap();
    script.run();
    script.confirm_all();
    assert_eq!(script.told.lines, ["published"]);
    question.reference
}

/// A receipt of the asker's for a message of the office's.
fn receipt(script: &Script, envelope: Reference, verdict: Verdict) -> dmr_core::exchange::SealedMessage {
    let receipts = Receipts::V1(vec![Receipt { envelope, verdict, at: script.now.wall }]);
    let mut content = says("", None);
    content.content_type = dmr_core::content::RECEIPTS_TYPE.to_owned();
    content.body = dmr_core::codec::encode(&receipts).unwrap().into();
    seal(id(900), Kind::RECEIPT, asker(), office(), content, script.now.wall)
}

#[test]
fn an_answer_goes_to_whoever_asked() {
    let mut script = Script::ready();
    let question = asked(&mut script);
    script.deliver(&script.answer_to(2, question));
    let (to, message, _) = script.told.answers.pop().unwrap();
    assert_eq!((to, message.solicited, message.content.in_reply_to), (question.id, true, Some(question)));
    assert!(script.told.deliveries.is_empty());
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_is_a_delivery() {
    let mut script = Script::ready();
    let question = asked(&mut script);
    script.exchange.stop_asking(question.id);
    script.deliver(&script.answer_to(2, question));
    let (message, _) = script.told.deliveries.pop().unwrap();
    assert!(message.solicited && script.told.answers.is_empty());
}

#[test]
fn an_answer_to_another_text_or_by_somebody_who_was_not_asked_is_refused() {
    let mut script = Script::ready();
    let question = asked(&mut script);
    let other = Reference { digest: dmr_core::id::Digest([9; 32]), ..question };
    script.deliver(&script.answer_to(2, other));
    let stranger = dmr_core::id::ParticipantId::from_custom_bytes([3; 16]);
    let content = says("mine", Some(question));
    script.deliver(&seal(id(3), Kind::ANSWER, stranger, office(), content, script.now.wall));
    assert!(script.told.answers.is_empty() && script.told.deliveries.is_empty());
    script.deliver(&script.answer_to(4, question));
    assert_eq!(script.told.answers.len(), 1);
}

#[test]
fn a_signed_refusal_ends_the_wait_and_an_unsigned_notice_does_not() {
    let mut script = Script::ready();
    let question = asked(&mut script);
    script.server(ServerFrame::Notice { id: question.id, reason: FailureReason::Undeliverable });
    assert_eq!(script.told.lines, ["published"]);
    script.deliver(&receipt(&script, question, Verdict::Failed(FailureReason::Refused)));
    assert_eq!(script.told.lines, ["published", "ask failed: refused"]);
}

#[test]
fn a_question_that_is_refused_for_good_or_expires_ends_its_wait_after_saying_why() {
    let mut script = Script::ready();
    script.exchange.publish(script.outgoing(1, "?"), true, script.now).unwrap();
    script.run();
    let (reason, recipients) = (RejectReason::PolicyRefused, Vec::new());
    script.server(ServerFrame::Reject { id: id(1), reason, retry_after_ms: 0, recipients });
    assert_eq!(script.told.lines, ["not published: the server rejected it: policy-refused", "ask ended"]);

    let mut script = Script::ready();
    asked(&mut script);
    script.now.wall = script.now.wall.plus(Duration::from_secs(4_000));
    script.pass(Duration::from_secs(1));
    assert_eq!(script.told.lines.last().map(String::as_str), Some("ask ended"));
}

#[test]
fn more_questions_than_may_wait_are_refused_until_somebody_stops_asking() {
    let mut script = Script::with(|config| config.limits = few());
    script.log_in();
    script.exchange.publish(script.outgoing(1, "?"), true, script.now).unwrap();
    assert!(script.exchange.is_full_of_asks());
    let refused = script.exchange.publish(script.outgoing(2, "?"), true, script.now);
    assert!(matches!(refused, Err(SendError::Full { .. })));
    script.exchange.stop_asking(id(1));
    script.exchange.publish(script.outgoing(2, "?"), true, script.now).unwrap();
}

#[test]
fn an_answer_in_records_is_final_and_signed() {
    let records = dmr_core::exchange::Records::new(10);
    let mut script = Script::with(|config| config.records = records.clone());
    script.log_in();
    let question = asked(&mut script);
    assert_eq!(records.status(question.id), Some(MessageStatus::Accepted));
    script.deliver(&script.answer_to(2, question));
    assert_eq!(records.status(question.id), Some(MessageStatus::Answered { answer: id(2) }));
}
