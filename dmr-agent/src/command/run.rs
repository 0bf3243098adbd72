//! `dmr-agent run` and `dmr-agent check`.

use std::io::{self, Write as _};

use dmr_transport::service::{logging, shutdown};

use super::Failure;
use super::settings::RunSettings;
use crate::clock::Clock;
use crate::directory_keeper::DirectoryStore;
use crate::service::{Service, ServiceConfig};
use crate::webhook::Caller;

/// Runs the agent until a signal.
pub(crate) fn run(settings: &RunSettings) -> Result<(), Failure> {
    let config = settings.config()?;
    logging::start(&settings.link.logs)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: ServiceConfig) -> Result<(), Failure> {
    // From here on a first signal drains and a second one ends the process.
    let shutdown = shutdown::signal()?;
    let (name, has_webhook) = (config.agent.keyring.name().clone(), config.webhook.is_some());
    let service = Service::bind(config).await?;
    let participant = service.agent().participant();
    tracing::info!(%participant, %name, listen = %service.local_addr(), webhook = has_webhook, "agent running");
    if !has_webhook {
        tracing::warn!("no --deliver-to: messages that nobody asked for stay at the server, unacknowledged");
    }
    tracing::info!(
        "copies are recognised within this process's life; over a restart and between replicas the webhook must by its Idempotency-Key"
    );
    service
        .serve(async {
            shutdown.await;
            tracing::info!("shutting down; a second signal ends at once");
        })
        .await;
    Ok(())
}

/// Validates everything that `run` needs, and starts nothing.
pub(crate) fn check(settings: &RunSettings) -> Result<(), Failure> {
    logging::check(&settings.link.logs)?;
    let config = settings.config()?;
    if let Some(webhook) = &config.webhook {
        Caller::new(webhook).map_err(|error| Failure::Settings(error.to_string()))?;
    }
    let ServiceConfig { agent, listen, webhook, .. } = config;
    let now = Clock::system().wall();
    let store = DirectoryStore::open(agent.pin, agent.state, now)?;
    let mut stdout = io::stdout().lock();
    writeln!(
        stdout,
        "ok: {} ({}) of network {}, {} server(s), HTTP API at {listen}, {}",
        agent.keyring.name(),
        agent.keyring.participant(),
        agent.network,
        agent.servers.len(),
        if webhook.is_some() { "with a webhook" } else { "no webhook" },
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
