//! The receiving agents, in a process of their own: they acknowledge everything and remember what came.

use std::sync::Arc;

use dmr_agent::Deliveries;
use dmr_tests::failure::{Doing as _, Outcome};
use serde_json::json;

use super::counterpart::answer;
use super::echo;
use super::mailroom::Mailroom;
use super::options::Options;
use super::party::Party;
use super::stamp::{Stamp, now};

/// Runs the receiving process until its standard input ends.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when an agent cannot log in, or the other process does not keep to its part.
pub async fn serve(options: &Options) -> Outcome {
    let party = Party::new(options)?;
    let agents = party.connect(party.pairs.iter().map(|(_, recipient)| recipient)).await?;
    let mailroom = Arc::new(Mailroom::default());
    for agent in &agents {
        let deliveries = agent.deliveries().doing("the stream of deliveries")?;
        tokio::spawn(receive(deliveries, Arc::clone(&mailroom)));
    }
    let ready = json!({ "echo": echo::serve().await?.to_string() });
    answer(&ready, async |run, count| Ok(mailroom.conclude(run, count).await)).await
}

async fn receive(mut deliveries: Deliveries, mailroom: Arc<Mailroom>) {
    while let Some(delivery) = deliveries.next().await {
        let came = now();
        let stamp = Stamp::of(&delivery.message.content.body);
        delivery.ack();
        if let Some(stamp) = stamp {
            mailroom.note(stamp, came);
        }
    }
}
