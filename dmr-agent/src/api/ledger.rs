//! What was asked of the HTTP API in this process's life: the same id and body get the same answer, and are sent once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use dmr_core::id::MessageId;
use dmr_core::reason::FailureReason;
use tokio::sync::watch;

use super::fingerprint::Fingerprint;
use super::problem::Problem;

/// How far a message has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Handed to the agent; no server has confirmed it.
    Sending,
    /// It was not taken, and is forgotten: the next request with its id is a new one.
    Refused(Problem),
    /// It expired before any server confirmed it. Its id stays taken, since a server may have had it.
    Over(Problem),
    /// A server confirmed it.
    Accepted,
    /// Its recipient refused it, signed.
    Failed(FailureReason),
    /// Its recipient declined to answer.
    Declined,
    /// It is answered: the answer as JSON, or empty when that is no longer kept.
    Answered(Bytes),
}

/// What a request finds under its id.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Nothing: the caller sends it and reports with [`Ledger::advance`].
    New(watch::Receiver<Progress>),
    /// The same body: its progress.
    Same(watch::Receiver<Progress>),
    /// Another body.
    Other,
    /// The ledger is full of messages that no server has confirmed.
    Full,
}

#[derive(Debug)]
struct Line {
    fingerprint: Fingerprint,
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: HashMap<MessageId, Line>,
    /// Those that a server has confirmed, oldest first.
    settled: VecDeque<MessageId>,
    /// Those with an answer, oldest first, and the answers' bytes.
    answered: VecDeque<MessageId>,
    answer_bytes: usize,
}

/// Bounded: `capacity` messages that a server has confirmed, the oldest forgotten first, as many that none has, and
/// `answer_bytes` of answers, of which the oldest are forgotten first; that there was one is not.
#[derive(Debug)]
pub(crate) struct Ledger {
    capacity: usize,
    answer_bytes: usize,
    lines: Mutex<Lines>,
}

impl Ledger {
    pub(crate) fn new(capacity: usize, answer_bytes: usize) -> Self {
        Self { capacity, answer_bytes, lines: Mutex::default() }
    }

    /// Opens a line for a message, or finds the one there is. One of several requests at once gets
    /// [`Entry::New`], the others [`Entry::Same`].
    pub(crate) fn begin(&self, id: MessageId, fingerprint: Fingerprint) -> Entry {
        let mut lines = self.lock();
        if let Some(line) = lines.lines.get(&id) {
            let same = line.fingerprint == fingerprint;
            return if same { Entry::Same(line.progress.subscribe()) } else { Entry::Other };
        }
        if lines.lines.len() >= self.capacity.saturating_add(lines.settled.len()) {
            return Entry::Full;
        }
        let (progress, receiver) = watch::channel(Progress::Sending);
        lines.lines.insert(id, Line { fingerprint, progress });
        Entry::New(receiver)
    }

    /// A message has come further; it never goes back.
    pub(crate) fn advance(&self, id: MessageId, to: Progress) {
        let mut lines = self.lock();
        let Some(line) = lines.lines.get(&id) else { return };
        let before = line.progress.borrow().clone();
        let is_new = match (&before, &to) {
            (Progress::Answered(_) | Progress::Refused(_) | Progress::Over(_), _) => false,
            (Progress::Sending, _) => true,
            (_, Progress::Sending | Progress::Accepted) => false,
            (_, _) => true,
        };
        if !is_new {
            return;
        }
        line.progress.send_replace(to.clone());
        if matches!(to, Progress::Refused(_)) {
            lines.lines.remove(&id);
            return;
        }
        if before == Progress::Sending {
            lines.settled.push_back(id);
        }
        if let Progress::Answered(answer) = &to {
            lines.answered.push_back(id);
            lines.answer_bytes += answer.len();
        }
        lines.forget(self.capacity, self.answer_bytes);
    }

    /// How far a message has come, if this ledger knows it.
    pub(crate) fn progress(&self, id: MessageId) -> Option<Progress> {
        self.lock().lines.get(&id).map(|line| line.progress.borrow().clone())
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        // The lines are whole after every call, so a panic elsewhere while they were locked harms nothing.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn forget(&mut self, capacity: usize, answer_bytes: usize) {
        while self.settled.len() > capacity {
            let Some(oldest) = self.settled.pop_front() else { return };
            self.remove(oldest);
        }
        while self.answer_bytes > answer_bytes {
            let Some(oldest) = self.answered.pop_front() else { return };
            let Some(line) = self.lines.get(&oldest) else { continue };
            if let Progress::Answered(answer) = line.progress.send_replace(Progress::Answered(Bytes::new())) {
                self.answer_bytes -= answer.len();
            }
        }
    }

