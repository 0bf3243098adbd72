//! Questions that came in and may still be answered by `inReplyTo`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use dmr_core::content::Reference;
use dmr_core::id::{MessageId, ParticipantId};

use crate::message::IncomingMessage;

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
    /// Remembers a question.
    pub(crate) fn remember(&self, question: &IncomingMessage) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (question.sender, question.reference.id);
        if known.by_id.insert(key, question.reference).is_none() {
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
    use dmr_core::content::Message;
    use dmr_core::header::Kind;
    use dmr_core::id::Digest;
    use dmr_core::time::Timestamp;

    use super::*;

    fn question(number: u32, sender: u8) -> IncomingMessage {
        let mut id = [1; 16];
        id.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
        let content = Message {
            content_type: String::new(),
            conversation: None,
            sequence: None,
            room: None,
            in_reply_to: None,
            body: bytes::Bytes::new(),
        };
        IncomingMessage {
            reference: Reference { id: MessageId::from_custom_bytes(id), digest: Digest([sender; 32]) },
            sender: ParticipantId::from_custom_bytes([sender; 16]),
            recipients: Vec::new(),
            kind: Kind::QUESTION,
            created: Timestamp(0),
            expires: Timestamp(0),
            content,
            attempt: 1,
            solicited: false,
        }
    }

    #[test]
    fn two_askers_may_use_one_id() {
        let (questions, one, other) = (Questions::default(), question(1, 1), question(1, 2));
        questions.remember(&one);
        questions.remember(&other);
        assert_eq!(questions.find(one.sender, one.reference.id), Some(one.reference));
        assert_eq!(questions.find(other.sender, one.reference.id), Some(other.reference));
        assert_eq!(questions.find(ParticipantId::from_custom_bytes([3; 16]), one.reference.id), None);
    }

    #[test]
    fn the_oldest_questions_are_forgotten_first_and_a_copy_counts_once() {
        let questions = Questions::default();
        let first = question(0, 1);
        questions.remember(&first);
        for number in 0..u32::try_from(CAPACITY).unwrap() {
            questions.remember(&question(number, 1));
        }
        assert!(questions.find(first.sender, first.reference.id).is_some());
        questions.remember(&question(u32::MAX, 1));
        assert!(questions.find(first.sender, first.reference.id).is_none());
    }
}
