//! What became of deliveries: remembered, told to their senders, and then settled at the server.
//!
//! ```text
//! program settles ─▶ guard remembers ─▶ receipt (or answer) ─▶ confirmed ─▶ settled at the server
//! ```
//!
//! A crash anywhere in between delivers the message again; the guard then repeats the verdict.

use std::time::Duration;

use bytes::Bytes;

use super::receipt_desk::Owed;
use super::replay::Remembered;
use super::{Exchange, InHand, Note, Outcome, Sealing, SendError};
use crate::codec;
use crate::content::{Message, RECEIPTS_TYPE, Receipt, Receipts, Reference, Verdict};
use crate::frame::Settlement;
use crate::header::Kind;
use crate::id::{MessageId, ParticipantId};
use crate::reason::{FailureReason, RejectReason};
use crate::session::{AgentPublication, DeliveryId};
use crate::time::Now;

/// When a delivery comes again whose receipt cannot be sent now. Its verdict is remembered.
const RECEIPT_LATER: Duration = Duration::from_secs(10);

/// How long deliveries wait for the confirm of their receipts. They take up the prefetch, so that without a bound one
/// sender whose own mailbox is full would keep every other sender's messages out.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(10);
/// When a sender whose own mailbox is full is tried again.
const STUCK: Duration = Duration::from_secs(60);

/// When something that a server could not take for this reason is worth another try: a mailbox that is full stays so for a
/// while, and concerns one participant; anything else passes for all at once.
pub(super) fn patience_with(reason: Option<RejectReason>) -> Duration {
    if reason == Some(RejectReason::MailboxFull) { STUCK } else { RECEIPT_LATER }
}

/// A delivery whose fate is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) delivery: DeliveryId,
    pub(super) sender: ParticipantId,
    pub(super) envelope: Reference,
}

/// A receipt message on its way, and what its confirm settles.
#[derive(Debug)]
pub(super) struct ReceiptMessage {
    to: ParticipantId,
    owed: Vec<Owed<DeliveryId>>,
    /// When its deliveries have waited long enough, on the clock's `elapsed`.
    until: Duration,
}

impl<S: Sealing> Exchange<S> {
    /// The program has settled a message. With [`Outcome::Answer`] the answer's end is told by
    /// [`ExchangeOutput::Published`](super::ExchangeOutput::Published), unless this returns an error.
    ///
    /// # Errors
    /// For an answer only. [`SendError::Full`]: there is no room for it, and the question comes again.
    /// [`SendError::Duplicate`]: another delivery of the question was answered before, and that answer stands.
    pub fn settle(&mut self, in_hand: InHand, outcome: Outcome, now: Now) -> Result<(), SendError> {
        self.clock = now;
        let InHand { delivery, sender, envelope, kind, since } = in_hand;
        self.in_hand = self.in_hand.saturating_sub(1);
        let taken = Taken { delivery, sender, envelope };
        let took = now.elapsed.saturating_sub(since);
        match outcome {
            Outcome::Ack => {
                self.note(Note::Settled { how: "ack", took });
                self.guard.finish(sender, envelope, Remembered::Delivered);
                self.conclude(taken, kind, Verdict::Delivered, Settlement::Ack);
            }
            Outcome::Reject(reason) => {
                self.note(Note::Settled { how: "reject", took });
                self.guard.finish(sender, envelope, Remembered::Failed(reason));
                self.conclude(taken, kind, Verdict::Failed(reason), Settlement::Reject { reason });
            }
            Outcome::Retry(after) => {
                self.note(Note::Settled { how: "retry", took });
                self.guard.release(sender, envelope);
                self.retry(delivery, after);
            }
            Outcome::Answer(_) if !self.may_answer_now() => {
                self.guard.release(sender, envelope);
                self.retry(delivery, RECEIPT_LATER);
                return Err(SendError::Full { retry_after: RECEIPT_LATER });
            }
            Outcome::Answer(answer) => {
                self.note(Note::Settled { how: "answer", took });
                self.guard.finish(sender, envelope, Remembered::Answered(answer.reference.id));
                return self.publish_answer(taken, answer);
            }
        }
        Ok(())
    }

    /// Tells the sender the verdict, and settles the delivery once the server has the receipt.
    pub(super) fn conclude(&mut self, taken: Taken, kind: Kind, verdict: Verdict, settlement: Settlement) {
        let Taken { delivery, sender, envelope } = taken;
        if !self.receipts || !kind.wants_receipt() {
            return self.settle_at_server(delivery, settlement);
        }
        let Now { wall, elapsed } = self.clock;
        let receipt = Receipt { envelope, verdict, at: wall };
        if !self.desk.owe(sender, Owed { receipt, delivery, settlement }, elapsed) {
            self.retry(delivery, self.desk.stuck_for(sender, elapsed).unwrap_or(RECEIPT_LATER));
        }
    }

