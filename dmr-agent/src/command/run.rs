//! `dmr-agent run` and `dmr-agent check`.

use std::future::Future;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use dmr_transport::service::http::{self, HttpLimits};
use dmr_transport::service::metrics::Metrics;
use dmr_transport::service::{logging, shutdown};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::settings::{RunConfig, RunSettings};
use crate::agent::Agent;
use crate::api::{self, ApiState};
use crate::clock::Clock;
use crate::directory_keeper::DirectoryStore;
use crate::webhook::{Caller, Intake, Webhook, WebhookConfig};

/// How long calls of the webhook may go on after the first signal.
const GRACE: Duration = Duration::from_secs(10);
/// Requests to the HTTP API at once; waiting questions count.
const CONNECTIONS: usize = 1_024;

/// Runs the agent until a signal.
pub(crate) fn run(settings: &RunSettings) -> Result<(), Failure> {
    let config = settings.config()?;
    logging::start(&settings.logs)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: RunConfig) -> Result<(), Failure> {
    let shutdown = shutdown::signal()?;
    let metrics = Metrics::install()?;
    api::describe_traffic();
    tokio::spawn(metrics.clone().upkeep());
    let webhook = config.webhook.as_ref().map(webhook).transpose()?;
    let (address, names) = (config.listen, config.agent.keyring.name().clone());
    let listener =
        TcpListener::bind(address).await.map_err(|error| Failure::Listen { address, error })?;
    let agent = Agent::connect(config.agent).await?;
    let participant = agent.participant();
    let address = listener.local_addr()?;
    tracing::info!(%participant, name = %names, listen = %address, webhook = webhook.is_some(), "agent running");
    if webhook.is_none() {
        tracing::warn!("no --deliver-to: messages that nobody asked for stay at the server, unacknowledged");
    }
    tracing::info!(
        "replays are recognised within this process's life; replicas and restarts rely on the Idempotency-Key"
    );

    let state = ApiState::new(agent.clone(), webhook.is_some(), config.token);
    let router = api::router(&state, metrics);
    let stop = CancellationToken::new();
    let intake = agent.deliveries().map(|deliveries| {
        tokio::spawn(Intake { state: Arc::clone(&state), webhook }.run(deliveries, stop.clone()))
    });
    let limits = HttpLimits { connections: CONNECTIONS, ..HttpLimits::default() };
    http::serve(listener, router, limits, announced(shutdown)).await;
    stop.cancel();
    if let Some(intake) = intake
        && tokio::time::timeout(GRACE, intake).await.is_err()
    {
        tracing::warn!("calls of the webhook were cut short; their messages come again");
    }
    agent.shutdown().await;
    Ok(())
}

async fn announced(signal: impl Future<Output = ()>) {
    signal.await;
    tracing::info!("shutting down; a second signal ends at once");
}

fn webhook(config: &WebhookConfig) -> Result<Webhook, Failure> {
    let caller = Caller::new(config).map_err(|error| Failure::Settings(error.to_string()))?;
    Ok(Webhook { caller, retry: config.retry })
}

/// Validates everything that `run` needs, and starts nothing.
pub(crate) fn check(settings: &RunSettings) -> Result<(), Failure> {
    logging::check(&settings.logs)?;
    let config = settings.config()?;
    config.webhook.as_ref().map(webhook).transpose()?;
    let agent = config.agent;
    let now = Clock::system().wall();
    let store = DirectoryStore::open(agent.pin, agent.state, now)?;
    let mut stdout = io::stdout().lock();
    writeln!(
        stdout,
        "ok: {} ({}) of network {}, {} server(s), HTTP API at {}, {}",
        agent.keyring.name(),
        agent.keyring.participant(),
        agent.network,
        agent.servers.len(),
        config.listen,
        if config.webhook.is_some() { "with a webhook" } else { "no webhook" },
    )?;
    match store.current() {
        None => writeln!(stdout, "no directory is kept yet: the first server will send one")?,
        Some(kept) => {
            writeln!(stdout, "kept directory: revision {}, {}", kept.revision(), kept.freshness(now).as_str())?;
            if let Err(error) = agent.keyring.standing(&kept, now) {
                writeln!(stdout, "warning: {error}")?;
            }
        }
    }
    Ok(())
}
