//! What comes in: decoded, opened, guarded against replays, and routed by its kind.

use std::time::Duration;

use super::parked::Parked;
use super::records::Claim;
use super::replay::Remembered;
use super::settling::Taken;
use super::{Exchange, ExchangeOutput, InHand, IncomingMessage, MessageStatus, NotOpened, Note, Sealing};
use crate::content::{Content, Message, RECEIPTS_TYPE, Receipts, Reference, Verdict};
use crate::envelope::Envelope;
use crate::frame::Settlement;
use crate::header::Kind;
use crate::id::{MessageId, ParticipantId};
use crate::limit::CLOCK_SKEW;
use crate::reason::FailureReason;
use crate::replay::Admission;
use crate::session::DeliveryId;
use bytes::Bytes;

/// How long a program may take over a message before a copy of it is processed: as long as servers wait.
const LEASE: Duration = Duration::from_secs(600);
/// When a message comes again that a newer directory may make readable, after a wait for that directory here.
const DIRECTORY_RETRY: Duration = Duration::from_secs(10);
/// When a copy comes again whose original the program still holds.
const IN_PROGRESS_RETRY: Duration = Duration::from_secs(2);
/// When a message comes again that the program has no room for.
const BUSY_RETRY: Duration = Duration::from_secs(1);

impl<S: Sealing> Exchange<S> {
    /// An envelope came in.
    pub(super) fn delivered(&mut self, delivery: DeliveryId, attempt: u32, bytes: Bytes) {
        let Ok(envelope) = Envelope::decode(bytes) else {
            if self.guest {
                return self.leave(delivery, attempt);
            }
            self.note(Note::Refused { reason: FailureReason::Malformed });
            return self.settle_at_server(delivery, Settlement::Reject { reason: FailureReason::Malformed });
        };
        if self.is_for_others(envelope.header().kind) {
            return self.leave(delivery, attempt);
        }
        let parked = Parked { delivery, attempt, envelope: envelope.bytes().clone() };
        if self.sealing.directory_revision().is_none() {
            return self.await_directory(parked);
        }
        let opened = match self.sealing.open(&envelope, self.clock.wall) {
            Ok(opened) => opened,
            Err(error) => return self.not_opened(parked, &envelope, error),
        };
        let header = envelope.header();
        let taken = Taken { delivery, sender: opened.sender, envelope: opened.reference };
        let Content::V1(content) = opened.content;
        match header.kind {
            // A receipt says the same however often it comes, so the guard need not remember it.
            Kind::RECEIPT => return self.receipts_came(taken, attempt, &content),
            Kind::CONTROL => return self.settle_at_server(delivery, Settlement::Ack),
            _ => {}
        }
        match self.guard.admit(taken.sender, taken.envelope, opened.expires, LEASE, self.clock.wall) {
            Admission::Process => {
                self.note(Note::Opened { id: taken.envelope.id, sender: taken.sender, kind: header.kind, attempt });
                let message = IncomingMessage {
                    reference: taken.envelope,
                    sender: taken.sender,
                    recipients: header.recipients.as_slice().iter().map(|recipient| recipient.participant).collect(),
                    kind: header.kind,
                    created: header.created,
                    expires: header.expires,
                    content,
                    attempt,
                    solicited: false,
                };
                self.route(taken, message);
            }
            Admission::InProgress { retry_after } => self.retry(delivery, retry_after.min(IN_PROGRESS_RETRY)),
            Admission::Done(remembered) => self.repeat(taken, header.kind, remembered),
            Admission::Conflict => {
                self.note(Note::Refused { reason: FailureReason::Replayed });
                self.refuse(taken, header.kind, FailureReason::Replayed);
            }
            Admission::Full { retry_after } => self.retry(delivery, retry_after),
        }
    }

    /// What could not be opened: comes again when the directory may be to blame, is refused otherwise. Its sender is
    /// told only when the signature is its own.
    fn not_opened(&mut self, parked: Parked, envelope: &Envelope, error: NotOpened) {
        let delivery = parked.delivery;
        let header = envelope.header();
        let NotOpened { reason, wants_directory, sender_is_known, claims_fork, error } = error;
        self.note(Note::NotOpened { id: header.id, sender: header.sender, error });
        if claims_fork {
            // A claim, not a proof: only a second signed document stops sealing, and fetching would bring it.
            self.note(Note::ForkClaimed { sender: header.sender });
        }
        if wants_directory && self.clock.wall <= header.expires.plus(CLOCK_SKEW) {
            return self.await_directory(parked);
        }
        if self.guest {
            return self.leave(delivery, parked.attempt);
        }
        self.note(Note::Refused { reason });
        if sender_is_known && header.recipients.contains(self.sealing.participant()) {
            let reference = Reference { id: header.id, digest: self.sealing.digest(envelope) };
            self.refuse(Taken { delivery, sender: header.sender, envelope: reference }, header.kind, reason);
        } else {
            self.settle_at_server(delivery, Settlement::Reject { reason });
        }
    }

    fn await_directory(&mut self, parked: Parked) {
        self.session.fetch_directory(self.clock);
        self.parked.park(parked, self.clock.elapsed);
    }

    /// There is a new directory: what waited for one is looked at again.
    pub(super) fn open_parked(&mut self) {
        for Parked { delivery, attempt, envelope } in self.parked.take_all() {
            self.delivered(delivery, attempt, envelope);
        }
    }

    /// No newer directory came in time: the server keeps these for later.
    pub(super) fn return_parked(&mut self, elapsed: Duration) {
        while let Some(parked) = self.parked.take_overdue(elapsed) {
            self.retry(parked.delivery, DIRECTORY_RETRY);
        }
    }