    /// Refuses an envelope without asking the program; its signature has verified, so its sender is told.
    pub(super) fn refuse(&mut self, taken: Taken, kind: Kind, reason: FailureReason) {
        self.conclude(taken, kind, Verdict::Failed(reason), Settlement::Reject { reason });
    }

    /// Seals and publishes the receipts that are due.
    pub(super) fn send_receipts(&mut self) {
        self.send_receipts_due(self.clock.elapsed);
    }

    /// Seals and publishes all receipts that wait.
    pub(super) fn send_every_receipt(&mut self) {
        self.send_receipts_due(Duration::MAX);
    }

    fn send_receipts_due(&mut self, elapsed: Duration) {
        while let Some((to, owed)) = self.desk.due(elapsed) {
            if let Err((error, owed)) = self.send_receipt_message(to, owed) {
                self.desk.concluded(to);
                self.without_receipt(to, error, owed);
            }
        }
    }

    fn send_receipt_message(
        &mut self,
        to: ParticipantId,
        owed: Vec<Owed<DeliveryId>>,
    ) -> Result<(), (SendError, Vec<Owed<DeliveryId>>)> {
        let receipts = Receipts::V1(owed.iter().map(|owed| owed.receipt).collect());
        let body = match codec::encode(&receipts) {
            Ok(body) => Bytes::from(body),
            Err(error) => return Err((SendError::Seal(error.to_string().into()), owed)),
        };
        let content = Message {
            content_type: RECEIPTS_TYPE.to_owned(),
            conversation: None,
            sequence: None,
            room: None,
            in_reply_to: None,
            body,
        };
        let sealed = match self.sealing.seal_for(to, Kind::RECEIPT, content, self.clock.wall) {
            Ok(sealed) => sealed,
            Err(error) => return Err((error, owed)),
        };
        let id = sealed.reference.id;
        let publication = AgentPublication { id, envelope: sealed.envelope, expires: sealed.expires, keep: false };
        if self.session.publish(publication, self.clock).is_err() {
            return Err((SendError::Full { retry_after: RECEIPT_LATER }, owed));
        }
        self.note(Note::ReceiptsSent { count: owed.len() });
        let until = self.clock.elapsed.saturating_add(RECEIPT_PATIENCE);
        self.receipt_messages.insert(id, ReceiptMessage { to, owed, until });
        Ok(())
    }

    /// Receipts that cannot be sent. For now: the deliveries come again. Ever: they are settled, and their senders
    /// learn of it when the messages expire.
    fn without_receipt(&mut self, to: ParticipantId, error: SendError, owed: Vec<Owed<DeliveryId>>) {
        let later = error.is_retryable() || matches!(error, SendError::Seal(_));
        self.note(Note::ReceiptsUnsent { to, count: owed.len(), error, later });
        for Owed { delivery, settlement, .. } in owed {
            if later {
                self.retry(delivery, RECEIPT_LATER);
            } else {
                self.settle_at_server(delivery, settlement);
            }
        }
    }

    /// A receipt message was confirmed: settles what it spoke of. `false`: `id` is something else.
    pub(super) fn receipts_confirmed(&mut self, id: MessageId) -> bool {
        let Some(message) = self.receipt_messages.remove(&id) else { return false };
        self.desk.concluded(message.to);
        for Owed { delivery, settlement, .. } in message.owed {
            self.settle_at_server(delivery, settlement);
        }
        true
    }

    /// A server can take them again: what had no confirm is sent anew, and its wait begins anew.
    pub(super) fn receipts_go_on(&mut self) {
        let until = self.clock.elapsed.saturating_add(RECEIPT_PATIENCE);
        for message in self.receipt_messages.values_mut() {
            message.until = until;
        }
    }

    /// Gives deliveries back whose receipts nobody takes: they come again, and their verdicts are remembered. A sender whose
    /// own mailbox is full is left alone for [`STUCK`]; anything else passes for all senders at once, and is tried sooner.
    pub(super) fn return_unreceipted(&mut self, elapsed: Duration) {
        while self.next_unreceipted().is_some_and(|until| until <= elapsed) {
            let Some((id, ReceiptMessage { to, owed, .. })) = self.receipt_messages.pop_first() else { return };
            self.note(Note::ReceiptsStuck { to, count: owed.len() });
            let wait = patience_with(self.session.held_for(id));
            self.session.receipted(id);
            self.desk.concluded(to);
            let rest = self.desk.stuck(to, elapsed.saturating_add(wait));
            for Owed { delivery, .. } in owed.into_iter().chain(rest) {
                self.retry(delivery, wait);
            }
        }
    }

    /// When [`Self::return_unreceipted`] has something: the oldest message, whose id is the lowest, comes first.
    pub(super) fn next_unreceipted(&self) -> Option<Duration> {
        let oldest = self.receipt_messages.first_key_value().filter(|_| self.server.is_some());
        oldest.map(|(_, message)| message.until)
    }

    /// A receipt message was refused for good or expired. `false`: `id` is something else.
    pub(super) fn receipts_given_up(&mut self, id: MessageId) -> bool {
        self.receipts_confirmed(id)
    }
}
