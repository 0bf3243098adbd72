//! Questions that came in and may still be answered by `inReplyTo`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use dmr_core::content::Reference;
use dmr_core::id::{MessageId, ParticipantId};

/// Questions remembered, the oldest forgotten first.
const CAPACITY: usize = 10_000;

#[derive(Debug, Default)]
struct Known {
    by_id: HashMap<(ParticipantId, MessageId), Reference>,
    order: VecDeque<(ParticipantId, MessageId)>,
}

/// The questions this process has given to its program: an answer must name a question's digest, and callers of the
/// HTTP API know only ids. Bounded: the newest 10,000.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    known: Mutex<Known>,
}

impl Questions {
    /// Remembers a question of `asker`'s.
    pub(crate) fn remember(&self, asker: ParticipantId, question: Reference) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (asker, question.id);
        if known.by_id.insert(key, question).is_none() {
            known.order.push_back(key);
        }
        if known.order.len() > CAPACITY
            && let Some(oldest) = known.order.pop_front()
        {
            known.by_id.remove(&oldest);
        }
    }

    /// The question that `asker` put under this id.
    pub(crate) fn find(&self, asker: ParticipantId, id: MessageId) -> Option<Reference> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(&(asker, id)).copied()
    }
}

#[cfg(test)]
mod tests {
    use dmr_core::id::Digest;

    use super::*;

    fn asker(number: u8) -> ParticipantId {
        ParticipantId::from_custom_bytes([number; 16])
    }

    fn question(number: u32, digest: u8) -> Reference {
        let mut id = [1; 16];
        id.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
        Reference { id: MessageId::from_custom_bytes(id), digest: Digest([digest; 32]) }
    }

    #[test]
    fn two_askers_may_use_one_id() {
        let (questions, one, other) = (Questions::default(), question(1, 1), question(1, 2));
        questions.remember(asker(1), one);
        questions.remember(asker(2), other);
        assert_eq!(questions.find(asker(1), one.id), Some(one));
        assert_eq!(questions.find(asker(2), one.id), Some(other));
        assert_eq!(questions.find(asker(3), one.id), None);
    }

    #[test]
    fn the_oldest_questions_are_forgotten_first_and_a_copy_counts_once() {
        let questions = Questions::default();
        let first = question(0, 1);
        questions.remember(asker(1), first);
        for number in 0..u32::try_from(CAPACITY).unwrap() {
            questions.remember(asker(1), question(number, 1));
        }
        assert!(questions.find(asker(1), first.id).is_some());
        questions.remember(asker(1), question(u32::MAX, 1));
        assert!(questions.find(asker(1), first.id).is_none());
    }
}
