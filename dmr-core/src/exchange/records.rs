//! What became of the messages this process sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::MessageStatus;
use crate::content::{Reference, Verdict};
use crate::header::Kind;
use crate::id::{Digest, MessageId, ParticipantId};
use crate::reason::FailureReason;

/// Whether what a recipient said concerns a message of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It does, and was noted. `all_spoke`: every recipient has now said what became of it.
    Noted { all_spoke: bool },
    /// This process knows no such message: another replica may, or the process before this one.
    Unknown,
    /// The message is known, and this sender or digest is not part of it.
    Foreign,
}

#[derive(Debug)]
struct Record {
    digest: Digest,
    /// Whether it may be answered.
    is_question: bool,
    recipients: Vec<(ParticipantId, Option<Verdict>)>,
    status: MessageStatus,
    /// What a server said of it last, unsigned.
    notice: Option<FailureReason>,
}

/// What is known of the messages of this process, after the exchange that sends them. Clones look at the same.
///
/// Messages without an end are bounded by the outbox; of those with one the newest `capacity` are kept.
#[derive(Debug, Clone)]
pub struct Records {
    table: Arc<Mutex<Table>>,
}

impl Records {
    /// Nothing yet, and at most this many messages after their end.
    pub fn new(capacity: usize) -> Self {
        Self { table: Arc::new(Mutex::new(Table::new(capacity))) }
    }

    /// What is known of a message; `None` for one that this process did not send, that no server took, or that has been
    /// forgotten since its end.
    pub fn status(&self, id: MessageId) -> Option<MessageStatus> {
        self.table().status(id)
    }

    /// What a server said last of a message: that it failed. It is advice: nobody signed it, and a signed word of the
    /// recipient's overrides it in [`Self::status`].
    pub fn notice(&self, id: MessageId) -> Option<FailureReason> {
        self.table().notice(id)
    }

    /// The table is whole after every call, so a panic elsewhere while it was locked harms nothing.
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The table behind [`Records`].
#[derive(Debug)]
pub(super) struct Table {
    capacity: usize,
    records: BTreeMap<MessageId, Record>,
    ended: VecDeque<MessageId>,
    /// Messages whose status has changed since it was last asked.
    changed: Vec<MessageId>,
}

impl Table {
    fn new(capacity: usize) -> Self {
        Self { capacity, records: BTreeMap::new(), ended: VecDeque::new(), changed: Vec::new() }
    }

    /// The messages whose status has changed since the last call. To be asked after every change.
    pub(super) fn take_changed(&mut self) -> Vec<MessageId> {
        std::mem::take(&mut self.changed)
    }

    /// A message is in the outbox. `false`: its id is taken.
    pub(super) fn begin(&mut self, message: Reference, kind: Kind, recipients: &[ParticipantId]) -> bool {
        if self.records.contains_key(&message.id) {
            return false;
        }
        let recipients = recipients.iter().map(|recipient| (*recipient, None)).collect();
        let (digest, is_question) = (message.digest, kind == Kind::QUESTION);
        let record = Record { digest, is_question, recipients, status: MessageStatus::Pending, notice: None };
        self.records.insert(message.id, record);
        true
    }

    /// It was never published, or refused for good: its id is free again.
    pub(super) fn forget(&mut self, id: MessageId) {
        if self.records.get(&id).is_some_and(|record| !record.status.is_final()) {
            self.records.remove(&id);
            self.changed.push(id);
        }
    }

    /// A server confirmed it.
    pub(super) fn accepted(&mut self, id: MessageId) {
        if let Some(record) = self.records.get_mut(&id)
            && record.status == MessageStatus::Pending
        {
            record.status = MessageStatus::Accepted;
            self.changed.push(id);
        }
    }

    /// Nobody will speak of it any more: it is kept like those that have an end.
    pub(super) fn retire(&mut self, id: MessageId) {
        if self.records.get(&id).is_some_and(|record| !record.status.is_final()) {
            self.ended.push_back(id);
            self.trim();
        }
    }

    /// It is over without a word from its recipients.
    pub(super) fn failed(&mut self, id: MessageId, reason: FailureReason) {
        if self.records.get(&id).is_some_and(|record| !record.status.is_final()) {
            self.end(id, MessageStatus::Failed { reason, signed: false });
        }
    }

    /// A server says, unsigned, that it failed: advice, kept beside what its recipients sign.
    pub(super) fn noticed(&mut self, id: MessageId, reason: FailureReason) {
        if let Some(record) = self.records.get_mut(&id) {
            record.notice = Some(reason);
        }
        self.failed(id, reason);
    }

    /// A recipient's signed receipt. Delivered beats failed; both beat what nobody signed.
    pub(super) fn receipted(&mut self, from: ParticipantId, message: Reference, verdict: Verdict) -> Claim {
        let Some(record) = self.records.get_mut(&message.id) else { return Claim::Unknown };
        let Some(slot) = slot(record, from, message.digest) else { return Claim::Foreign };
        if !matches!(*slot, Some(Verdict::Delivered | Verdict::Read)) {
            *slot = Some(verdict);
        }
        self.conclude(message.id)
    }

