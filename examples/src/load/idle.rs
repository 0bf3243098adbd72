//! Links that are logged in, subscribed, and do nothing: what each costs the server in memory.

use std::path::PathBuf;
use std::time::Duration;

use dmr_core::frame::AgentFrame;
use dmr_tests::certificate::certificates;
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::eventually;
use dmr_tests::server::Server;
use dmr_transport::tls::{Roots, client_config};
use dmr_transport::websocket::DialerConfig;
use serde_json::{Value, json};

use super::bare_link::Entrance;
use super::cost::Cost;
use super::party::keyring;
use super::run::{note, start_server, with_server};

/// Longest wait for the server's memory to hold still.
const REST: Duration = Duration::from_secs(20);

/// Credit for deliveries, of which none come.
const PREFETCH: u16 = 64;

/// Opens so many links, each of a participant of its own, first plain and then over TLS, and reports what they cost.
///
/// # Errors
/// [`Failure`] when a link cannot be opened.
pub async fn measure(links: u32) -> Outcome<Value> {
    check_descriptors(links)?;
    note("building and starting dmr-server")?;
    let (_, _, server) = start_server(2, &[]).await?;
    let empty = at_rest(&server).await?;
    drop(server);

    note(&format!("making keys for {links} participants"))?;
    let (network, names, server) = start_server(links, &[]).await?;
    let keys: Vec<_> = names.iter().map(|name| network.keys(name)).collect();
    let url = server.url();
    let plain = with_links(&network, &server, &url, &keys, DialerConfig::default()).await?;
    drop(server);

    let files = certificates(&network)?;
    let (certificate, key) = (files.certificate.to_string_lossy(), files.key.to_string_lossy());
    let server = with_server(&network, &[("--tls-cert", &certificate), ("--tls-key", &key)]).await?;
    let tls = client_config(&Roots::File(files.authority.clone())).doing("the certificate authority")?;
    let dialer = DialerConfig { tls: Some(tls), ..DialerConfig::default() };
    let url = format!("wss://localhost:{}", server.address().port());
    let secure = with_links(&network, &server, &url, &keys, dialer).await?;
    Ok(json!({ "links": links, "idle_server_rss_kib": empty.rss_kib, "plain": plain, "tls": secure }))
}

async fn with_links(
    network: &Network,
    server: &Server,
    url: &str,
    keys: &[PathBuf],
    dialer: DialerConfig,
) -> Outcome<Value> {
    note(&format!("opening {} links to {url}", keys.len()))?;
    let entrance = Entrance::new(url, &network.root(), &network.bundle(), dialer)?;

    let before = at_rest(server).await?;
    let mut open = Vec::with_capacity(keys.len());
    for file in keys {
        let mut link = entrance.log_in(&keyring(file)?).await?;
        link.put(&AgentFrame::Subscribe { prefetch: PREFETCH }).await?;
        open.push(link);
    }
    let after = at_rest(server).await?;
    let active = server.admin.metric("dmr_socket_connections_active", &[]).await?;
    if active.is_none_or(|active| active < f64::from(u32::try_from(open.len()).unwrap_or(u32::MAX))) {
        return Err(Failure::new(format!("{} links were opened and the server counts {active:?}", open.len())));
    }
    let grown = after.rss_kib.saturating_sub(before.rss_kib) * 1024;
    Ok(json!({
        "rss_before_kib": before.rss_kib,
        "rss_after_kib": after.rss_kib,
        "bytes_per_link": grown / u64::try_from(open.len().max(1)).unwrap_or(u64::MAX),
    }))
}

/// The server's cost once its memory holds still.
async fn at_rest(server: &Server) -> Outcome<Cost> {
    let mut last = 0;
    eventually("the server's memory holds still", REST, async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let cost = Cost::of(server.process.id())?;
        let still = cost.rss_kib == last;
        last = cost.rss_kib;
        Ok(still.then_some(cost))
    })
    .await
}

/// Every link takes a file descriptor here and one in the server, which inherits this process's limit.
fn check_descriptors(links: u32) -> Outcome {
    let limits = std::fs::read_to_string("/proc/self/limits").doing("/proc/self/limits")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let allowed = line.split_whitespace().nth(3).and_then(|number| number.parse::<u32>().ok()).unwrap_or(u32::MAX);
    let needed = links + 100;
    if allowed >= needed {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{links} links need {needed} file descriptors, {allowed} are allowed: ulimit -n {needed}"
    )))
}
