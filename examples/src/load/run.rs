//! A load, from the start of the processes to the line of JSON.

use std::io::Write as _;
use std::time::Duration;

use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::network::Network;
use dmr_tests::server::{Server, ServerPlan};
use serde_json::Value;
use tokio::time::Instant;

use super::cost::Cost;
use super::echo;
use super::options::Options;
use super::party::{Party, participant};
use super::recipients::Recipients;
use super::report::Measured;
use super::senders::{self, Plan};

/// Time for warming up: allocators, branch predictors, congestion windows. It does not count.
const WARM_UP: Duration = Duration::from_secs(1);

/// Options of a server whose limits do not get in the way: all agents come from one address, as fast as they can.
const NO_LIMITS: [(&str, &str); 6] = [
    ("--rate-messages", "0"),
    ("--rate-bytes", "0"),
    ("--rate-handshakes", "0"),
    ("--max-unauthenticated-per-address", "0"),
    ("--max-connections", "100000"),
    ("--log", "info"),
];

/// A network of so many participants, and a server for it in a process of its own.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) with the program's words when it does not start.
pub async fn start_server(participants: u32, more: &[(&str, &str)]) -> Outcome<(Network, Vec<String>, Server)> {
    let names: Vec<_> = (0..participants).map(|number| format!("agent-{number}")).collect();
    let network = Network::new("load", &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let server = with_server(&network, more).await?;
    Ok((network, names, server))
}

/// A server for this network.
///
/// # Errors
/// As for [`start_server`].
pub async fn with_server(network: &Network, more: &[(&str, &str)]) -> Outcome<Server> {
    let plan = ServerPlan::new(network, "relay")?;
    let plan = NO_LIMITS.iter().chain(more).fold(plan, |plan, (option, value)| plan.with(option, *value));
    plan.start(network).await
}

/// Runs the load and returns its report.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when something does not start or breaks off.
pub async fn run(mut options: Options) -> Outcome<Value> {
    let own = if options.server.is_none() {
        note("building and starting dmr-server")?;
        let (network, names, server) = start_server(2 * options.agents, &[]).await?;
        options.server = Some(server.url());
        options.server_process = Some(server.process.id());
        options.root = Some(network.root());
        options.keys = names.iter().map(|name| network.keys(name)).collect();
        Some((network, server))
    } else {
        None
    };
    let party = Party::new(&options)?;
    let mut recipients = Recipients::start(&options).await?;
    let mut agents = Vec::new();
    let connected = party.connect(party.pairs.iter().map(|(sender, _)| sender)).await?;
    for (agent, (_, recipient)) in connected.into_iter().zip(&party.pairs) {
        agents.push((agent, participant(recipient)?));
    }

    note("measuring the echo, then warming up")?;
    let echo = echo::measure(recipients.echo, options.message_len()).await?;
    let plan =
        |run, span| Plan { run, len: options.message_len(), until: Instant::now() + span, receipts: options.receipts };
    let warm_up = senders::send(&agents, options.in_flight, plan(0, WARM_UP)).await?;
    recipients.conclude(0, warm_up.accepted).await?;

    note("sending")?;
    let processes = [
        ("server", options.server_process),
        ("senders", Some(std::process::id())),
        ("recipients", Some(recipients.process()?)),
    ];
    let costs = || processes.iter().map(|(_, process)| process.map(Cost::of).transpose()).collect::<Outcome<Vec<_>>>();
    let mut run = [0; 8];
    getrandom::fill(&mut run).doing("randomness for a run")?;
    // Odd, so never that of the warm-up.
    let run = u64::from_be_bytes(run) | 1;
    let (before, began) = (costs()?, Instant::now());
    let sent = senders::send(&agents, options.in_flight, plan(run, Duration::from_secs(options.seconds))).await?;
    let took = began.elapsed();
    let received = recipients.conclude(run, sent.accepted).await?;
    let costs = before.into_iter().zip(costs()?).map(|(before, after)| before.zip(after));
    let costs = processes.iter().map(|(name, _)| *name).zip(costs).collect();
    for (agent, _) in &agents {
        agent.shutdown().await;
    }
    drop(own);
    Measured { took, sent, received, echo, costs }.report(&options)
}

/// Says on standard error what is going on; standard output is for the JSON.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when standard error is closed.
pub fn note(text: &str) -> Outcome {
    writeln!(std::io::stderr(), "load: {text}").doing("writing to standard error")
}
