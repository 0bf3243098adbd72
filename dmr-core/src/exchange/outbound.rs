//! What goes out: messages of the program's, answers and their way to a confirm.

use std::time::Duration;

use super::settling::{Taken, patience_with};
use super::{Accepted, Exchange, ExchangeOutput, Limits, Note, SealedMessage, Sealing, SendError};
use crate::content::Verdict;
use crate::frame::{RecipientResult, Settlement};
use crate::header::Kind;
use crate::id::MessageId;
use crate::reason::{FailureReason, RejectReason};
use crate::session::{AgentPublication, AgentPublishError};
use crate::time::Now;

/// Shortest wait before the same bytes are tried again.
const RESEND: Duration = Duration::from_secs(1);
/// When a caller may look for room again.
const FULL_RETRY: Duration = Duration::from_secs(1);
/// Deliveries of one question that wait for its answer's confirm; more are settled by the server's own timeout.
const MOST_COPIES: usize = 16;

/// A message that is published and neither confirmed nor given up.
#[derive(Debug)]
pub(super) struct Outgoing {
    message: SealedMessage,
    /// For an answer: the deliveries of its question, settled once it is confirmed.
    questions: Vec<Taken>,
    /// The same bytes are tried until they expire: an answer, or what a recipient may have already. Other bytes under its
    /// id would be refused there as a replay.
    persists: bool,
    /// A link was lost while it was on its way: a server may have stored it.
    in_doubt: bool,
    /// When they are tried again, while the session does not have them.
    again_at: Option<Duration>,
}

impl<S: Sealing> Exchange<S> {
    /// Takes a message of the program's; its end is told by [`ExchangeOutput::Published`]. With `asks` its answer is told
    /// by [`ExchangeOutput::Answer`], and that there will be none by [`ExchangeOutput::AskFailed`] or
    /// [`ExchangeOutput::AskEnded`].
    ///
    /// # Errors
    /// [`SendError::Full`] and [`SendError::Duplicate`]: nothing was taken, and nothing is told.
    pub fn publish(&mut self, message: SealedMessage, asks: bool, now: Now) -> Result<(), SendError> {
        self.clock = now;
        self.admit_publish(&message, asks)?;
        if asks {
            self.asks.insert(message.reference.id);
        }
        self.enqueue(Outgoing { message, questions: Vec::new(), persists: false, in_doubt: false, again_at: None });
        Ok(())
    }

    /// Whether a question would be refused because so many are waited for.
    pub fn is_full_of_asks(&self) -> bool {
        self.asks.len() >= self.limits.asks
    }

    /// Nobody waits for the answer to this question any more: it comes as a delivery.
    pub fn stop_asking(&mut self, question: MessageId) {
        self.asks.remove(&question);
    }

    fn admit_publish(&mut self, message: &SealedMessage, asks: bool) -> Result<(), SendError> {
        let id = message.reference.id;
        let outbox = self.session.outbox();
        let messages = outbox.messages.saturating_add(self.resend.len());
        let bytes = outbox.bytes.saturating_add(self.resend_bytes).saturating_add(message.envelope.len());
        if messages >= self.limits.outbox_messages || bytes > self.limits.outbox_bytes {
            return Err(SendError::Full { retry_after: FULL_RETRY });
        }
        if asks && self.is_full_of_asks() {
            return Err(SendError::Full { retry_after: FULL_RETRY });
        }
        let is_new = self.noted(|records| records.begin(message.reference, message.kind, &message.recipients));
        if is_new { Ok(()) } else { Err(SendError::Duplicate(id)) }
    }

    /// Sends the answer to a question; the question is settled with its confirm.
    pub(super) fn publish_answer(&mut self, question: Taken, message: SealedMessage) -> Result<(), SendError> {
        let id = message.reference.id;
        if self.join_answer(id, question) {
            // The lease was over and another delivery of the question was answered: the first answer stands.
            return Err(SendError::Duplicate(id));
        }
        if !self.noted(|records| records.begin(message.reference, message.kind, &message.recipients)) {
            // The same, and that answer was confirmed.
            self.settle_at_server(question.delivery, Settlement::Ack);
            return Err(SendError::Duplicate(id));
        }
        self.enqueue(Outgoing { message, questions: vec![question], persists: true, in_doubt: false, again_at: None });
        Ok(())
    }

