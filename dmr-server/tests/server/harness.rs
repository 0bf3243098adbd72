//! A server inside the test's process, on ports of its own.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use dmr_server::{Limits, Server, ServerConfig};
use dmr_transport::websocket::{DialerConfig, WebSocketDialer, WebSocketLink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::agent::{DEADLINE, TestAgent};
use super::network::{Network, name};

pub(crate) type WsAgent = TestAgent<WebSocketLink>;

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

pub(crate) fn config(network: &Network) -> ServerConfig {
    let mut config = ServerConfig::new(network.directory_file(), network.pin.clone(), name("relay"));
    config.listen = ([127, 0, 0, 1], 0).into();
    config.admin = Some(([127, 0, 0, 1], 0).into());
    config
}

pub(crate) fn config_with(network: &Network, limits: Limits) -> ServerConfig {
    let mut config = config(network);
    config.limits = limits;
    config
}

impl TestServer {
    pub(crate) async fn start(network: &Network) -> Self {
        Self::start_with(config(network)).await
    }

    pub(crate) async fn start_with(config: ServerConfig) -> Self {
        let server = Server::bind(config).await.unwrap();
        let (address, admin) = (server.local_addr(), server.admin_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.serve(async move { drop(stopped.await) }));
        Self { address, admin, stop: Some(stop), serving }
    }

    /// Begins to drain.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(self) {
        timeout(DEADLINE, self.serving).await.expect("the server ends in time").unwrap();
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

    /// The value of one metric, labels and all.
    pub(crate) async fn metric(&self, line: &str) -> f64 {
        let (_, text) = self.page("/metrics").await;
        let value = text.lines().find_map(|each| each.strip_prefix(line)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {line} in\n{text}")).parse().unwrap()
    }
}

pub(crate) async fn dial(address: SocketAddr) -> Result<WebSocketLink, dmr_transport::LinkError> {
    let address = format!("ws://{address}").parse().unwrap();
    timeout(DEADLINE, WebSocketDialer::new(DialerConfig::default()).dial(&address)).await.unwrap()
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
