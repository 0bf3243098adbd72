//! How much, how fast, from whom to whom.

use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::chat_message;
use crate::caller::Caller;
use crate::draws::Draws;
use crate::drill::seed;

/// A way that messages take.
#[derive(Debug, Clone)]
pub struct Lane {
    /// The sender's name.
    pub from: String,
    /// The sender's agent. It may be killed and started again at its address.
    pub api: Caller,
    /// The recipient's name.
    pub to: String,
}

/// How a load is to be.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// Where everything random comes from.
    pub seed: u64,
    /// Messages in all.
    pub messages: usize,
    /// Callers at once: as many messages are on their way at most. More of them find more races, and a slower machine.
    pub callers: usize,
    /// New messages in a second at most, over all callers. Too few make a drill long, too many make it a benchmark.
    pub per_second: u32,
    /// Letters in a message at most.
    pub longest: usize,
    /// How long a caller goes on with one message. Shorter than a fault makes messages unknown.
    pub patience: Duration,
    /// How long a message lives, in seconds; `None` for what the directory says.
    pub expires_in: Option<u32>,
}

impl LoadPlan {
    /// So many messages: 32 callers, 500 in a second, up to 1,000 letters, two minutes of patience, and the seed of
    /// [`seed`].
    pub fn new(messages: usize) -> Self {
        let patience = Duration::from_secs(120);
        Self { seed: seed(), messages, callers: 32, per_second: 500, longest: 1_000, patience, expires_in: None }
    }

    /// Id, lane and body of a message by its number: the same for the same seed, whoever sends it and when.
    pub(super) fn message<'a>(&self, number: usize, lanes: &'a [Lane]) -> Option<(String, &'a Lane, Value)> {
        let mut draws =
            Draws::new(self.seed ^ u64::try_from(number).unwrap_or_default().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let lane = lanes.get(draws.below(lanes.len()))?;
        let [high, low] = [self.seed >> 12 & 0xfff, self.seed & 0xfff];
        let id = format!("0193a5c8-{:04x}-7{high:03x}-8{low:03x}-{number:012x}", self.seed >> 24 & 0xffff);
        let head = format!("Message {number}. ");
        let length = draws.below(self.longest.max(1));
        let letters = (0..length).map(|_| char::from(b'a' + u8::try_from(draws.below(26)).unwrap_or_default()));
        let mut body = chat_message(
            &lane.to,
            &letters.fold(head, |mut text, letter| {
                text.push(letter);
                text
            }),
        );
        body["id"] = json!(id);
        if let Some(seconds) = self.expires_in {
            body["expiresInSeconds"] = json!(seconds);
        }
        Some((id, lane, body))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn lanes() -> Vec<Lane> {
        let api = Caller::new("http://127.0.0.1:1").unwrap();
        let lane = |to: &str| Lane { from: "tax".to_owned(), api: api.clone(), to: to.to_owned() };
        vec![lane("police"), lane("library")]
    }

    #[test]
    fn a_seed_gives_the_same_messages_and_another_seed_others() {
        let lanes = lanes();
        let all = |seed| {
            let plan = LoadPlan { seed, ..LoadPlan::new(50) };
            (0..50).map(|number| plan.message(number, &lanes).unwrap().2).collect::<Vec<_>>()
        };
        assert_eq!(all(7), all(7));
        assert!(all(7).iter().zip(all(8)).all(|(one, other)| *one != other));
    }

    #[test]
    fn messages_have_ids_of_their_own_and_go_every_way() {
        let (plan, lanes) = (LoadPlan::new(100), lanes());
        let messages: Vec<_> = (0..100).map(|number| plan.message(number, &lanes).unwrap()).collect();
        assert_eq!(messages.iter().map(|(id, ..)| id).collect::<BTreeSet<_>>().len(), 100);
        assert_eq!(messages.iter().map(|(_, lane, _)| &lane.to).collect::<BTreeSet<_>>().len(), 2);
    }
}