    /// Another delivery of a question whose answer is on its way: settled with the first. `false`: it is not.
    pub(super) fn join_answer(&mut self, answer: MessageId, question: Taken) -> bool {
        let Some(outgoing) = self.outgoing.get_mut(&answer) else { return false };
        if outgoing.questions.len() < MOST_COPIES {
            outgoing.questions.push(question);
        }
        true
    }

    fn enqueue(&mut self, outgoing: Outgoing) {
        let SealedMessage { reference, expires, ref envelope, .. } = outgoing.message;
        let id = reference.id;
        let publication = AgentPublication { id, envelope: envelope.clone(), expires, keep: self.receipts };
        let persists = outgoing.persists;
        self.outgoing.insert(id, outgoing);
        match self.session.publish(publication, self.clock) {
            Ok(()) => {}
            Err(AgentPublishError::Full { retry_after }) if persists => self.resend_after(id, retry_after),
            Err(error) => self.give_up(id, publish_error(error, id)),
        }
    }

    /// Takes a message back that was never on any link. `true`: it was not and will not be sent. `false`: it may have
    /// been, or there is no such message.
    pub fn withdraw(&mut self, id: MessageId, now: Now) -> bool {
        self.clock = now;
        // What persists was on a link, though the session may have it anew.
        let persists = self.outgoing.get(&id).is_some_and(|outgoing| outgoing.persists);
        let withdrawn = !persists && self.session.withdraw(id);
        if withdrawn {
            self.give_up(id, SendError::Withdrawn);
        }
        withdrawn
    }

    /// The server has it, or a recipient has.
    pub(super) fn confirmed(&mut self, id: MessageId) {
        if self.receipts_confirmed(id) {
            return;
        }
        self.noted(|records| records.accepted(id));
        if !self.receipts {
            self.noted(|records| records.retire(id));
        }
        if let Some(outgoing) = self.take_outgoing(id) {
            self.note(Note::Accepted);
            for question in outgoing.questions {
                self.settle_at_server(question.delivery, Settlement::Ack);
            }
            self.tell(ExchangeOutput::Published { id, outcome: Ok(Accepted { message: outgoing.message.reference }) });
        }
    }

