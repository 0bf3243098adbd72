//! The sending side: `Publish` frames by hand, so many unconfirmed at once.

use std::collections::HashMap;
use std::time::Duration;

use dmr_core::frame::ServerFrame;
use dmr_core::id::MessageId;
use dmr_tests::failure::{Doing as _, Outcome};
use tokio::time::timeout;

use super::journal::Departure;
use super::pool::{Pool, Slot};
use crate::load::bare_link::BareLink;
use crate::load::budget::Budget;
use crate::load::senders::Sent;
use crate::load::stamp::now;

/// Longest wait for the server.
const PATIENCE: Duration = Duration::from_secs(30);

/// Envelopes that are on the link and have no answer, with the moment at which each was handed to the link.
type Flying = HashMap<u32, u64>;

/// Sends until the budget is used up and everything is answered. Gives the pool back, what came of it, and when each
/// accepted envelope departed.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when the link breaks or the server is silent.
pub async fn send(
    mut link: BareLink,
    mut pool: Pool,
    in_flight: u32,
    budget: Budget,
) -> Outcome<(Pool, Sent, Vec<Departure>)> {
    let window = usize::try_from(in_flight).unwrap_or(usize::MAX);
    let (mut flying, mut sent, mut departures) = (Flying::new(), Sent::default(), Vec::new());
    // Refused for a while, and to be made up for by another of the pool: all are alike.
    let mut owed = 0_usize;
    loop {
        while flying.len() < window && (owed > 0 || budget.take()) {
            owed = owed.saturating_sub(1);
            let Some((index, frame)) = pool.next(|index| flying.contains_key(&index)) else { break };
            flying.insert(index, now());
            link.queue(frame).await?;
        }
        if flying.is_empty() {
            return Ok((pool, sent, departures));
        }
        link.flush().await?;
        match timeout(PATIENCE, link.next()).await.doing("waiting for confirms")?? {
            ServerFrame::Confirm { ids } => {
                let confirmed = now();
                for id in ids {
                    let Some((slot, at)) = take(&mut flying, id) else { continue };
                    sent.accepted += 1;
                    sent.confirm.add(Duration::from_nanos(confirmed.saturating_sub(at)));
                    departures.push(Departure { slot, at });
                }
            }
            ServerFrame::Reject { id, retry_after_ms, .. } => {
                if take(&mut flying, id).is_none() {
                    continue;
                }
                if retry_after_ms == 0 {
                    sent.failed += 1;
                    continue;
                }
                (owed, sent.retried) = (owed + 1, sent.retried + 1);
                tokio::time::sleep(Duration::from_millis(u64::from(retry_after_ms))).await;
            }
            _ => {}
        }
    }
}

fn take(flying: &mut Flying, id: MessageId) -> Option<(Slot, u64)> {
    let slot = Slot::of(id);
    flying.remove(&slot.index).map(|at| (slot, at))
}
