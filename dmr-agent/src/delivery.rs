//! Deliveries: messages that the program must settle.

use std::time::Duration;

use dmr_core::content::Message;
use dmr_core::exchange::{Accepted, Answer, InHand, IncomingMessage, SealedMessage, SendError};
use dmr_core::header::Kind;
use dmr_core::reason::FailureReason;
use tokio::sync::{mpsc, oneshot};

use crate::exchange_driver::Confirmed;
use crate::sealing::Sealer;

/// How long a question waits whose answer could not be sealed: that does not change from one second to the next.
const UNSEALED_RETRY: Duration = Duration::from_secs(30);
/// How long an unsettled message that was dropped waits before it comes again.
pub(crate) const DROPPED_RETRY: Duration = Duration::from_secs(1);

/// A message in the program's hands. Nothing is acknowledged before the program settles it: with
/// [`ack`](Self::ack), [`answer`](Self::answer), [`reject`](Self::reject) or [`retry`](Self::retry).
///
/// Dropping it unsettled is `retry` after one second: a program that panics or is cancelled loses nothing. Settle
/// within ten minutes; after that the server gives the message to another replica, or to this one again.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: IncomingMessage,
    /// `None` once settled.
    handle: Option<Handle>,
}

/// The way back to the exchange: the permit is its room there, so settling never waits and never fails.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) permit: mpsc::OwnedPermit<Settling>,
    pub(crate) in_hand: InHand,
    pub(crate) sealer: Sealer,
}

/// A delivery that the program has settled.
#[derive(Debug)]
pub(crate) struct Settling {
    pub(crate) in_hand: InHand,
    pub(crate) decision: Decision,
}

/// What the program decided.
#[derive(Debug)]
pub(crate) enum Decision {
    Ack,
    Reject(FailureReason),
    Retry(Duration),
    Answer { answer: SealedMessage, confirmed: Confirmed },
}

impl Delivery {
    pub(crate) fn new(message: IncomingMessage, handle: Handle) -> Self {
        Self { message, handle: Some(handle) }
    }

    /// The program has taken the message: its sender gets a receipt that says delivered.
    pub fn ack(mut self) {
        self.settle(Decision::Ack);
    }

    /// The program will never take it: its sender gets a receipt with the reason, and it is dead-lettered.
    pub fn reject(mut self, reason: FailureReason) {
        self.settle(Decision::Reject(reason));
    }

    /// The message comes again after `after` (at most ten minutes), here or at a replica.
    pub fn retry(mut self, after: Duration) {
        self.settle(Decision::Retry(after));
    }

    /// Answers a question and settles it. The answer's id is derived from the question's, so that it is the same
    /// however often the question is delivered; the same sealed bytes are sent again where that is needed. The
    /// question is acknowledged to the server only once the answer is confirmed.
    ///
    /// Resolves when the server has confirmed the answer.
    ///
    /// # Errors
    /// [`SendError`]: when nothing can be sealed, the answer is too large or this is no question, the message comes again
    /// after half a minute. When the asker may not be written to, or the server refuses the answer for good, the question
    /// counts as delivered without one: the program would only answer it again.
    ///
    /// # Cancel safety
    /// Dropped before its first poll it is as if the delivery were dropped; after that the answer is on its way
    /// whatever becomes of the future.
    pub async fn answer(mut self, answer: Answer) -> Result<Accepted, SendError> {
        match self.seal_answer(answer) {
            Ok(answer) => {
                let (confirmed, outcome) = oneshot::channel();
                self.settle(Decision::Answer { answer, confirmed });
                outcome.await.unwrap_or(Err(SendError::Stopped))
            }
            Err(error) => {
                let is_final = matches!(
                    error,
                    SendError::PolicyRefused(_) | SendError::UnknownRecipient(_) | SendError::RecipientInactive(_)
                );
                self.settle(if is_final { Decision::Ack } else { Decision::Retry(UNSEALED_RETRY) });
                Err(error)
            }
        }
    }

    fn seal_answer(&self, answer: Answer) -> Result<SealedMessage, SendError> {
        let Some(handle) = &self.handle else { return Err(SendError::Stopped) };
        if self.message.kind != Kind::QUESTION {
            return Err(SendError::NotAQuestion);
        }
        let content = Message {
            content_type: answer.content_type,
            conversation: self.message.content.conversation,
            sequence: None,
            room: self.message.content.room,
            in_reply_to: Some(self.message.reference),
            body: answer.body,
        };
        handle.sealer.seal_answer(&self.message, content)
    }

    fn settle(&mut self, decision: Decision) {
        if let Some(Handle { permit, in_hand, .. }) = self.handle.take() {
            permit.send(Settling { in_hand, decision });
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.settle(Decision::Retry(DROPPED_RETRY));
    }
}

/// The messages that came in and nobody asked for, and answers that nobody waits for, in order of arrival.
///
/// It holds at most twice the prefetch; while it is full the server keeps the rest.
#[derive(Debug)]
pub struct Deliveries {
    pub(crate) receiver: mpsc::Receiver<Delivery>,
}

impl Deliveries {
    /// The next delivery; `None` once the agent has shut down.
    ///
    /// # Cancel safety
    /// Safe: a delivery is either returned or still queued.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.receiver.recv().await
    }
}
