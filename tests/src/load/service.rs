//! The service behind a recipient's webhook, each of whose calls is in the history.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::chatbot::{Chatbot, Reply};
use crate::failure::Outcome;
use crate::history::{Event, History, digest};
use crate::network::Network;

/// The service of participant `at`, which says what `reply` decides, once for each idempotency key.
///
/// # Errors
/// [`Failure`](crate::failure::Failure) when a participant has no card, or the service cannot listen.
pub async fn service(
    history: &History,
    network: &Network,
    participants: &[&str],
    at: &str,
    reply: impl Fn(&Value) -> Reply + Send + Sync + 'static,
) -> Outcome<Chatbot> {
    let mut names = BTreeMap::new();
    for name in participants {
        names.insert(network.id(name)?, (*name).to_owned());
    }
    let (history, at) = (history.clone(), at.to_owned());
    let witness = move |call: &crate::chatbot::Call, reply: &Reply| {
        let text = |name: &str| call.body[name].as_str().unwrap_or_default().to_owned();
        let sender = text("senderId");
        history.note(Event::Sink {
            id: text("id"),
            at: at.clone(),
            from: names.get(&sender).cloned().unwrap_or(sender),
            key: call.key.clone(),
            hash: digest(&call.body["payload"]),
            taken: matches!(reply, Reply::Answer(_) | Reply::Taken),
        });
    };
    Chatbot::start_before(reply, witness).await
}