    fn remove(&mut self, id: MessageId) {
        let Some(line) = self.lines.remove(&id) else { return };
        if let Progress::Answered(answer) = &*line.progress.borrow() {
            self.answer_bytes -= answer.len();
            self.answered.retain(|answered| *answered != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(number: u8) -> MessageId {
        MessageId::from_custom_bytes([number; 16])
    }

    fn body(number: u8) -> Fingerprint {
        Fingerprint::of(&json!(number))
    }

    fn settled(ledger: &Ledger, number: u8, to: Progress) {
        assert!(matches!(ledger.begin(id(number), body(number)), Entry::New(_)));
        ledger.advance(id(number), Progress::Accepted);
        ledger.advance(id(number), to);
    }

    #[test]
    fn the_same_body_finds_the_first_and_another_is_a_conflict() {
        let ledger = Ledger::new(10, 100);
        assert!(matches!(ledger.begin(id(1), body(1)), Entry::New(_)));
        let Entry::Same(mut progress) = ledger.begin(id(1), body(1)) else { panic!("not the same") };
        assert!(matches!(ledger.begin(id(1), body(2)), Entry::Other));
        ledger.advance(id(1), Progress::Accepted);
        assert_eq!(*progress.borrow_and_update(), Progress::Accepted);
    }

    #[test]
    fn a_refused_message_is_forgotten_and_whoever_waited_is_told() {
        let ledger = Ledger::new(10, 100);
        let Entry::New(progress) = ledger.begin(id(1), body(1)) else { panic!("not new") };
        ledger.advance(id(1), Progress::Refused(Problem::conflict()));
        assert!(matches!(*progress.borrow(), Progress::Refused(_)));
        assert!(matches!(ledger.begin(id(1), body(2)), Entry::New(_)));
    }

    #[test]
    fn an_expired_message_has_the_same_answer_again() {
        let ledger = Ledger::new(10, 100);
        assert!(matches!(ledger.begin(id(1), body(1)), Entry::New(_)));
        let over = Progress::Over(dmr_core::exchange::SendError::Expired.into());
        ledger.advance(id(1), over.clone());
        ledger.advance(id(1), Progress::Accepted);
        let Entry::Same(progress) = ledger.begin(id(1), body(1)) else { panic!("not the same") };
        assert_eq!(*progress.borrow(), over);
        assert!(matches!(ledger.begin(id(1), body(2)), Entry::Other));
    }

    #[test]
    fn progress_never_goes_back() {
        let ledger = Ledger::new(10, 100);
        settled(&ledger, 1, Progress::Answered(Bytes::from_static(b"a")));
        for back in [Progress::Sending, Progress::Accepted, Progress::Failed(FailureReason::Refused)] {
            ledger.advance(id(1), back);
        }
        assert_eq!(ledger.progress(id(1)), Some(Progress::Answered(Bytes::from_static(b"a"))));
    }

    #[test]
    fn the_oldest_confirmed_messages_are_forgotten_first_and_unconfirmed_ones_are_not() {
        let ledger = Ledger::new(2, 100);
        assert!(matches!(ledger.begin(id(9), body(9)), Entry::New(_)));
        for number in 1..=3 {
            settled(&ledger, number, Progress::Failed(FailureReason::Refused));
        }
        assert_eq!(ledger.progress(id(1)), None);
        assert!(ledger.progress(id(2)).is_some() && ledger.progress(id(9)).is_some());
    }

    #[test]
    fn answers_are_bounded_in_bytes() {
        let ledger = Ledger::new(10, 5);
        for number in 1..=3 {
            settled(&ledger, number, Progress::Answered(Bytes::from_static(b"two")));
        }
        let answer = |text: &'static str| Some(Progress::Answered(Bytes::from_static(text.as_bytes())));
        assert_eq!([1, 2, 3].map(|number| ledger.progress(id(number))), [answer(""), answer(""), answer("two")]);
        let lines = ledger.lock();
        assert_eq!((lines.answer_bytes, lines.answered.len()), (3, 1));
    }

    #[test]
    fn a_ledger_full_of_unconfirmed_messages_takes_no_more() {
        let ledger = Ledger::new(1, 10);
        assert!(matches!(ledger.begin(id(1), body(1)), Entry::New(_)));
        assert!(matches!(ledger.begin(id(2), body(2)), Entry::Full));
        ledger.advance(id(1), Progress::Accepted);
        assert!(matches!(ledger.begin(id(2), body(2)), Entry::New(_)));
    }
}
