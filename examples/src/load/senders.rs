//! The sending side: so many messages in flight for each agent, until the budget is used up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dmr_agent::{Accepted, Agent, MessageStatus, OutgoingMessage, SendError};
use dmr_core::id::{MessageId, ParticipantId};
use dmr_tests::failure::{Doing as _, Outcome};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::budget::Budget;
use super::options::Receipts;
use super::spread::Spread;
use super::stamp::{Stamp, now};

/// Longest wait for a confirm or a receipt. After that the message counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Wait before a message is tried again that was refused for a while, where the server names none.
const PAUSE: Duration = Duration::from_millis(5);

/// What all slots have in common.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Names this run.
    pub run: u64,
    /// Bytes of a message.
    pub len: usize,
    /// How much they send together.
    pub budget: Budget,
    /// Whether a message is in flight until its receipt.
    pub receipts: Receipts,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Sent {
    /// Messages that a server confirmed.
    pub accepted: usize,
    /// Messages that were refused, failed, or got neither confirm nor receipt in time.
    pub failed: usize,
    /// Times that a message was refused for a while and tried again.
    pub retried: usize,
    /// From handing a message to the agent to the server's confirm.
    pub confirm: Spread,
    /// From handing a message to the agent to the recipient's signed receipt.
    pub settled: Spread,
}

impl Sent {
    /// Adds another's.
    pub fn merge(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.failed += other.failed;
        self.retried += other.retried;
        self.confirm.merge(other.confirm);
        self.settled.merge(other.settled);
    }
}

/// Sends until the plan's budget is used up, and waits for what is in flight then.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when the system gives no randomness.
pub async fn send(agents: &[(Agent, ParticipantId)], in_flight: u32, plan: &Plan) -> Outcome<Sent> {
    let (mut slots, mut sent) = (JoinSet::new(), Sent::default());
    for (sender, (agent, to)) in (0..).zip(agents) {
        let sequence = Arc::new(AtomicU64::new(0));
        for _ in 0..in_flight {
            slots.spawn(slot(agent.clone(), *to, sender, Arc::clone(&sequence), plan.clone()));
        }
    }
    while let Some(slot) = slots.join_next().await {
        sent.merge(slot.doing("a sender's slot")??);
    }
    Ok(sent)
}

/// One place in the in-flight window: a message after the other.
async fn slot(agent: Agent, to: ParticipantId, sender: u32, sequence: Arc<AtomicU64>, plan: Plan) -> Outcome<Sent> {
    let mut sent = Sent::default();
    while plan.budget.take() {
        let mut id = [0; 16];
        getrandom::fill(&mut id).doing("randomness for an id")?;
        let id = MessageId::from_random_bytes(id);
        let sequence = sequence.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let stamp = Stamp { run: plan.run, sender, sequence, at: now() };
        let message = OutgoingMessage::event(to, "application/octet-stream", stamp.message(plan.len)).with_id(id);
        if timeout_at(began + PATIENCE, publish(&agent, message, &mut sent.retried)).await.ok().flatten().is_none() {
            sent.failed += 1;
            continue;
        }
        sent.accepted += 1;
        sent.confirm.add(began.elapsed());
        if plan.receipts == Receipts::On {
            match timeout(PATIENCE, agent.outcome(id)).await {
                Ok(Some(MessageStatus::Delivered)) => sent.settled.add(began.elapsed()),
                _ => sent.failed += 1,
            }
        }
    }
    Ok(sent)
}

/// Publishes under the same id until the message is accepted or refused for good.
async fn publish(agent: &Agent, message: OutgoingMessage, retried: &mut usize) -> Option<Accepted> {
    loop {
        let wait = match agent.send(message.clone()).await {
            Ok(accepted) => return Some(accepted),
            Err(SendError::Full { retry_after } | SendError::Rejected { retry_after, .. })
                if !retry_after.is_zero() =>
            {
                retry_after
            }
            Err(error) if error.is_retryable() => PAUSE,
            Err(_) => return None,
        };
        *retried += 1;
        sleep(wait).await;
    }
}
