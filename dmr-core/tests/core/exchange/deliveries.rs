//! Messages that come in.

use std::time::Duration;

use dmr_core::content::Verdict;
use dmr_core::exchange::{Note, Outcome, SendError};
use dmr_core::frame::{ServerFrame, Settlement};
use dmr_core::header::Kind;
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};

use super::script::{Script, verdict};
use super::stand_in::{asker, id, office, says, seal};

const ACK: Option<Settlement> = Some(Settlement::Ack);

#[test]
fn a_delivery_is_settled_at_the_server_only_after_its_receipt_is_confirmed() {
    let mut script = Script::ready();
    let tag = script.deliver(&script.question(1, "?"));
    let (message, in_hand) = script.told.deliveries.pop().unwrap();
    assert_eq!((message.sender, &message.content.body[..]), (asker(), &b"?"[..]));
    assert_eq!((script.settled(tag), script.exchange.in_hand()), (None, 1));

    script.exchange.settle(in_hand, Outcome::Ack, script.now).unwrap();
    script.run();
    let receipts = script.take_published();
    assert_eq!(receipts.iter().map(|receipt| receipt.header().kind).collect::<Vec<_>>(), [Kind::RECEIPT]);
    assert_eq!(verdict(&receipts[0]), Verdict::Delivered);
    assert_eq!((script.settled(tag), script.exchange.in_hand()), (None, 0));

    script.server(ServerFrame::Confirm { ids: vec![receipts[0].header().id] });
    assert_eq!(script.settled(tag), ACK);
}

#[test]
fn a_copy_of_what_was_handled_repeats_its_verdict_and_asks_nobody() {
    let mut script = Script::ready();
    let question = script.question(1, "?");
    script.deliver(&question);
    let (_, in_hand) = script.told.deliveries.pop().unwrap();
    script.exchange.settle(in_hand, Outcome::Reject(FailureReason::Refused), script.now).unwrap();
    script.run();
    script.confirm_all();

    let copy = script.deliver(&question);
    assert!(script.told.deliveries.is_empty());
    assert_eq!(verdict(&script.take_published()[0]), Verdict::Failed(FailureReason::Refused));
    assert!(script.settled(copy).is_none());
    assert!(script.told.notes.contains(&Note::Repeated));
}

#[test]
fn a_copy_of_what_the_program_still_has_comes_again_later() {
    let mut script = Script::ready();
    let question = script.question(1, "?");
    script.deliver(&question);
    let copy = script.deliver(&question);
    assert_eq!(script.told.deliveries.len(), 1);
    assert_eq!(script.settled(copy), Some(Settlement::Retry { after_ms: 2_000 }));
}

#[test]
fn another_text_under_a_handled_id_is_refused_as_a_replay() {
    let mut script = Script::ready();
    script.deliver(&script.question(1, "the first"));
    let (_, in_hand) = script.told.deliveries.pop().unwrap();
    script.exchange.settle(in_hand, Outcome::Ack, script.now).unwrap();
    script.run();
    script.confirm_all();
    script.deliver(&script.question(1, "the second"));
    assert!(script.told.deliveries.is_empty());
    assert_eq!(verdict(&script.take_published()[0]), Verdict::Failed(FailureReason::Replayed));
}

#[test]
fn the_program_has_at_most_twice_the_prefetch_and_the_rest_comes_again() {
    let mut script = Script::with(|config| config.session.prefetch = Some(1));
    script.log_in();
    // What it has from a lost link does not count at the server any more, but counts here.
    for number in 1..=2 {
        script.deliver(&script.question(number, "?"));
        script.exchange.link_down(CloseReason::LinkLost, script.now);
        script.run();
        script.pass(Duration::from_secs(1));
        script.told.lines.retain(|line| line.starts_with("connect"));
        script.log_in();
    }
    assert_eq!((script.exchange.in_hand(), script.told.deliveries.len()), (2, 2));
    let third = script.deliver(&script.question(3, "?"));
    assert_eq!(script.settled(third), Some(Settlement::Retry { after_ms: 1_000 }));
    let (_, in_hand) = script.told.deliveries.remove(0);
    script.exchange.settle(in_hand, Outcome::Retry(Duration::from_secs(1)), script.now).unwrap();
    script.run();
    script.deliver(&script.question(3, "?"));
    assert_eq!((script.exchange.in_hand(), script.told.deliveries.len()), (2, 2));
}

#[test]
fn a_question_is_settled_with_the_confirm_of_its_answer_and_a_copy_with_the_same_answer() {
    let mut script = Script::ready();
    let question = script.question(1, "?");
    let tag = script.deliver(&question);
    let (_, in_hand) = script.told.deliveries.pop().unwrap();
    let content = says("42", Some(question.reference));
    let answer = seal(id(50), Kind::ANSWER, office(), asker(), content, script.now.wall);
    script.exchange.settle(in_hand, Outcome::Answer(answer.clone()), script.now).unwrap();
    script.run();
    let copy = script.deliver(&question);
    assert_eq!((script.settled(tag), script.settled(copy)), (None, None));
    assert_eq!(script.take_published().len(), 1, "the answer is its receipt");

    script.server(ServerFrame::Confirm { ids: vec![answer.reference.id] });
    assert_eq!((script.settled(tag), script.settled(copy)), (ACK, ACK));
    assert_eq!(script.told.lines, ["published"]);
}

