//! Links that are logged in, subscribed, and do nothing: what each costs the server in memory.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, AuthFields, ServerFrame, VERSION};
use dmr_core::id::{InstanceId, Nonce};
use dmr_core::time::Timestamp;
use dmr_crypto::{RootPin, VerifiedDirectory, prove_login};
use dmr_tests::certificate::certificates;
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::eventually;
use dmr_tests::server::Server;
use dmr_transport::tls::{Roots, client_config};
use dmr_transport::websocket::{DialerConfig, ServerAddress, WebSocketDialer, WebSocketLink};
use dmr_transport::{Link, LinkReceiver, LinkSender, Received};
use serde_json::{Value, json};

use super::cost::Cost;
use super::echo::send;
use super::party::keyring;
use super::run::{note, start_server, with_server};
use super::stamp::now;

/// Longest wait for the server's memory to hold still.
const REST: Duration = Duration::from_secs(20);

/// An open link. Dropping it closes it.
type Open = (<WebSocketLink as Link>::Sender, <WebSocketLink as Link>::Receiver);

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
    let (address, dialer) = (url.parse().doing(url)?, WebSocketDialer::new(dialer));
    let pin = std::fs::read(network.root()).doing("the root keys")?;
    let pin = RootPin::from_json(&pin).doing("the root keys")?;
    let bundle = std::fs::read(network.bundle()).doing("the directory")?;
    let directory = VerifiedDirectory::verify(&bundle, &pin, wall()).doing("the directory")?;

    let before = at_rest(server).await?;
    let mut open = Vec::with_capacity(keys.len());
    for file in keys {
        open.push(log_in(&dialer, &address, file, &directory).await?);
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

/// Opens a link, logs in and subscribes, like an agent that has the directory already.
async fn log_in(
    dialer: &WebSocketDialer,
    address: &ServerAddress,
    file: &std::path::Path,
    directory: &VerifiedDirectory,
) -> Outcome<Open> {
    let keyring = keyring(file)?;
    let key = keyring.login_key(directory, wall()).doing("a login key")?;
    let link = dialer.dial(address).await.doing("opening a link")?;
    let binding = link.channel_binding();
    let (mut sender, mut receiver) = link.split();
    let ServerFrame::Challenge { challenge, .. } = next(&mut receiver).await? else {
        return Err(Failure::new("the server does not begin with a challenge"));
    };
    let (mut nonce, mut instance) = ([0; 32], [0; 16]);
    getrandom::fill(&mut nonce).and_then(|()| getrandom::fill(&mut instance)).doing("randomness for a login")?;
    let fields = AuthFields {
        network: directory.network().clone(),
        participant: keyring.participant(),
        key: key.id(),
        version: VERSION,
        nonce: Nonce(nonce),
        instance: InstanceId::from_random_bytes(instance),
        binding,
        directory_revision: directory.revision(),
    };
    let fields = fields.encode().doing("the login")?;
    let proof = Bytes::copy_from_slice(&prove_login(key, &challenge, &fields));
    put(&mut sender, &AgentFrame::Authenticate { fields, proof }).await?;
    match next(&mut receiver).await? {
        ServerFrame::Welcome(_) => {}
        other => return Err(Failure::new(format!("the server answers the login with {}", other.name()))),
    }
    put(&mut sender, &AgentFrame::Subscribe { prefetch: 64 }).await?;
    Ok((sender, receiver))
}

async fn next(receiver: &mut impl LinkReceiver) -> Outcome<ServerFrame> {
    match receiver.receive().await.doing("waiting for the server")? {
        Received::Frame(frame) => ServerFrame::decode(&frame).doing("the server's frame"),
        Received::Closed(reason) => Err(Failure::new(format!("the server closed the link: {reason:?}"))),
    }
}

async fn put(sender: &mut impl LinkSender, frame: &AgentFrame) -> Outcome {
    send(sender, frame.encode().doing("a frame")?).await
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

fn wall() -> Timestamp {
    Timestamp(now() / 1_000_000)
}
