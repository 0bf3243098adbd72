//! A load, from the start of the processes to the line of JSON.

use std::io::Write as _;

use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::network::Network;
use dmr_tests::server::{Server, ServerPlan};
use serde_json::Value;

use super::agents::Agents;
use super::baseline::Baseline;
use super::echo;
use super::options::Options;
use super::relay::{self, Relay};
use super::report::{add_setting, ratios};
use super::rounds;
use super::side::Side;

/// Publishes that a server lets a link have unconfirmed unless it is told otherwise.
const DEFAULT_CREDIT: u32 = 64;
/// What a server keeps messages in unless it is told otherwise.
const DEFAULT_BROKER: &str = "memory";

/// Options of a server whose limits do not get in the way: all agents come from one address, as fast as they can.
const NO_LIMITS: [(&str, &str); 7] = [
    ("--rate-messages", "0"),
    ("--rate-bytes", "0"),
    ("--rate-handshakes", "0"),
    ("--max-unauthenticated-per-address", "0"),
    ("--max-connections", "100000"),
    ("--log", "info"),
    // The broker is whatever the caller names: its settings are the caller's business.
    ("--broker-check", "off"),
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

/// A server for this network, with these options, each as often as it is given.
///
/// # Errors
/// As for [`start_server`].
pub async fn with_server(network: &Network, more: &[(&str, &str)]) -> Outcome<Server> {
    let plan = ServerPlan::new(network, "relay")?;
    let plan = NO_LIMITS.iter().fold(plan, |plan, (option, value)| plan.with(option, *value));
    let plan = more.iter().fold(plan, |plan, (option, value)| plan.also(option, *value));
    plan.start(network).await
}

/// Runs the load and returns its report.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when something does not start or breaks off.
pub async fn run(mut options: Options) -> Outcome<Value> {
    let own = if options.server.is_none() { Some(start_own(&mut options).await?) } else { None };
    let (mut dmr, envelope) = start_side(&options).await?;
    let mut bare = match (options.baseline, envelope) {
        (true, Some(len)) => Some(Side::Baseline(Box::new(Baseline::start(&options, len).await?))),
        _ => None,
    };

    note("measuring the echo")?;
    let echo = dmr.counterpart().ready.get("echo").and_then(Value::as_str).doing("the address of the echo")?;
    let mut echo = echo::measure(echo.parse().doing("the address of the echo")?, options.message_len()).await?;
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        note(&format!("round {round} of {}: warming up and sending", options.rounds))?;
        let mut report = dmr.round(&options).await?.report()?;
        add_setting(&mut report, &options, envelope, &mut echo);
        if let Some(bare) = &mut bare {
            note("the same by the broker alone")?;
            let bare = bare.round(&options).await?.report()?;
            report.insert("ratios".to_owned(), ratios(&report, &bare));
            report.insert("baseline".to_owned(), Value::Object(bare));
        }
        rounds.push(Value::Object(report));
    }
    if let Some(bare) = bare {
        bare.end().await?;
    }
    dmr.end().await?;
    drop(own);
    let mut report = rounds::merge(&rounds);
    if let Some(report) = report.as_object_mut() {
        report.insert("rounds".to_owned(), options.rounds.into());
    }
    Ok(report)
}

/// Starts a server with fresh keys, and puts into the options what it needs to be used.
async fn start_own(options: &mut Options) -> Outcome<(Network, Server)> {
    note("building and starting dmr-server")?;
    let credit = options.in_flight.to_string();
    let mut more: Vec<_> = options.broker.iter().map(|url| ("--broker", url.as_str())).collect();
    if options.relay && options.in_flight > DEFAULT_CREDIT {
        more.push(("--credit", &credit));
    }
    let (network, names, server) = start_server(2 * options.agents, &more).await?;
    if options.broker.is_empty() {
        options.broker.push(DEFAULT_BROKER.to_owned());
    }
    options.server = Some(server.url());
    options.server_process = Some(server.process.id());
    options.root = Some(network.root());
    options.directory = Some(network.bundle());
    options.keys = names.iter().map(|name| network.keys(name)).collect();
    Ok((network, server))
}

/// DMR's side, and the size of its envelopes where that is needed.
async fn start_side(options: &Options) -> Outcome<(Side, Option<usize>)> {
    if options.relay {
        note("sealing")?;
        let relay = Relay::start(options).await?;
        let len = relay.envelope_len();
        return Ok((Side::Relay(relay), Some(len)));
    }
    let envelope = if options.directory.is_some() { Some(relay::envelope_len(options)?) } else { None };
    Ok((Side::Agents(Agents::start(options).await?), envelope))
}

/// Says on standard error what is going on; standard output is for the JSON.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when standard error is closed.
pub fn note(text: &str) -> Outcome {
    writeln!(std::io::stderr(), "load: {text}").doing("writing to standard error")
}
