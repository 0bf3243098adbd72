//! What the drills play on: brokers that are set up as `deploy/rabbitmq` says, and servers that insist on it.

use dmr_tests::failure::Outcome;
use dmr_tests::network::Network;
use dmr_tests::programs::workspace;
use dmr_tests::rabbitmq::{Cluster, Node, shared};
use dmr_tests::server::{Server, ServerPlan};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// The three nodes that all drills of this process share, since they take long to start: whole, whatever the drill
/// before did to them.
pub(crate) async fn cluster() -> Outcome<MutexGuard<'static, Cluster>> {
    static CLUSTER: OnceCell<Mutex<Cluster>> = OnceCell::const_new();
    let start = async || {
        let cluster = Cluster::start().await?;
        set_up(cluster.any()?).await?;
        Ok(Mutex::new(cluster))
    };
    let mut cluster = CLUSTER.get_or_try_init(start).await?.lock().await;
    cluster.mend().await?;
    Ok(cluster)
}

/// One node that drills share which do not harm the broker, or mend what they did.
pub(crate) async fn single() -> Outcome<&'static Node> {
    static READY: OnceCell<()> = OnceCell::const_new();
    let node = shared().await?;
    READY.get_or_try_init(async || set_up(node).await).await?;
    Ok(node)
}

/// Imports the policies that are shipped.
pub(crate) async fn set_up(node: &Node) -> Outcome {
    node.import_definitions(&workspace().join("deploy/rabbitmq/definitions.json")).await
}

/// Every node of the cluster.
pub(crate) fn nodes(cluster: &Cluster) -> Outcome<[&Node; 3]> {
    Ok([cluster.node(0)?, cluster.node(1)?, cluster.node(2)?])
}

/// A server that may be killed and started again at its address.
pub(crate) struct Relay {
    pub(crate) plan: ServerPlan,
    pub(crate) server: Server,
}

impl Relay {
    /// A server on this broker.
    pub(crate) async fn start(network: &Network, name: &str, nodes: &[&Node]) -> Outcome<Self> {
        Self::start_as(network, plan(network, name, nodes)?).await
    }

    /// A server by this plan.
    pub(crate) async fn start_as(network: &Network, plan: ServerPlan) -> Outcome<Self> {
        let server = plan.start(network).await?;
        Ok(Self { plan, server })
    }

    /// Starts it again, after its end.
    pub(crate) async fn start_again(&mut self, network: &Network) -> Outcome {
        self.server = self.plan.start(network).await?;
        Ok(())
    }

    /// A metric of the server's; nought when it has not counted yet.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> Outcome<f64> {
        Ok(self.server.admin.metric(name, labels).await?.unwrap_or_default())
    }

    /// Links opened since it started: where nobody reconnects, they stay as many.
    pub(crate) async fn links(&self) -> Outcome<f64> {
        self.metric("dmr_socket_connections_total", &[]).await
    }
}

/// How a server on this broker is started. It looks whether the broker is set up as it must be, and insists on it.
pub(crate) fn plan(network: &Network, name: &str, nodes: &[&Node]) -> Outcome<ServerPlan> {
    let brokers: Vec<_> = nodes.iter().map(|node| without_login(&node.amqp_url())).collect();
    let managements: Vec<_> = nodes.iter().map(|node| node.management_url()).collect();
    Ok(ServerPlan::new(network, name)?
        .with("--broker", brokers.join(","))
        .with("--broker-management", managements.join(","))
        .with("--log", "info"))
}

/// The same URL without user and password: servers take those from a file, or are `guest`.
pub(crate) fn without_login(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        _ => url.to_owned(),
    }
}
