//! Three nodes that are one broker, and pause where they are in the minority.

use std::sync::Arc;
use std::time::Duration;

use super::node::{Node, START};
use super::plan::NodePlan;
use super::site::Site;
use crate::failure::{Doing, Failure, Outcome};
use crate::patience::eventually;

/// Nodes of a cluster: the fewest of which one may be lost.
const SIZE: usize = 3;

/// What a node that was paused may take to come back.
const RETURN: Duration = Duration::from_secs(45);

/// A cluster. Dropping it kills its nodes.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
}

impl Cluster {
    /// Three nodes that have found each other.
    ///
    /// # Errors
    /// [`Failure`] with the last words of the node that did not.
    pub async fn start() -> Outcome<Self> {
        Self::start_as(&NodePlan::default()).await
    }

    /// The same with another plan.
    ///
    /// # Errors
    /// [`Failure`] with the last words of the node that did not.
    pub async fn start_as(plan: &NodePlan) -> Outcome<Self> {
        let mut plan = plan.clone().with("cluster_partition_handling", "pause_minority");
        plan = plan.with("cluster_formation.peer_discovery_backend", "classic_config");
        let names: Vec<_> = (1..=SIZE).map(|number| format!("rabbit{number}")).collect();
        for (number, name) in (1..).zip(&names) {
            plan = plan.with(&format!("cluster_formation.classic_config.nodes.{number}"), &format!("{name}@localhost"));
        }
        let site = Arc::new(Site::open().await?);
        let nodes = names.iter().map(|name| Node::new(Arc::clone(&site), name, &plan));
        let mut cluster = Self { nodes: nodes.collect::<Outcome<_>>()? };
        cluster.mend().await?;
        Ok(cluster)
    }

    /// Where to connect, one for each node.
    pub fn amqp_urls(&self) -> Vec<String> {
        self.nodes.iter().map(Node::amqp_url).collect()
    }

    /// A node, counted from nought.
    ///
    /// # Errors
    /// [`Failure`] when there is no such node.
    pub fn node(&self, number: usize) -> Outcome<&Node> {
        self.nodes.get(number).doing("a node by its number")
    }

    /// The same, to kill, stop or restart.
    ///
    /// # Errors
    /// [`Failure`] when there is no such node.
    pub fn node_mut(&mut self, number: usize) -> Outcome<&mut Node> {
        self.nodes.get_mut(number).doing("a node by its number")
    }

    /// A node that runs and serves, to ask about the whole.
    ///
    /// # Errors
    /// [`Failure`] when none does.
    pub fn any(&self) -> Outcome<&Node> {
        self.nodes.iter().find(|node| node.id().is_some() && node.greets()).doing("a node that serves")
    }

    /// The number of the node that leads a queue, once one does.
    ///
    /// # Errors
    /// [`Failure`] when none does.
    pub async fn leader_of(&self, queue: &str) -> Outcome<usize> {
        let facts = self.any()?.queue_when(queue, "has a leader", |facts| facts.leader.is_some()).await?;
        self.nodes.iter().position(|node| Some(node.name()) == facts.leader).doing("the leader among the nodes")
    }

    /// Kills the node that leads a queue, and returns its number.
    ///
    /// # Errors
    /// [`Failure`] when none does.
    pub async fn kill_leader_of(&mut self, queue: &str) -> Outcome<usize> {
        let number = self.leader_of(queue).await?;
        self.node_mut(number)?.kill()?;
        Ok(number)
    }

    /// Kills the last node: the others go on.
    ///
    /// # Errors
    /// [`Failure`] when it does not run.
    pub fn kill_minority(&mut self) -> Outcome {
        self.node_mut(SIZE - 1)?.kill()
    }

    /// Kills all nodes but the first, which pauses: no message may be confirmed then.
    ///
    /// # Errors
    /// [`Failure`] when one of them does not run.
    pub fn kill_majority(&mut self) -> Outcome {
        self.nodes.iter_mut().skip(1).try_for_each(Node::kill)
    }

    /// Starts the nodes that do not run, all at once, and waits until the cluster is whole: one that was paused waits
    /// for the others, and so does one that was not the last to end.
    ///
    /// # Errors
    /// [`Failure`] with the last words of the node that does not serve.
    pub async fn mend(&mut self) -> Outcome {
        let mut paused = Vec::new();
        for node in &mut self.nodes {
            if node.id().is_none() {
                node.launch()?;
            } else if !node.greets() {
                paused.push(node.name());
            }
        }
        for node in &mut self.nodes {
            // RabbitMQ 3.10: a paused node that comes back while the others start may find them without feature flags,
            // and then stays a virtual machine without a broker. An operator restarts it.
            if paused.contains(&node.name()) && node.ready_within(RETURN).await.is_err() {
                node.kill()?;
                node.launch()?;
            }
            node.ready().await?;
        }
        self.whole().await
    }

    /// Waits until every node serves and says of all of them that they run.
    ///
    /// # Errors
    /// [`Failure`] with what they say otherwise.
    pub async fn whole(&self) -> Outcome {
        let mut said = Vec::new();
        let waited = eventually("the cluster is whole", START, async || {
            said.clear();
            for node in &self.nodes {
                said.push((node.name(), node.greets(), node.running().await?));
            }
            Ok(said.iter().all(|(_, serves, running)| *serves && running.len() == SIZE).then_some(()))
        });
        waited.await.map_err(|failure| Failure::new(format!("{failure}; they say {said:?}")))
    }
}
