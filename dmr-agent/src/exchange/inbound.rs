//! What comes in: decoded, opened, guarded against replays, and routed by its kind.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::content::{Content, Message, RECEIPTS_TYPE, Receipts, Reference, Verdict};
use dmr_core::envelope::Envelope;
use dmr_core::frame::Settlement;
use dmr_core::header::Kind;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::limit::CLOCK_SKEW;
use dmr_core::reason::FailureReason;
use dmr_core::replay::Admission;
use dmr_core::session::DeliveryId;
use dmr_crypto::{OpenError, VerifyError};
use tokio::sync::mpsc::error::TrySendError;

use super::parked::Parked;
use super::replay::Remembered;
use super::settling::Taken;
use super::{Exchange, Reply};
use crate::delivery::{Delivery, Handle};
use crate::message::IncomingMessage;
use crate::message_status::MessageStatus;
use crate::observe;
use crate::records::Claim;

/// How long a program may take over a message before a copy of it is processed: as long as servers wait.
const LEASE: Duration = Duration::from_secs(600);
/// When a message comes again that a newer directory may make readable, after a wait for that directory here.
const DIRECTORY_RETRY: Duration = Duration::from_secs(10);
/// When a copy comes again whose original the program still holds.
const IN_PROGRESS_RETRY: Duration = Duration::from_secs(2);
/// When a message comes again that the program has no room for.
const BUSY_RETRY: Duration = Duration::from_secs(1);
/// When a message comes again that no program takes.
const NO_PROGRAM_RETRY: Duration = Duration::from_secs(30);

