//! The broker is reached in TLS, by the user that `deploy/rabbitmq/user.sh` makes, who may touch nothing but DMR's.

use dmr_tests::caller::Caller;
use dmr_tests::drill::{count, turn};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::history::History;
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::process::Process;
use dmr_tests::programs::{dmr_server, workspace};
use dmr_tests::rabbitmq::{Node, NodePlan};
use dmr_tests::server::ServerPlan;

use crate::authority::{Authority, secret};
use crate::cast::{PARTICIPANTS, Party, SETTLING, lanes};
use crate::stage::{Relay, plan, without_login};

/// The user that `user.sh` makes.
const USER: &str = "dmr-server";

/// A node in TLS that is set up by the scripts, and that has no other user.
async fn broker(network: &Network, authority: &Authority) -> Outcome<Node> {
    let broker = authority.certify(network, "broker", "localhost")?;
    let plan = NodePlan::default()
        .tls(&authority.file, broker.certificate, broker.key)
        .plugin("rabbitmq_auth_mechanism_ssl")
        .with("ssl_cert_login_from", "common_name")
        .with("auth_mechanisms.1", "PLAIN")
        .with("auth_mechanisms.2", "EXTERNAL");
    let node = Node::start_as(&plan).await?;
    // It may listen a moment before it has started as a whole, which the scripts insist on.
    node.ctl(&["await_startup"]).await?;
    let deploy = workspace().join("deploy/rabbitmq");
    node.operate(&deploy.join("policies.sh"), &[]).await?;
    for _ in 0..2 {
        // The second time it finds the user, and leaves it as it is.
        node.operate(&deploy.join("user.sh"), &[]).await?;
    }
    Ok(node)
}

/// How a server is started that reaches the broker in TLS.
fn secure(network: &Network, name: &str, node: &Node, authority: &Authority) -> Outcome<ServerPlan> {
    let place = without_login(&node.amqps_url());
    Ok(plan(network, name, &[node])?.with("--broker", place).with("--broker-ca", authority.file.to_string_lossy()))
}

/// Runs a load over a server of this plan, in both directions, and judges it.
async fn serves(drill: &str, network: &Network, plan: ServerPlan) -> Outcome {
    let messages = count(100, 1_000);
    let history = History::begin(drill)?;
    let relay = Relay::start_as(network, plan).await?;
    let parties = Party::both(network, &[&relay], &history).await?;
    Load::start(LoadPlan::new(messages), lanes(&parties), &history).settle(SETTLING).await?;
    let verdict = history.conclude()?;
    assert_eq!((verdict.acknowledged, verdict.failed), (messages, 0), "{verdict}");
    let log = relay.server.process.log()?;
    assert!(!log.contains("ACCESS_REFUSED"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_logs_in_by_password_or_certificate_and_needs_no_more_than_the_user_may() -> Outcome {
    let _turn = turn().await;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let authority = Authority::new(&network, "authority")?;
    let node = broker(&network, &authority).await?;

    // A certificate: the user has no password, so the management API needs another user.
    node.ctl(&["add_user", "dmr-watch", "watchword"]).await?;
    node.ctl(&["set_user_tags", "dmr-watch", "monitoring"]).await?;
    node.ctl(&["set_permissions", "--vhost", "/", "dmr-watch", "^$", "^$", "^$"]).await?;
    let watch = network.path("watch");
    secret(&watch, "dmr-watch:watchword\n")?;
    let identity = authority.certify(&network, USER, "server")?;
    let by_certificate = secure(&network, "relay-1", &node, &authority)?
        .with("--broker-cert", identity.certificate.to_string_lossy())
        .with("--broker-key", identity.key.to_string_lossy())
        .with("--broker-management-credentials", watch.to_string_lossy());
    serves("broker-external", &network, by_certificate.clone()).await?;

    // The authority vouches for the name, and another authority's word counts for nothing.
    let stranger = Authority::new(&network, "stranger")?;
    let forged = stranger.certify(&network, "forged", "server")?;
    let refused = by_certificate
        .with("--broker-cert", forged.certificate.to_string_lossy())
        .with("--broker-key", forged.key.to_string_lossy());
    is_kept_out(&network, &refused, "UnknownCA").await?;

    node.ctl(&["change_password", USER, "password"]).await?;
    let credentials = network.path("credentials");
    secret(&credentials, "dmr-server:password\n")?;
    let by_password =
        secure(&network, "relay-2", &node, &authority)?.with("--broker-credentials", credentials.to_string_lossy());
    serves("broker-tls", &network, by_password.clone()).await?;

    let distrusting = by_password.clone().with("--broker-ca", stranger.file.to_string_lossy());
    is_kept_out(&network, &distrusting, "invalid peer certificate: UnknownIssuer").await?;
    secret(&credentials, "dmr-server:guess\n")?;
    let guessing = by_password.with("--broker-management-credentials", watch.to_string_lossy());
    is_kept_out(&network, &guessing, "ACCESS_REFUSED").await
}

/// Starts a server of this plan, and waits until it says of the broker what it should; it may not become ready.
async fn is_kept_out(network: &Network, plan: &ServerPlan, words: &str) -> Outcome {
    let admin = plan.args().iter().skip_while(|arg| *arg != "--admin").nth(1).doing("--admin")?;
    let _process = Process::start(dmr_server()?, plan.args(), &[], &network.path("kept-out.log"))?;
    let caller = Caller::new(format!("http://{admin}"))?;
    let mut said = String::new();
    let what = format!("a server says {words:?} of its broker");
    let waited = until(&what, async || {
        let answer = caller.get("/readyz").await?;
        said = format!("{} {}", answer.status, answer.text);
        assert_ne!(answer.status, 200, "{said}");
        Ok(said.contains(words))
    });
    waited.await.map_err(|failure| Failure::new(format!("{failure}; it says {said}")))
}