    /// The server did not take it, and the session has forgotten it.
    pub(super) fn rejected(
        &mut self,
        id: MessageId,
        reason: RejectReason,
        retry_after: Duration,
        recipients: Vec<RecipientResult>,
    ) {
        self.note(Note::Rejected { id, reason });
        if self.receipts_given_up(id) {
            return;
        }
        let perhaps_stored = |reason: Option<RejectReason>| matches!(reason, None | Some(RejectReason::Undecided));
        let mut in_doubt =
            perhaps_stored(Some(reason)) || recipients.iter().any(|result| perhaps_stored(result.reason));
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            in_doubt |= outgoing.in_doubt;
            outgoing.persists |= in_doubt;
            if outgoing.persists && reason.is_retryable() {
                // The question of an answer that has to wait comes again: it takes up the prefetch, and one asker whose
                // mailbox is full would keep every other sender's messages out.
                for question in std::mem::take(&mut outgoing.questions) {
                    self.retry(question.delivery, patience_with(Some(reason)));
                }
                return self.resend_after(id, retry_after);
            }
        }
        if in_doubt || !self.outgoing.contains_key(&id) {
            // Somebody may have it, so its id stays taken.
            self.noted(|records| records.failed(id, FailureReason::NotAccepted));
        }
        self.give_up(id, SendError::Rejected { reason, retry_after, recipients });
    }

    /// It expired: unconfirmed, or confirmed and without a receipt.
    pub(super) fn expired(&mut self, id: MessageId) {
        if self.receipts_given_up(id) {
            return;
        }
        self.note(Note::Expired { id });
        self.noted(|records| records.failed(id, FailureReason::Expired));
        self.give_up(id, SendError::Expired);
        self.end_ask(id);
    }

    /// A server's unsigned word.
    pub(super) fn noticed(&mut self, id: MessageId, reason: FailureReason) {
        self.note(Note::Noticed { id, reason });
        self.noted(|records| records.noticed(id, reason));
    }

    /// The link was lost: what was on it may be stored. Which of these were is the session's to know; that of all of them
    /// is assumed costs no more than a retry by this agent where its caller could have done it.
    pub(super) fn link_was_lost(&mut self) {
        for outgoing in self.outgoing.values_mut() {
            outgoing.in_doubt = true;
        }
    }

    /// Nothing more is tried for it.
    fn give_up(&mut self, id: MessageId, error: SendError) {
        let Some(outgoing) = self.take_outgoing(id) else { return };
        self.noted(|records| records.forget(id));
        for question in outgoing.questions {
            // The program took the question, and its sender learns at least that.
            self.conclude(question, Kind::QUESTION, Verdict::Delivered, Settlement::Ack);
        }
        self.tell(ExchangeOutput::Published { id, outcome: Err(error) });
        // After that, which tells an asker why there will be no answer.
        self.end_ask(id);
    }

    fn end_ask(&mut self, question: MessageId) {
        if self.asks.remove(&question) {
            self.tell(ExchangeOutput::AskEnded { question });
        }
    }

    fn take_outgoing(&mut self, id: MessageId) -> Option<Outgoing> {
        let outgoing = self.outgoing.remove(&id)?;
        if let Some(at) = outgoing.again_at {
            self.resend.remove(&(at, id));
            self.resend_bytes -= outgoing.message.envelope.len();
        }
        Some(outgoing)
    }

    fn resend_after(&mut self, id: MessageId, after: Duration) {
        let at = self.clock.elapsed.saturating_add(after.max(RESEND));
        if let Some(outgoing) = self.outgoing.get_mut(&id)
            && outgoing.again_at.is_none()
        {
            outgoing.again_at = Some(at);
            self.resend.insert((at, id));
            self.resend_bytes += outgoing.message.envelope.len();
        }
    }

    /// Publishes the same bytes again whose wait is over.
    pub(super) fn send_again(&mut self, elapsed: Duration) {
        while let Some(&(at, id)) = self.resend.first() {
            if at > elapsed {
                break;
            }
            self.resend.pop_first();
            let Some(mut outgoing) = self.outgoing.remove(&id) else { continue };
            outgoing.again_at = None;
            self.resend_bytes -= outgoing.message.envelope.len();
            if outgoing.message.expires < self.clock.wall {
                self.outgoing.insert(id, outgoing);
                self.expired(id);
            } else {
                self.enqueue(outgoing);
            }
        }
    }

    /// Whether there is room for an answer: see [`Limits::RESERVED_MESSAGES`]. What waits to be tried again counts.
    pub(super) fn may_answer_now(&self) -> bool {
        let outbox = self.session.outbox();
        let most = self.limits.outbox_messages.saturating_add(Limits::RESERVED_MESSAGES / 2);
        let bytes = outbox.bytes.saturating_add(self.resend_bytes);
        outbox.messages.saturating_add(self.resend.len()) < most
            && bytes < self.limits.outbox_bytes.saturating_add(Limits::RESERVED_BYTES / 2)
    }
}

fn publish_error(error: AgentPublishError, id: MessageId) -> SendError {
    match error {
        AgentPublishError::Full { retry_after } => SendError::Full { retry_after },
        AgentPublishError::Duplicate => SendError::Duplicate(id),
        AgentPublishError::TooLarge { len, limit } => SendError::TooLarge { len, limit },
        _ => SendError::Stopped,
    }
}