    /// A copy of what was handled before: the same verdict again, and nothing to the program.
    fn repeat(&mut self, taken: Taken, kind: Kind, remembered: Remembered) {
        self.note(Note::Repeated);
        if let Remembered::Answered(answer) = remembered {
            if self.join_answer(answer, taken) {
                return;
            }
            // Confirmed before: the outbox keeps the same bytes until the asker's receipt, and sends them again when
            // a server forgot them. Otherwise the asker gets at least a receipt.
            let kept = self.noted(|records| records.status(answer));
            if !matches!(kept, None | Some(MessageStatus::Failed { .. })) {
                return self.settle_at_server(taken.delivery, Settlement::Ack);
            }
        }
        let settlement = match remembered {
            Remembered::Failed(reason) => Settlement::Reject { reason },
            Remembered::Delivered | Remembered::Answered(_) => Settlement::Ack,
        };
        self.conclude(taken, kind, remembered.verdict(), settlement);
    }

    fn route(&mut self, taken: Taken, mut message: IncomingMessage) {
        if !matches!(message.kind, Kind::ANSWER | Kind::DECLINE) {
            return self.hand_over(taken, message, None);
        }
        let Some(question) = message.content.in_reply_to else {
            if self.guest {
                return self.leave_answer(taken, message.attempt);
            }
            return self.refuse_new(taken, message.kind, FailureReason::Malformed);
        };
        let (id, from) = (message.reference.id, taken.sender);
        let claim = match message.kind {
            Kind::ANSWER => self.noted(|records| records.answered(from, question, id)),
            _ => self.noted(|records| records.declined(from, question)),
        };
        match claim {
            Claim::Foreign => {
                self.note(Note::UnaskedAnswer { id, sender: from });
                return self.refuse_new(taken, message.kind, FailureReason::Unsolicited);
            }
            Claim::Unknown if self.guest => return self.leave_answer(taken, message.attempt),
            Claim::Unknown => {}
            Claim::Noted { all_spoke } => {
                message.solicited = true;
                self.note(Note::Answered);
                self.spoke(question.id, all_spoke);
            }
        }
        let asker = message.solicited.then_some(question.id);
        self.hand_over(taken, message, asker);
    }

    fn leave_answer(&mut self, taken: Taken, attempt: u32) {
        self.guard.release(taken.sender, taken.envelope);
        self.leave(taken.delivery, attempt);
    }

    fn refuse_new(&mut self, taken: Taken, kind: Kind, reason: FailureReason) {
        self.note(Note::Refused { reason });
        self.guard.finish(taken.sender, taken.envelope, Remembered::Failed(reason));
        self.refuse(taken, kind, reason);
    }

    /// A recipient spoke of a message of ours, which therefore was accepted, whatever becomes of the confirm.
    fn spoke(&mut self, id: MessageId, all_spoke: bool) {
        if all_spoke {
            self.session.receipted(id);
            self.confirmed(id);
        }
    }

    /// Gives a message to whoever asked for it, or else to the program.
    fn hand_over(&mut self, taken: Taken, message: IncomingMessage, question: Option<MessageId>) {
        if self.in_hand >= self.most_in_hand {
            self.guard.release(taken.sender, taken.envelope);
            return self.retry(taken.delivery, BUSY_RETRY);
        }
        self.in_hand += 1;
        let Taken { delivery, sender, envelope } = taken;
        let in_hand = InHand { delivery, sender, envelope, kind: message.kind, since: self.clock.elapsed };
        let message = Box::new(message);
        match question.filter(|question| self.asks.remove(question)) {
            Some(question) => self.tell(ExchangeOutput::Answer { question, message, in_hand }),
            None => self.tell(ExchangeOutput::Delivery { message, in_hand }),
        }
    }

    /// Receipts came: each is believed only from a recipient of the very envelope.
    fn receipts_came(&mut self, taken: Taken, attempt: u32, content: &Message) {
        let receipts = if content.content_type == RECEIPTS_TYPE { Receipts::decode(&content.body).ok() } else { None };
        let Some(receipts) = receipts else {
            if self.guest {
                return self.leave(taken.delivery, attempt);
            }
            self.note(Note::Refused { reason: FailureReason::Malformed });
            return self.settle_at_server(taken.delivery, Settlement::Reject { reason: FailureReason::Malformed });
        };
        let mut all_known = true;
        for receipt in receipts {
            all_known &= self.receipt_came(taken.sender, receipt.envelope, receipt.verdict);
        }
        // Those that are known were noted, and are noted again without effect.
        if all_known || !self.leave_receipts(taken.delivery, attempt) {
            self.settle_at_server(taken.delivery, Settlement::Ack);
        }
    }

    /// `false`: it names no message of this process.
    fn receipt_came(&mut self, from: ParticipantId, envelope: Reference, verdict: Verdict) -> bool {
        match self.noted(|records| records.receipted(from, envelope, verdict)) {
            Claim::Noted { all_spoke } => {
                self.note(Note::ReceiptNoted);
                self.spoke(envelope.id, all_spoke);
                let status = self.noted(|records| records.status(envelope.id));
                if let Some(MessageStatus::Failed { reason, signed: true }) = status {
                    self.note(Note::Failed);
                    if self.asks.remove(&envelope.id) {
                        self.tell(ExchangeOutput::AskFailed { question: envelope.id, reason });
                    }
                }
            }
            Claim::Unknown => {
                self.note(Note::ReceiptUnknown);
                return false;
            }
            Claim::Foreign => {
                self.note(Note::ForeignReceipt { id: envelope.id, sender: from });
            }
        }
        true
    }
}
