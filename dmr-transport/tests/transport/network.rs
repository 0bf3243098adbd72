//! A certificate authority and connected WebSocket links on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use dmr_transport::LinkError;
use dmr_transport::tls::{Roots, client_config, server_config};
use dmr_transport::websocket::{AcceptConfig, DialerConfig, ServerAddress, WebSocketDialer, WebSocketLink, accept};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpListener;

/// A test authority with one server certificate for `localhost` and 127.0.0.1.
pub(crate) struct Authority {
    home: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().unwrap();
        let root = params.self_signed(&root_key).unwrap();
        let issuer = Issuer::new(params, root_key);
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        fs::write(home.path().join("ca.pem"), root.pem()).unwrap();
        fs::write(home.path().join("server.pem"), leaf.pem()).unwrap();
        write_key(&home.path().join("server.key"), &key.serialize_pem());
        Self { home }
    }

    /// One for all tests that do not need another: making keys takes a while.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Authority> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        client_config(&Roots::File(self.file("ca.pem"))).unwrap()
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        server_config(&self.file("server.pem"), &self.file("server.key")).unwrap()
    }
}

pub(crate) fn write_key(file: &Path, pem: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut key = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).unwrap();
    key.write_all(pem.as_bytes()).unwrap();
}

/// A listener on loopback and the address to dial it by.
pub(crate) async fn listener(scheme: &str) -> (TcpListener, ServerAddress) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("{scheme}://127.0.0.1:{}", listener.local_addr().unwrap().port());
    (listener, address.parse().unwrap())
}

/// What comes of dialling one listener: the agent's side and the server's.
pub(crate) async fn meet(
    scheme: &str,
    dialing: DialerConfig,
    accepting: AcceptConfig,
) -> (Result<WebSocketLink, LinkError>, Result<WebSocketLink, LinkError>) {
    let (listener, address) = listener(scheme).await;
    let dialer = WebSocketDialer::new(dialing);
    tokio::join!(dialer.dial(&address), async {
        let (stream, _) = listener.accept().await.unwrap();
        accept(stream, &accepting).await
    })
}

/// Two connected ends, plain or in TLS.
pub(crate) async fn pair(scheme: &str) -> (WebSocketLink, WebSocketLink) {
    let secure = scheme == "wss";
    let tls = secure.then(|| Authority::shared().client());
    let dialing = DialerConfig { tls, ..DialerConfig::default() };
    let tls = secure.then(|| Authority::shared().server());
    let (agent, server) = meet(scheme, dialing, AcceptConfig { tls, ..AcceptConfig::default() }).await;
    (agent.unwrap(), server.unwrap())
}