    /// A recipient declined to answer it; counts as a receipt that says delivered.
    pub(super) fn declined(&mut self, from: ParticipantId, question: Reference) -> Claim {
        if self.records.get(&question.id).is_some_and(|record| !record.is_question) {
            return Claim::Foreign;
        }
        self.receipted(from, question, Verdict::Delivered)
    }

    /// A recipient's answer to it; counts as a receipt that says delivered.
    pub(super) fn answered(&mut self, from: ParticipantId, question: Reference, answer: MessageId) -> Claim {
        let claim = self.declined(from, question);
        if matches!(claim, Claim::Noted { .. }) {
            self.end(question.id, MessageStatus::Answered { answer });
        }
        claim
    }

    fn conclude(&mut self, id: MessageId) -> Claim {
        let Some(record) = self.records.get(&id) else { return Claim::Unknown };
        let all_spoke = record.recipients.iter().all(|(_, verdict)| verdict.is_some());
        if all_spoke && !matches!(record.status, MessageStatus::Answered { .. }) {
            let failure = record.recipients.iter().find_map(|(_, verdict)| match verdict {
                Some(Verdict::Failed(reason)) => Some(*reason),
                _ => None,
            });
            let status = match failure {
                Some(reason) => MessageStatus::Failed { reason, signed: true },
                None => MessageStatus::Delivered,
            };
            self.end(id, status);
        }
        Claim::Noted { all_spoke }
    }

    fn end(&mut self, id: MessageId, status: MessageStatus) {
        let Some(record) = self.records.get_mut(&id) else { return };
        if !record.status.is_final() {
            self.ended.push_back(id);
        }
        record.status = status;
        self.changed.push(id);
        self.trim();
    }

    fn trim(&mut self) {
        while self.ended.len() > self.capacity {
            if let Some(oldest) = self.ended.pop_front() {
                self.records.remove(&oldest);
                self.changed.push(oldest);
            }
        }
    }

    /// What is known of the message.
    pub(super) fn status(&self, id: MessageId) -> Option<MessageStatus> {
        self.records.get(&id).map(|record| record.status)
    }

