//! What a broker says about itself, by its management API.
//!
//! Counts are those of the last tick, half a second ago at most for a queue and a second for the rest: wait for them.
//! Queues are those of the default virtual host.

use serde_json::Value;

use super::node::Node;
use crate::failure::{Doing, Failure, Outcome};
use crate::patience::{PATIENCE, eventually};

/// What is known of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFacts {
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Messages that a consumer has and has not settled.
    pub unacknowledged: u64,
    /// Consumers.
    pub consumers: u64,
    /// The node that leads it; `None` while there is no leader.
    pub leader: Option<String>,
    /// The nodes that have a member and run.
    pub online: Vec<String>,
    /// The policy that applies; `None` for none.
    pub policy: Option<String>,
}

impl Node {
    /// What is known of a queue; `None` when there is no such queue.
    ///
    /// # Errors
    /// [`Failure`] when the node does not say.
    pub async fn queue_facts(&self, queue: &str) -> Outcome<Option<QueueFacts>> {
        let answer = self.management()?.get(&format!("/api/queues/%2F/{queue}")).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let facts = answer.well()?.json();
        let count = |name: &str| facts[name].as_u64().unwrap_or_default();
        let text = |name: &str| facts[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let online = facts["online"].as_array().into_iter().flatten();
        Ok(Some(QueueFacts {
            ready: count("messages_ready"),
            unacknowledged: count("messages_unacknowledged"),
            consumers: count("consumers"),
            leader: text("leader").filter(|leader| leader != "none"),
            online: online.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            policy: text("policy"),
        }))
    }

    /// Waits until a queue is as `fits` says, and returns how it is.
    ///
    /// # Errors
    /// [`Failure`] with how it is otherwise.
    pub async fn queue_when(&self, queue: &str, what: &str, fits: impl Fn(&QueueFacts) -> bool) -> Outcome<QueueFacts> {
        let mut last = None;
        let waited = eventually(&format!("{queue} {what}"), PATIENCE, async || {
            last = self.queue_facts(queue).await?;
            Ok(last.clone().filter(|facts| fits(facts)))
        })
        .await;
        waited.map_err(|failure| Failure::new(format!("{failure}; it is {last:?}")))
    }

    /// Open connections of the AMQP protocol.
    ///
    /// # Errors
    /// [`Failure`] when the node does not say.
    pub async fn connections(&self) -> Outcome<usize> {
        Ok(self.list("/api/connections").await?.len())
    }

    /// Names of the nodes that run, by this node's word.
    ///
    /// # Errors
    /// [`Failure`] when the node does not say.
    pub async fn running(&self) -> Outcome<Vec<String>> {
        let nodes = self.list("/api/nodes").await?;
        let running = nodes.iter().filter(|node| node["running"] == true);
        Ok(running.filter_map(|node| node["name"].as_str().map(str::to_owned)).collect())
    }

    /// Whether an alarm is raised on this node.
    ///
    /// # Errors
    /// [`Failure`] when the node does not say.
    pub async fn has_alarm(&self) -> Outcome<bool> {
        Ok(self.management()?.get("/api/health/checks/local-alarms").await?.status != 200)
    }

    async fn list(&self, path: &str) -> Outcome<Vec<Value>> {
        let list = self.management()?.get(path).await?.well()?.json();
        list.as_array().cloned().doing(format_args!("a list at {path}"))
    }
}
