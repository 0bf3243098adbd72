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
