//! The receiving side, in a process of its own: settles everything at once and opens nothing.

use std::sync::Arc;

use bytes::Bytes;
use dmr_core::envelope::Envelope;
use dmr_core::frame::{AgentFrame, DeliveryTag, ServerFrame, Settlement};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::entrance;
use super::journal::{Arrival, Journal};
use super::pool::Slot;
use crate::load::bare_link::BareLink;
use crate::load::counterpart::answer;
use crate::load::echo;
use crate::load::options::Options;
use crate::load::party::{Party, keyring};
use crate::load::stamp::now;

/// Settlements that are written together: those of deliveries that came together, and no more than these.
const TOGETHER: usize = 64;
/// The most deliveries that a server lets be unsettled at once.
const MOST_CREDIT: u32 = 1024;

/// Runs the receiving process until its standard input ends.
///
/// # Errors
/// [`Failure`] when a link breaks, or the other process does not keep to its part.
pub async fn serve(options: &Options) -> Outcome {
    let (party, entrance) = (Party::new(options)?, entrance(options)?);
    let path = options.journal.clone().doing("--journal")?;
    let prefetch = u16::try_from((2 * options.in_flight).clamp(64, MOST_CREDIT)).unwrap_or(u16::MAX);
    let (journal, mut links) = (Arc::new(Journal::default()), JoinSet::new());
    for (_, recipient) in &party.pairs {
        let mut link = entrance.log_in(&keyring(recipient)?).await?;
        link.put(&AgentFrame::Subscribe { prefetch }).await?;
        links.spawn(receive(link, Arc::clone(&journal)));
    }
    let ready = json!({ "echo": echo::serve().await?.to_string() });
    let answered = answer(&ready, async |_, count| {
        let arrivals = journal.conclude(count).await;
        super::journal::write(&path, &arrivals)?;
        Ok(json!({ "arrivals": arrivals.len() }))
    });
    tokio::select! {
        answered = answered => answered,
        Some(ended) = links.join_next() => ended.doing("a recipient's link")?,
    }
}

async fn receive(mut link: BareLink, journal: Arc<Journal>) -> Outcome {
    let mut heartbeat = interval(link.heartbeat());
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unwritten: Vec<(Slot, u64)> = Vec::new();
    loop {
        let frame = tokio::select! {
            biased;
            frame = link.next(), if unwritten.len() < TOGETHER => Some(frame?),
            // Nothing more has come yet.
            () = std::future::ready(()), if !unwritten.is_empty() => None,
            _ = heartbeat.tick() => {
                link.put(&AgentFrame::Heartbeat).await?;
                continue;
            }
        };
        match frame {
            Some(ServerFrame::Deliver { tag, envelope, .. }) => {
                let came = now();
                link.queue(ack(tag)?).await?;
                unwritten.push((slot(envelope)?, came));
            }
            Some(_) => {}
            None => {
                link.flush().await?;
                let settled = now();
                journal.note(unwritten.drain(..).map(|(slot, came)| Arrival { slot, came, settled }));
            }
        }
    }
}

fn ack(tag: DeliveryTag) -> Outcome<Bytes> {
    AgentFrame::Settle { tag, settlement: Settlement::Ack }.encode().doing("a settlement")
}

fn slot(envelope: Bytes) -> Outcome<Slot> {
    let envelope = Envelope::decode(envelope).map_err(|error| Failure::new(format!("a delivery: {error}")))?;
    Ok(Slot::of(envelope.header().id))
}