    /// What a server said of the message last.
    pub(super) fn notice(&self, id: MessageId) -> Option<FailureReason> {
        self.records.get(&id).and_then(|record| record.notice)
    }
}

fn slot(record: &mut Record, from: ParticipantId, digest: Digest) -> Option<&mut Option<Verdict>> {
    if record.digest != digest {
        return None;
    }
    record.recipients.iter_mut().find(|(recipient, _)| *recipient == from).map(|(_, verdict)| verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(number: u8) -> ParticipantId {
        ParticipantId::from_custom_bytes([number; 16])
    }

    fn message(number: u8) -> Reference {
        Reference { id: MessageId::from_custom_bytes([number; 16]), digest: Digest([number; 32]) }
    }

    fn sent(to: &[u8]) -> Table {
        let mut records = Table::new(2);
        let recipients: Vec<_> = to.iter().map(|number| participant(*number)).collect();
        assert!(records.begin(message(1), Kind::QUESTION, &recipients));
        records.accepted(message(1).id);
        records
    }

    const REFUSED: Verdict = Verdict::Failed(FailureReason::Refused);

    #[test]
    fn a_message_is_delivered_when_every_recipient_has_said_so() {
        let mut records = sent(&[1, 2]);
        assert_eq!(
            records.receipted(participant(1), message(1), Verdict::Delivered),
            Claim::Noted { all_spoke: false }
        );
        assert_eq!(records.status(message(1).id), Some(MessageStatus::Accepted));
        assert_eq!(records.receipted(participant(2), message(1), Verdict::Delivered), Claim::Noted { all_spoke: true });
        assert_eq!(records.status(message(1).id), Some(MessageStatus::Delivered));
    }

    #[test]
    fn every_change_is_told_once_and_so_is_a_message_that_is_forgotten() {
        let mut records = sent(&[1]);
        assert_eq!(records.take_changed(), [message(1).id]);
        records.accepted(message(1).id);
        assert_eq!(records.take_changed(), []);
        records.receipted(participant(1), message(1), Verdict::Delivered);
        assert_eq!(records.take_changed(), [message(1).id]);
        assert!(records.begin(message(3), Kind::QUESTION, &[participant(1)]));
        records.forget(message(3).id);
        assert_eq!(records.take_changed(), [message(3).id]);
    }

    #[test]
    fn delivered_beats_failed_and_failed_does_not_beat_delivered() {
        for verdicts in [[REFUSED, Verdict::Delivered], [Verdict::Delivered, REFUSED]] {
            let mut records = sent(&[1]);
            for verdict in verdicts {
                records.receipted(participant(1), message(1), verdict);
            }
            assert_eq!(records.status(message(1).id), Some(MessageStatus::Delivered));
        }
    }

    #[test]
    fn a_signed_receipt_overrides_an_unsigned_notice_but_not_the_other_way_round() {
        let mut records = sent(&[1]);
        records.failed(message(1).id, FailureReason::Expired);
        let unsigned = MessageStatus::Failed { reason: FailureReason::Expired, signed: false };
        assert_eq!(records.status(message(1).id), Some(unsigned));
        records.receipted(participant(1), message(1), Verdict::Delivered);
        records.failed(message(1).id, FailureReason::Expired);
        assert_eq!(records.status(message(1).id), Some(MessageStatus::Delivered));
    }

    #[test]
    fn a_notice_is_kept_beside_the_signed_word_that_overrides_it() {
        let mut records = sent(&[1]);
        assert_eq!(records.notice(message(1).id), None);
        records.noticed(message(1).id, FailureReason::Expired);
        let unsigned = MessageStatus::Failed { reason: FailureReason::Expired, signed: false };
        assert_eq!(records.status(message(1).id), Some(unsigned));
        assert!(unsigned.is_final() && !unsigned.is_signed());
        records.receipted(participant(1), message(1), Verdict::Delivered);
        assert_eq!(records.status(message(1).id), Some(MessageStatus::Delivered));
        assert_eq!(records.notice(message(1).id), Some(FailureReason::Expired));
        records.noticed(message(2).id, FailureReason::Expired);
        assert_eq!(records.notice(message(2).id), None, "of a replica's message");
    }

    #[test]
    fn a_receipt_of_a_stranger_or_with_another_digest_changes_nothing() {
        let mut records = sent(&[1]);
        let forged = Reference { digest: Digest([9; 32]), ..message(1) };
        assert_eq!(records.receipted(participant(2), message(1), Verdict::Delivered), Claim::Foreign);
        assert_eq!(records.receipted(participant(1), forged, Verdict::Delivered), Claim::Foreign);
        assert_eq!(records.receipted(participant(1), message(2), Verdict::Delivered), Claim::Unknown);
        assert_eq!(records.status(message(1).id), Some(MessageStatus::Accepted));
    }

    #[test]
    fn what_nobody_will_speak_of_is_kept_like_what_has_ended() {
        let mut records = sent(&[1]);
        records.retire(message(1).id);
        assert_eq!(records.status(message(1).id), Some(MessageStatus::Accepted));
        for number in 2..=3 {
            assert!(records.begin(message(number), Kind::EVENT, &[participant(1)]));
            records.retire(message(number).id);
        }
        assert_eq!(records.status(message(1).id), None);
        assert_eq!((records.records.len(), records.ended.len()), (2, 2));
    }

    #[test]
    fn only_a_question_has_an_answer() {
        let mut records = Table::new(2);
        assert!(records.begin(message(1), Kind::EVENT, &[participant(1)]));
        assert_eq!(records.answered(participant(1), message(1), message(7).id), Claim::Foreign);
        assert_eq!(records.declined(participant(1), message(1)), Claim::Foreign);
        assert_eq!(records.status(message(1).id), Some(MessageStatus::Pending));
    }

    #[test]
    fn an_answer_counts_as_delivered_and_its_mark_stays() {
        let mut records = sent(&[1]);
        let answer = message(7).id;
        assert_eq!(records.answered(participant(2), message(1), answer), Claim::Foreign);
        assert_eq!(records.status(message(1).id), Some(MessageStatus::Accepted));
        assert_eq!(records.answered(participant(1), message(1), answer), Claim::Noted { all_spoke: true });
        records.receipted(participant(1), message(1), REFUSED);
        assert_eq!(records.status(message(1).id), Some(MessageStatus::Answered { answer }));
    }

    #[test]
    fn of_the_messages_that_ended_the_oldest_are_forgotten_first() {
        let mut records = Table::new(2);
        for number in 1..=4 {
            assert!(records.begin(message(number), Kind::QUESTION, &[participant(1)]));
        }
        for number in 1..=3 {
            records.receipted(participant(1), message(number), Verdict::Delivered);
        }
        assert_eq!(records.status(message(1).id), None);
        assert_eq!(records.status(message(2).id), Some(MessageStatus::Delivered));
        assert_eq!(records.status(message(4).id), Some(MessageStatus::Pending));
        assert_eq!(records.records.len(), 3);
    }

    #[test]
    fn an_id_is_free_again_when_its_message_was_refused_and_not_before() {
        let mut records = sent(&[1]);
        assert!(!records.begin(message(1), Kind::QUESTION, &[participant(1)]));
        records.forget(message(1).id);
        assert!(records.begin(message(1), Kind::QUESTION, &[participant(1)]));
    }
}
