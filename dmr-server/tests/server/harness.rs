//! The real program, in a process and on ports of its own.

use std::future::Future;
use std::net::SocketAddr;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use dmr_transport::LinkError;
use dmr_transport::websocket::{DialerConfig, WebSocketDialer, WebSocketLink};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::agent::{DEADLINE, TestAgent};
use super::network::Network;

pub(crate) type WsAgent = TestAgent<WebSocketLink>;

/// A running `dmr-server`, killed when dropped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    process: Child,
    /// Reads the log to its end: a full pipe would hold up the server.
    log: JoinHandle<String>,
}

/// `dmr-server` with these arguments and without this process's `DMR_…` variables.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmr-server"));
    for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DMR_")) {
        command.env_remove(variable);
    }
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs the program to its end.
pub(crate) async fn run(arguments: &[&str]) -> Output {
    timeout(DEADLINE, program(arguments).output()).await.expect("the program ends in time").unwrap()
}

/// The options that every server of a test has.
pub(crate) fn options(network: &Network) -> Vec<String> {
    let (directory, root) = (network.directory_file(), network.root_file());
    ["--directory", directory.to_str().unwrap(), "--root", root.to_str().unwrap(), "--network", "testnet"]
        .map(str::to_owned)
        .into()
}

impl TestServer {
    pub(crate) async fn start(network: &Network) -> Self {
        Self::start_with(network, &[]).await
    }

    pub(crate) async fn start_with(network: &Network, more: &[&str]) -> Self {
        let mut command = program(&["run", "--name", "relay", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(["--log-format", "json"]).args(options(network)).args(more);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let listening = timeout(DEADLINE, async {
            loop {
                let line = log.next_line().await.unwrap().expect("the server starts");
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                if line["message"] == "listening" {
                    return line;
                }
            }
        });
        let listening = listening.await.expect("the server starts in time");
        let address = |key: &str| listening[key].as_str().unwrap().parse().unwrap();
        let (links, admin) = (address("links"), address("admin"));
        let log = tokio::spawn(async move {
            let mut read = String::new();
            while let Ok(Some(line)) = log.next_line().await {
                read.push_str(&line);
                read.push('\n');
            }
            read
        });
        Self { address: links, admin, process, log }
    }

    /// Bytes of memory that the process holds now.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// Sends SIGTERM: it begins to drain.
    pub(crate) async fn terminate(&self) {
        let pid = self.process.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Waits until the process has ended; gives what it logged since it listened.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let ended = timeout(DEADLINE, async {
            let status = self.process.wait().await.unwrap();
            (status, self.log.await.unwrap())
        });
        ended.await.expect("the server ends in time")
    }

    pub(crate) async fn dial(&self) -> WsAgent {
        TestAgent::new(dial(self.address).await.unwrap())
    }

    pub(crate) async fn log_in(&self, network: &Network, member: &str) -> WsAgent {
        let mut agent = self.dial().await;
        agent.log_in(network, member).await;
        agent
    }

    /// Status and body of an admin page.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        page(self.admin, path).await.unwrap()
    }

    /// The value of one metric, named with its labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.page("/metrics").await;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    /// Waits until a metric is at least so large.
    pub(crate) async fn metric_reaches(&self, name: &str, least: f64) {
        eventually(name, || async { self.metric(name).await >= least }).await;
    }
}

pub(crate) async fn dial(address: SocketAddr) -> Result<WebSocketLink, LinkError> {
    dial_with(&format!("ws://{address}"), DialerConfig::default()).await
}

pub(crate) async fn dial_with(address: &str, config: DialerConfig) -> Result<WebSocketLink, LinkError> {
    let address = address.parse().unwrap();
    timeout(DEADLINE, WebSocketDialer::new(config).dial(&address)).await.unwrap()
}

/// Asks for a page, by hand.
pub(crate) async fn page(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap()?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// Waits until it holds, looking often.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
