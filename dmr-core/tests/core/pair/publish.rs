//! Publish and confirm, refuse, keep and expire.

use std::time::Duration;

use dmr_core::frame::ServerFrame;
use dmr_core::reason::RejectReason;
use dmr_core::session::{AgentPublishError, AgentState, Refusal};

use super::harness::{Hold, Pair};
use super::world::{self, LIFETIME, message, name, police, tax_authority};

const SKEW: Duration = Duration::from_secs(120);

fn refusal(reason: RejectReason, retry_after: Duration) -> Option<Refusal> {
    Some(Refusal { reason, retry_after })
}

scripts! {
    fn a_publish_is_confirmed_only_after_the_broker_has_it() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        assert_eq!(pair.agent.outbox().unconfirmed, 1);
        assert_eq!(pair.links[0].session.unconfirmed(), 1);
        assert_eq!(pair.told(), [""; 0]);
        pair.release(Hold::Publish);
        assert_eq!(pair.told(), ["confirmed 1"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [1]);
        assert_eq!(pair.agent.outbox().unconfirmed, 0);
    }

    fn a_confirmed_message_is_kept_until_its_receipt() {
        let mut pair = Pair::ready();
        pair.publish(1).unwrap();
        pair.run();
        assert_eq!(pair.agent.outbox().messages, 1);
        pair.receipt(1);
        assert_eq!(pair.agent.outbox(), dmr_core::session::OutboxDepth::default());
    }

    fn what_need_not_be_kept_is_forgotten_with_its_confirm() {
        let mut pair = Pair::ready();
        let envelope = world::envelope(1, police(), &[tax_authority()], 100, pair.now);
        pair.publish_bytes(1, envelope, false).unwrap();
        pair.run();
        assert_eq!(pair.told(), ["confirmed 1"]);
        assert_eq!(pair.agent.outbox().messages, 0);
    }

    fn what_is_published_without_a_link_goes_out_on_the_next_in_order() {
        let mut pair = Pair::new();
        for number in 1..=3 {
            pair.publish(number).unwrap();
        }
        pair.run();
        assert_eq!(pair.told(), ["ready", "confirmed 1", "confirmed 2", "confirmed 3"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 2, 3]);
    }

    fn the_same_id_is_not_taken_twice() {
        let mut pair = Pair::ready();
        pair.publish(1).unwrap();
        assert_eq!(pair.publish(1), Err(AgentPublishError::Duplicate));
        pair.run();
        assert_eq!(pair.publish(1), Err(AgentPublishError::Duplicate));
        assert_eq!(pair.broker.waiting(tax_authority()), [1]);
    }

    fn an_id_whose_answer_is_still_to_come_is_not_taken_again() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        pair.receipt(1);
        assert_eq!(pair.publish(1), Err(AgentPublishError::Duplicate));
        pair.release(Hold::Publish);
        pair.publish(1).unwrap();
        pair.run();
        assert_eq!(pair.agent.state(), AgentState::Ready);
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 1]);
    }

    fn no_more_publishes_are_out_than_the_credit() {
        let mut pair = Pair::new();
        pair.server.credit = 2;
        pair.hold(Hold::Publish);
        for number in 1..=5 {
            pair.publish(number).unwrap();
        }
        pair.run();
        assert_eq!(pair.from_agent.iter().filter(|name| **name == "publish").count(), 2);
        assert!(!pair.agent.wants_transmit());
        pair.release(Hold::Publish);
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 2, 3, 4, 5]);
        assert_eq!(pair.told().len(), 6);
    }

    fn an_answer_that_waits_for_the_link_still_takes_credit() {
        let mut pair = Pair::new();
        pair.server.credit = 2;
        pair.run();
        pair.server_writes = false;
        for number in 1..=4 {
            pair.publish(number).unwrap();
        }
        pair.run();
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 2]);
        pair.server_writes = true;
        pair.run();
        assert_eq!(pair.broker.waiting(tax_authority()), [1, 2, 3, 4]);
        assert_eq!(pair.told(), ["ready", "confirmed 1", "confirmed 2", "confirmed 3", "confirmed 4"]);
    }

    fn a_full_outbox_refuses_and_says_when_to_come_back() {
        let mut config = Pair::agent_config(1);
        (config.outbox_messages, config.outbox_bytes) = (2, 900);
        let mut pair = Pair::with(config);
        pair.hold(Hold::Dial);
        let full = Err(AgentPublishError::Full { retry_after: Duration::from_secs(1) });
        let large = world::envelope(9, police(), &[tax_authority()], 800, pair.now);
        assert_eq!(pair.publish_bytes(9, large, true), full);
        pair.publish(1).unwrap();
        pair.publish(2).unwrap();
        assert_eq!(pair.publish(3), full);
        pair.receipt(1);
        pair.publish(3).unwrap();
        pair.release(Hold::Dial);
        assert_eq!(pair.told(), ["ready", "confirmed 2", "confirmed 3"]);
    }

    fn an_envelope_past_the_servers_limit_is_refused_at_once_or_by_the_server() {
        let mut pair = Pair::new();
        pair.server.max_envelope = 1_000;
        let large = |pair: &Pair| world::envelope(1, police(), &[tax_authority()], 1_000, pair.now);
        let envelope = large(&pair);
        let len = envelope.len();
        pair.publish_bytes(1, envelope.clone(), true).unwrap();
        pair.run();
        assert_eq!(pair.told(), ["ready", "rejected 1 too-large"]);
        assert_eq!(pair.publish_bytes(1, envelope, true), Err(AgentPublishError::TooLarge { len, limit: 1_000 }));
    }

    fn an_envelope_of_another_sender_or_network_is_refused_and_the_link_lives() {
        let mut pair = Pair::ready();
        let foreign = world::envelope(1, tax_authority(), &[police()], 10, pair.now);
        pair.publish_bytes(1, foreign, true).unwrap();
        let mut header = world::header(2, police(), &[tax_authority()], pair.now);
        header.network = name("another");
        pair.publish_bytes(2, world::sealed(&header, 10), true).unwrap();
        pair.publish(3).unwrap();
        pair.run();
        assert_eq!(pair.told(), ["rejected 1 sender-mismatch", "rejected 2 wrong-network", "confirmed 3"]);
        assert_eq!(pair.agent.state(), AgentState::Ready);
    }

    fn an_envelope_whose_signature_does_not_hold_reaches_no_mailbox() {
        let mut pair = Pair::ready();
        let mut envelope = world::envelope(1, police(), &[tax_authority()], 10, pair.now).to_vec();
        *envelope.last_mut().unwrap() ^= 1;
        pair.publish_bytes(1, envelope.into(), true).unwrap();
        pair.run();
        assert_eq!(pair.told(), ["rejected 1 bad-signature"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [0; 0]);
    }

    fn a_first_refusal_is_given_back_even_when_it_may_pass() {
        for reason in [RejectReason::RateLimited, RejectReason::Undecided, RejectReason::UnknownRecipient] {
            let mut pair = Pair::ready();
            pair.refusal = refusal(reason, Duration::from_secs(7));
            pair.publish(1).unwrap();
            pair.run();
            assert_eq!(pair.told(), [format!("rejected 1 {reason}")]);
            assert_eq!(pair.agent.outbox().messages, 0);
        }
    }

    fn what_need_not_be_kept_is_tried_again_until_a_final_refusal() {
        let mut pair = Pair::ready();
        pair.refusal = refusal(RejectReason::Unavailable, Duration::from_secs(7));
        let envelope = world::envelope(1, police(), &[tax_authority()], 10, pair.now);
        pair.publish_bytes(1, envelope.clone(), false).unwrap();
        pair.run();
        assert_eq!(pair.told(), [""; 0]);
        pair.advance(Duration::from_millis(6_999));
        assert_eq!(pair.from_agent.iter().filter(|name| **name == "publish").count(), 1);
        pair.refusal = None;
        pair.advance(Duration::from_millis(1));
        assert_eq!(pair.told(), ["confirmed 1"]);
        pair.refusal = refusal(RejectReason::RecipientInactive, Duration::ZERO);
        pair.publish_bytes(1, envelope, false).unwrap();
        pair.run();
        assert_eq!(pair.told(), ["rejected 1 recipient-inactive"]);
    }

    fn a_message_that_was_confirmed_once_survives_a_passing_refusal_of_its_republish() {
        let mut pair = Pair::ready();
        pair.publish(1).unwrap();
        pair.run();
        pair.cut();
        pair.broker.restart();
        pair.refusal = refusal(RejectReason::MailboxFull, Duration::ZERO);
        pair.advance(Duration::from_millis(300));
        assert_eq!(pair.told(), ["confirmed 1", "down link-lost", "ready"]);
        pair.refusal = None;
        pair.advance(Duration::from_secs(2));
        assert_eq!(pair.told(), ["confirmed 1"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [1]);
    }

    fn no_server_puts_a_message_off_for_longer_than_ten_minutes_or_than_its_link() {
        let put_off = || {
            let mut pair = Pair::ready();
            pair.publish(1).unwrap();
            pair.run();
            pair.cut();
            pair.broker.restart();
            pair.refusal = refusal(RejectReason::MailboxFull, Duration::from_secs(40 * 86_400));
            pair.advance(Duration::from_millis(300));
            assert_eq!(pair.told(), ["confirmed 1", "down link-lost", "ready"]);
            pair.refusal = None;
            pair
        };
        let mut pair = put_off();
        pair.advance(Duration::from_secs(599));
        assert_eq!(pair.told(), [""; 0]);
        pair.advance(Duration::from_secs(1));
        assert_eq!(pair.told(), ["confirmed 1"]);
        let mut pair = put_off();
        pair.cut();
        pair.advance(Duration::from_secs(1));
        assert_eq!(pair.told(), ["down link-lost", "ready", "confirmed 1"]);
    }

    fn one_full_mailbox_of_two_makes_a_result_for_each_recipient() {
        let mut pair = Pair::ready();
        pair.broker.refusals.insert(tax_authority(), RejectReason::MailboxFull);
        pair.publish_to(1, &[police(), tax_authority()]).unwrap();
        pair.run();
        // The police's own copy comes back to it: it was stored.
        assert_eq!(pair.told(), ["rejected 1 mailbox-full stored mailbox-full", "delivered 1 attempt 1"]);
    }

    fn a_final_reason_outweighs_a_passing_one() {
        let mut pair = Pair::ready();
        pair.broker.refusals.insert(police(), RejectReason::UnknownRecipient);
        pair.broker.refusals.insert(tax_authority(), RejectReason::MailboxFull);
        pair.publish_to(1, &[police(), tax_authority()]).unwrap();
        pair.publish(2).unwrap();
        pair.run();
        assert_eq!(
            pair.told(),
            ["rejected 1 unknown-recipient unknown-recipient mailbox-full", "rejected 2 mailbox-full"]
        );
    }

    fn a_message_without_receipt_expires_and_the_program_is_told() {
        let mut pair = Pair::ready();
        pair.publish(1).unwrap();
        pair.publish(2).unwrap();
        pair.run();
        pair.receipt(2);
        pair.told();
        pair.advance(Duration::from_millis(LIFETIME) + SKEW);
        assert_eq!(pair.told(), [""; 0]);
        pair.advance(Duration::from_secs(61));
        assert_eq!(pair.told(), ["expired 1"]);
        assert_eq!(pair.agent.outbox().messages, 0);
    }

    fn a_message_that_was_never_sent_expires_too() {
        let mut pair = Pair::new();
        pair.unreachable.insert(0);
        pair.publish(1).unwrap();
        pair.advance(Duration::from_millis(LIFETIME) + SKEW + Duration::from_secs(61));
        assert_eq!(pair.told().into_iter().filter(|line| line != "down connect-failed").collect::<Vec<_>>(), ["expired 1"]);
        pair.unreachable.clear();
        pair.advance(Duration::from_secs(60));
        assert_eq!(pair.broker.waiting(tax_authority()), [0; 0]);
    }

    fn only_what_was_never_on_a_link_can_be_withdrawn() {
        let mut pair = Pair::new();
        pair.publish(1).unwrap();
        pair.publish(2).unwrap();
        assert!(pair.agent.withdraw(message(1)));
        pair.live.remove(&1);
        assert!(!pair.agent.withdraw(message(1)));
        pair.run();
        assert!(!pair.agent.withdraw(message(2)));
        assert_eq!(pair.told(), ["ready", "confirmed 2"]);
        assert_eq!(pair.broker.waiting(tax_authority()), [2]);
    }

    fn a_confirm_or_reject_of_what_was_not_sent_closes_the_link() {
        let id = message(9);
        for frame in [
            ServerFrame::Confirm { ids: vec![id] },
            ServerFrame::Reject { id, reason: RejectReason::Expired, retry_after_ms: 0, recipients: vec![] },
            ServerFrame::Reject { id, reason: RejectReason::Draining, retry_after_ms: 0, recipients: vec![] },
        ] {
            let mut pair = Pair::ready();
            pair.inject_to_agent(frame.encode().unwrap());
            pair.run();
            assert_eq!(pair.told(), ["down protocol-violation"]);
        }
    }

    fn a_notice_is_passed_on_and_changes_nothing() {
        let mut pair = Pair::ready();
        pair.publish(1).unwrap();
        pair.run();
        let reason = dmr_core::reason::FailureReason::Undeliverable;
        pair.server("notice", |server| server.notice(message(1), reason));
        pair.run();
        assert_eq!(pair.told(), ["confirmed 1", "notice 1 undeliverable"]);
        assert_eq!(pair.agent.outbox().messages, 1);
    }

    fn notices_for_a_link_that_does_not_take_them_are_dropped_at_their_bound() {
        let mut pair = Pair::ready();
        pair.server_writes = false;
        for _ in 0..1_000 {
            pair.server("notice", |server| server.notice(message(1), dmr_core::reason::FailureReason::Expired));
        }
        pair.server_writes = true;
        pair.run();
        assert_eq!(pair.told().len(), 256);
    }

    fn a_rejected_publish_gives_its_credit_back() {
        let mut pair = Pair::new();
        pair.server.credit = 2;
        pair.run();
        pair.refusal = refusal(RejectReason::PolicyRefused, Duration::ZERO);
        for number in 1..=20 {
            pair.publish(number).unwrap();
            pair.run();
        }
        assert_eq!(pair.told().len(), 21);
        assert_eq!(pair.agent.state(), AgentState::Ready);
    }
}
