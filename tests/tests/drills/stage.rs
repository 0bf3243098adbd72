//! The stage of drills on a real broker: a node set up as `deploy/rabbitmq` says, a server on it, two parties.

use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::history::History;
use dmr_tests::load::Lane;
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::rabbitmq::shipped::definitions;
use dmr_tests::rabbitmq::{Node, NodePlan};
use dmr_tests::server::{Server, ServerPlan};

use crate::cast::{PARTICIPANTS, Party};

/// What a drill on a broker stands on. Each has a node of its own, so that nothing of an earlier drill is left there.
pub(crate) struct Stage {
    pub(crate) history: History,
    pub(crate) network: Network,
    pub(crate) node: Node,
    /// A server on that node, which refuses a broker that is not set up as it must be.
    pub(crate) plan: ServerPlan,
}

impl Stage {
    /// With a node that runs and has the policies as they are shipped.
    pub(crate) async fn open(drill: &str) -> Outcome<Self> {
        Self::open_as(drill, &NodePlan::default()).await
    }

    /// The same with another plan of the node.
    pub(crate) async fn open_as(drill: &str, plan: &NodePlan) -> Outcome<Self> {
        let mut stage = Self::prepare(drill, plan).await?;
        stage.boot().await?;
        import_policies(&stage.node).await?;
        Ok(stage)
    }

    /// With a node that does not run yet.
    pub(crate) async fn prepare(drill: &str, plan: &NodePlan) -> Outcome<Self> {
        let (history, network) = (History::begin(drill)?, Network::new("demo", &PARTICIPANTS)?);
        let node = Node::prepare(plan).await?;
        let plan = ServerPlan::new(&network, "relay-1")?
            .with("--log", "info")
            .with("--broker", broker_url(&node))
            .with("--broker-management", node.management_url());
        Ok(Self { history, network, node, plan })
    }

    /// Starts the node. It answers a moment before it has started whole, and some commands cannot wait for that.
    pub(crate) async fn boot(&mut self) -> Outcome {
        self.node.start_again().await?;
        self.node.ctl(&["await_startup"]).await.map(drop)
    }

    /// The queue of a participant.
    pub(crate) fn mailbox(&self, participant: &str) -> Outcome<String> {
        Ok(format!("dmr.a.{}", self.network.id(participant)?))
    }
}

/// Where a server connects: without the password, which is no part of an address and the default for `guest`.
pub(crate) fn broker_url(node: &Node) -> String {
    node.amqp_url().replace("guest:guest@", "")
}

/// Sets the policies that servers insist on.
pub(crate) async fn import_policies(node: &Node) -> Outcome {
    node.import_definitions(&definitions()).await
}

/// A server and two parties that write to each other through it.
pub(crate) struct Ensemble {
    pub(crate) server: Server,
    pub(crate) tax: Party,
    pub(crate) police: Party,
}

impl Ensemble {
    /// Starts them all.
    pub(crate) async fn start(stage: &Stage) -> Outcome<Self> {
        Self::start_as(stage, &stage.plan).await
    }

    /// The same with another plan of the server.
    pub(crate) async fn start_as(stage: &Stage, plan: &ServerPlan) -> Outcome<Self> {
        let server = plan.start(&stage.network).await?;
        let tax = Party::start(&stage.network, PARTICIPANTS[0], &server, &stage.history).await?;
        let police = Party::start(&stage.network, PARTICIPANTS[1], &server, &stage.history).await?;
        Ok(Self { server, tax, police })
    }

    /// Both ways.
    pub(crate) fn lanes(&self) -> Vec<Lane> {
        vec![self.tax.lane_to(&self.police), self.police.lane_to(&self.tax)]
    }

    /// Returns once the broker has written down which queues it has. Erlang keeps the names of new quorum queues in memory
    /// for up to three seconds, and a node that is killed before has queues that nobody leads any more: that is not what
    /// a drill is about that kills a broker which was set up long ago.
    pub(crate) async fn old(&self, stage: &Stage) -> Outcome {
        self.consume(stage).await?;
        stage.node.eval("[ok = dets:sync(Table) || Table <- dets:all()], ok.").await.map(drop)
    }

    /// Waits until every session has its consumer, by the word of the server and by that of the broker.
    pub(crate) async fn consume(&self, stage: &Stage) -> Outcome {
        until("every session has its consumer", async || {
            let consumers = self.server.admin.metric("dmr_broker_consumers_active", &[]).await?;
            let sessions = self.server.admin.metric("dmr_sessions_active", &[]).await?;
            Ok(sessions == Some(2.0) && consumers == sessions)
        })
        .await?;
        for party in [&self.tax, &self.police] {
            let mailbox = stage.mailbox(&party.name)?;
            stage.node.queue_when(&mailbox, "has a consumer", |facts| facts.consumers == 1).await?;
        }
        Ok(())
    }

    /// Makes sure that the agents noticed nothing: each has the one link that it began with.
    pub(crate) async fn assert_no_agent_reconnected(&self) -> Outcome {
        for party in [&self.tax, &self.police] {
            let links =
                party.agent.api.metric("dmr_socket_connections_total", &[]).await?.doing("links of an agent")?;
            assert!((links - 1.0).abs() < 0.5, "{} had {links} links", party.name);
        }
        Ok(())
    }
}