impl Exchange {
    /// An envelope came in.
    pub(super) fn delivered(&mut self, delivery: DeliveryId, attempt: u32, bytes: Bytes) {
        let Ok(envelope) = Envelope::decode(bytes) else {
            if self.switches.guest {
                return self.leave(delivery, attempt);
            }
            observe::refused(FailureReason::Malformed);
            return self.settle(delivery, Settlement::Reject { reason: FailureReason::Malformed });
        };
        if self.is_for_others(envelope.header().kind) {
            return self.leave(delivery, attempt);
        }
        let parked = Parked { delivery, attempt, envelope: envelope.bytes().clone() };
        let Some(directory) = self.sealer.directory() else { return self.await_directory(parked) };
        let wall = self.sealer.clock().wall();
        let opened = dmr_crypto::open(&self.sealer.keyring(), &directory, &envelope, wall);
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return self.not_opened(parked, &envelope, &error),
        };
        let header = envelope.header();
        let taken =
            Taken { delivery, sender: opened.sender, envelope: Reference { id: opened.id, digest: opened.digest } };
        let Content::V1(content) = opened.content else {
            if self.switches.guest {
                return self.leave(delivery, attempt);
            }
            return self.refuse(taken, header.kind, FailureReason::Malformed);
        };
        match header.kind {
            // A receipt says the same however often it comes, so the guard need not remember it.
            Kind::RECEIPT => return self.receipts_came(taken, attempt, &content),
            Kind::CONTROL => return self.settle(delivery, Settlement::Ack),
            _ => {}
        }
        match self.guard.admit(taken.sender, taken.envelope, opened.expires, LEASE, wall) {
            Admission::Process => {
                tracing::debug!(id = %opened.id, sender = %opened.sender, kind = %header.kind, attempt, "opened");
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
                observe::refused(FailureReason::Replayed);
                self.refuse(taken, header.kind, FailureReason::Replayed);
            }
            Admission::Full { retry_after } => self.retry(delivery, retry_after),
        }
    }

    /// What could not be opened: comes again when the directory may be to blame, is refused otherwise. Its sender is
    /// told only when the signature is its own.
    fn not_opened(&mut self, parked: Parked, envelope: &Envelope, error: &OpenError) {
        let delivery = parked.delivery;
        let header = envelope.header();
        let now = self.sealer.clock().now();
        tracing::warn!(id = %header.id, sender = %header.sender, %error, "an envelope was not opened");
        if matches!(error, OpenError::Refused(VerifyError::DirectoryForked { .. })) {
            // A claim, not a proof: only a second signed document stops sealing, and fetching would bring it.
            tracing::error!(sender = %header.sender, "ALARM: a sender was shown another directory of our revision, or lies");
            observe::fork_claimed();
        }
        if error.wants_directory() && now.wall <= header.expires.plus(CLOCK_SKEW) {
            return self.await_directory(parked);
        }
        if self.switches.guest {
            return self.leave(delivery, parked.attempt);
        }
        let reason = error.failure_reason();
        observe::refused(reason);
        if error.sender_is_known() && header.recipients.contains(self.sealer.participant()) {
            let reference = Reference { id: header.id, digest: dmr_crypto::digest_of(envelope) };
            self.refuse(Taken { delivery, sender: header.sender, envelope: reference }, header.kind, reason);
        } else {
            self.settle(delivery, Settlement::Reject { reason });
        }
    }

    fn await_directory(&mut self, parked: Parked) {
        let now = self.sealer.clock().now();
        self.session.fetch_directory(now);
        self.parked.park(parked, now.elapsed);
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
        observe::replayed();
        if let Remembered::Answered(answer) = remembered {
            if self.join_answer(answer, taken) {
                return;
            }
            // Confirmed before: the outbox keeps the same bytes until the asker's receipt, and sends them again when
            // a server forgot them. Otherwise the asker gets at least a receipt.
            let kept = self.with_records(|records| records.status(answer));
            if !matches!(kept, None | Some(MessageStatus::Failed { .. })) {
                return self.settle(taken.delivery, Settlement::Ack);
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
            if self.switches.guest {
                return self.leave_answer(taken, message.attempt);
            }
            return self.refuse_new(taken, message.kind, FailureReason::Malformed);
        };
        let (id, from) = (message.reference.id, taken.sender);
        let claim = match message.kind {
            Kind::ANSWER => self.with_records(|records| records.answered(from, question, id)),
            _ => self.with_records(|records| records.declined(from, question)),
        };
        match claim {
            Claim::Foreign => {
                tracing::warn!(%id, sender = %from, "an answer by someone who was not asked, or to another text");
                return self.refuse_new(taken, message.kind, FailureReason::Unsolicited);
            }
            Claim::Unknown if self.switches.guest => return self.leave_answer(taken, message.attempt),
            Claim::Unknown => {}
            Claim::Noted { all_spoke } => {
                message.solicited = true;
                observe::message("answered");
                self.spoke(question.id, all_spoke);
            }
        }
        let ask = if message.solicited { self.asks.remove(&question.id) } else { None };
        self.hand_over(taken, message, ask);
    }

    fn leave_answer(&mut self, taken: Taken, attempt: u32) {
        self.guard.release(taken.sender, taken.envelope);
        self.leave(taken.delivery, attempt);
    }

    fn refuse_new(&mut self, taken: Taken, kind: Kind, reason: FailureReason) {
        observe::refused(reason);
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

    /// Gives a message to whoever asked for it, or else to the program's stream.
    fn hand_over(&mut self, taken: Taken, message: IncomingMessage, ask: Option<tokio::sync::oneshot::Sender<Reply>>) {
        let Ok(permit) = self.outlets.settlings.clone().try_reserve_owned() else {
            if let (Some(ask), Some(question)) = (ask, message.content.in_reply_to) {
                self.asks.insert(question.id, ask);
            }
            self.guard.release(taken.sender, taken.envelope);
            return self.retry(taken.delivery, BUSY_RETRY);
        };
        let since = self.sealer.clock().now().elapsed;
        let handle = Handle { permit, delivery: taken.delivery, since, sealer: self.sealer.clone() };
        let mut delivery = Delivery::new(message, handle);
        if let Some(ask) = ask {
            match ask.send(Reply::Answer(Box::new(delivery))) {
                Ok(()) | Err(Reply::Failed(_)) => return,
                // Nobody waits any more: it is late, and comes as any other message.
                Err(Reply::Answer(late)) => delivery = *late,
            }
        }
        match self.outlets.program.try_send(delivery) {
            Ok(()) => {}
            Err(TrySendError::Full(delivery)) => delivery.retry(BUSY_RETRY),
            Err(TrySendError::Closed(delivery)) => delivery.retry(NO_PROGRAM_RETRY),
        }
    }

    /// Receipts came: each is believed only from a recipient of the very envelope.
    fn receipts_came(&mut self, taken: Taken, attempt: u32, content: &Message) {
        let receipts = if content.content_type == RECEIPTS_TYPE { Receipts::decode(&content.body).ok() } else { None };
        let Some(receipts) = receipts else {
            if self.switches.guest {
                return self.leave(taken.delivery, attempt);
            }
            observe::refused(FailureReason::Malformed);
            return self.settle(taken.delivery, Settlement::Reject { reason: FailureReason::Malformed });
        };
        let mut all_known = true;
        for receipt in receipts {
            all_known &= self.receipt_came(taken.sender, receipt.envelope, receipt.verdict);
        }
        // Those that are known were noted, and are noted again without effect.
        if all_known || !self.leave_receipts(taken.delivery, attempt) {
            self.settle(taken.delivery, Settlement::Ack);
        }
    }

    /// `false`: it names no message of this process.
    fn receipt_came(&mut self, from: ParticipantId, envelope: Reference, verdict: Verdict) -> bool {
        match self.with_records(|records| records.receipted(from, envelope, verdict)) {
            Claim::Noted { all_spoke } => {
                observe::receipts("noted", 1);
                self.spoke(envelope.id, all_spoke);
                let status = self.with_records(|records| records.status(envelope.id));
                if let Some(MessageStatus::Failed { reason, signed: true }) = status {
                    observe::message("failed");
                    if let Some(ask) = self.asks.remove(&envelope.id) {
                        // Whoever gave up waiting needs no word.
                        let _ = ask.send(Reply::Failed(reason));
                    }
                }
            }
            Claim::Unknown => {
                observe::receipts("unknown", 1);
                return false;
            }
            Claim::Foreign => {
                tracing::warn!(id = %envelope.id, %from, "a receipt by someone who has not the message it names");
                observe::receipts("foreign", 1);
            }
        }
        true
    }
}