#[test]
fn a_question_that_was_answered_is_not_given_to_the_program_again_and_its_answer_has_one_text() {
    let mut script = Script::ready();
    let question = script.question(1, "?");
    let wall = script.now.wall;
    let answer = |text| seal(id(50), Kind::ANSWER, office(), asker(), says(text, Some(question.reference)), wall);
    script.deliver(&question);
    let (_, in_hand) = script.told.deliveries.pop().unwrap();
    script.exchange.settle(in_hand, Outcome::Answer(answer("yes")), script.now).unwrap();
    script.run();
    script.confirm_all();
    let copy = script.deliver(&question);
    assert_eq!((script.told.deliveries.len(), script.settled(copy)), (0, ACK));
    let other = script.exchange.publish(answer("no"), false, script.now);
    assert_eq!(other, Err(SendError::Duplicate(id(50))));
}

#[test]
fn what_cannot_be_opened_waits_for_a_newer_directory_and_goes_back_without_one() {
    let mut script = Script::ready();
    script.exchange.sealing().refuses.set(Some((FailureReason::Rejected, true, false)));
    let (early, late) = (script.deliver(&script.question(1, "?")), script.deliver(&script.question(2, "?")));
    assert_eq!((script.settled(early), script.told.deliveries.len()), (None, 0));
    script.exchange.sealing().refuses.set(None);
    script.exchange.sealing().revision.set(Some(2));
    script.exchange.directory_changed(script.now);
    script.run();
    assert_eq!((script.told.deliveries.len(), script.settled(late)), (2, None));

    script.exchange.sealing().refuses.set(Some((FailureReason::Rejected, true, false)));
    let third = script.deliver(&script.question(3, "?"));
    script.pass(Duration::from_secs(5));
    assert_eq!(script.settled(third), Some(Settlement::Retry { after_ms: 10_000 }));
}

#[test]
fn a_refused_envelope_is_told_to_its_sender_only_when_its_signature_is_known() {
    let mut script = Script::ready();
    script.exchange.sealing().refuses.set(Some((FailureReason::Expired, false, false)));
    let stranger = script.deliver(&script.question(1, "?"));
    assert_eq!(script.settled(stranger), Some(Settlement::Reject { reason: FailureReason::Expired }));
    assert!(script.take_published().is_empty());
    script.exchange.sealing().refuses.set(Some((FailureReason::Expired, false, true)));
    script.deliver(&script.question(2, "?"));
    assert_eq!(verdict(&script.take_published()[0]), Verdict::Failed(FailureReason::Expired));
}

#[test]
fn what_was_settled_before_a_shutdown_is_told_to_its_senders_and_then_it_stops() {
    let mut script = Script::ready();
    let tag = script.deliver(&script.question(1, "?"));
    let (_, in_hand) = script.told.deliveries.pop().unwrap();
    script.exchange.settle(in_hand, Outcome::Ack, script.now).unwrap();
    script.exchange.shutdown(script.now);
    script.run();
    script.confirm_all();
    assert_eq!(script.settled(tag), ACK);
    assert_eq!(script.told.lines, ["close shutdown"]);
    script.exchange.link_down(CloseReason::Shutdown, script.now);
    script.run();
    assert!(script.exchange.is_stopped());
    assert_eq!(script.told.lines.last().map(String::as_str), Some("stopped"));
}

/// Delivers a question, has it acknowledged, and refuses its receipt for this reason whenever it comes, for so long.
fn receipts_refused_for(reason: RejectReason, span: Duration) -> (Script, Option<Settlement>) {
    let mut script = Script::ready();
    let tag = script.deliver(&script.question(1, "?"));
    let (_, in_hand) = script.told.deliveries.pop().unwrap();
    script.exchange.settle(in_hand, Outcome::Ack, script.now).unwrap();
    script.run();
    for _ in 0..span.as_secs() {
        for receipt in script.take_published() {
            let id = receipt.header().id;
            script.server(ServerFrame::Reject { id, reason, retry_after_ms: 0, recipients: Vec::new() });
        }
        script.server(ServerFrame::Heartbeat);
        script.pass(Duration::from_secs(1));
    }
    let settled = script.settled(tag);
    (script, settled)
}

#[test]
fn a_sender_whose_mailbox_is_full_waits_a_minute_and_an_outage_of_the_broker_ten_seconds() {
    let patience = Duration::from_secs(12);
    let (mut full, settled) = receipts_refused_for(RejectReason::MailboxFull, patience);
    assert_eq!(settled, Some(Settlement::Retry { after_ms: 60_000 }));
    let (mut away, settled) = receipts_refused_for(RejectReason::Unavailable, patience);
    assert_eq!(settled, Some(Settlement::Retry { after_ms: 10_000 }));

    // What comes again meanwhile waits for the rest of that time.
    for (script, least, most) in [(&mut full, 50_000, 60_000), (&mut away, 1, 10_000)] {
        let again = script.deliver(&script.question(1, "?"));
        let settled = script.settled(again);
        let within = matches!(settled, Some(Settlement::Retry { after_ms }) if (least..=most).contains(&after_ms));
        assert!(within, "{settled:?}");
    }
}
