//! Opening a link: resolve, connect, TLS, upgrade, each within its time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::client_async_with_config;
use async_tungstenite::tokio::TokioAdapter;
use async_tungstenite::tungstenite::ClientRequestBuilder;
use async_tungstenite::tungstenite::http::Uri;
use async_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_EXTENSIONS;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::ServerAddress;
use super::error::{tls_error, upgrade_error};
use super::link::{WebSocketLink, settings};
use super::wire::Wire;
use super::{HEADER_BYTES, SUBPROTOCOL};
use crate::link::LinkError;

/// How many addresses of one host are tried.
const ADDRESSES: usize = 4;

/// How links are opened.
#[derive(Debug, Clone)]
pub struct DialerConfig {
    /// TLS for `wss` addresses; see [`client_config`](crate::tls::client_config). Without it they cannot be dialled.
    pub tls: Option<Arc<ClientConfig>>,
    /// Whether plain `ws` may leave this machine. Default: no; then it is dialled only where the address that the
    /// host resolves to is loopback.
    pub allow_plain: bool,
    /// For resolving the host and connecting to it, all its addresses together. Default 5 s. Too small: far servers
    /// are never reached; too large: a dead server delays the next one.
    pub connect_timeout: Duration,
    /// For the TLS handshake. Default 5 s.
    pub tls_timeout: Duration,
    /// For the upgrade to a WebSocket. Default 5 s.
    pub upgrade_timeout: Duration,
}

impl Default for DialerConfig {
    fn default() -> Self {
        let five = Duration::from_secs(5);
        Self { tls: None, allow_plain: false, connect_timeout: five, tls_timeout: five, upgrade_timeout: five }
    }
}

/// Opens links to servers.
#[derive(Debug, Clone)]
pub struct WebSocketDialer {
    config: DialerConfig,
}

impl WebSocketDialer {
    /// A dialer with these settings.
    pub fn new(config: DialerConfig) -> Self {
        Self { config }
    }

    /// Opens a link.
    ///
    /// # Errors
    /// [`LinkError`]: nothing is open then.
    ///
    /// # Cancel safety
    /// Dropped, the connection is closed.
    pub async fn dial(&self, address: &ServerAddress) -> Result<WebSocketLink, LinkError> {
        // Boxed, because the handshakes' state is large and used once.
        Box::pin(self.open(address)).await
    }

    async fn open(&self, address: &ServerAddress) -> Result<WebSocketLink, LinkError> {
        let tls = match (&self.config.tls, address.is_secure()) {
            (Some(tls), true) => Some(tls),
            (None, true) => return Err(LinkError::Tls("this dialer has no roots to trust".into())),
            (_, false) => None,
        };
        let stream = timeout(self.config.connect_timeout, self.connect(address))
            .await
            .map_err(|_| LinkError::Timeout("no connection to the server"))??;
        stream.set_nodelay(true)?;
        let peer = stream.peer_addr()?;
        let mut wire = match tls {
            None => Wire::plain(stream),
            Some(tls) => {
                let name = ServerName::try_from(address.host().to_owned())
                    .map_err(|_| LinkError::Address(address.host().into()))?;
                let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
                let stream = timeout(self.config.tls_timeout, handshake)
                    .await
                    .map_err(|_| LinkError::Timeout("the server did not finish the TLS handshake"))?
                    .map_err(tls_error)?;
                Wire::tls(stream.into())
            }
        };
        let binding = wire.channel_binding().map_err(|error| LinkError::Tls(error.to_string().into()))?;
        wire.limit_input(Some(HEADER_BYTES));
        let uri: Uri = address.uri().parse().map_err(|_| LinkError::Address(address.uri().into()))?;
        let request = ClientRequestBuilder::new(uri).with_sub_protocol(SUBPROTOCOL);
        let upgrade = client_async_with_config(request, TokioAdapter::new(wire), Some(settings()));
        let (mut socket, response) = timeout(self.config.upgrade_timeout, upgrade)
            .await
            .map_err(|_| LinkError::Timeout("the server did not answer the upgrade"))?
            .map_err(upgrade_error)?;
        if response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS) {
            return Err(LinkError::Handshake("the server chose an extension that nobody offered".into()));
        }
        socket.get_mut().get_mut().limit_input(None);
        Ok(WebSocketLink::new(socket, binding, Some(peer)))
    }

    /// Connects to the first address that answers. Where plain links must stay on this machine, what counts is the
    /// address that the name resolved to, not the name.
    async fn connect(&self, address: &ServerAddress) -> Result<TcpStream, LinkError> {
        let loopback_only = !address.is_secure() && !self.config.allow_plain;
        let mut candidates: Vec<SocketAddr> = lookup_host((address.host(), address.port())).await?.collect();
        if loopback_only {
            candidates.retain(|candidate| candidate.ip().to_canonical().is_loopback());
            if candidates.is_empty() {
                return Err(LinkError::PlainNotAllowed(address.host().into()));
            }
        }
        candidates.truncate(ADDRESSES);
        let share = self.config.connect_timeout / u32::try_from(candidates.len().max(1)).unwrap_or(1);
        let mut last = LinkError::Io(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
        for candidate in candidates {
            match timeout(share, TcpStream::connect(candidate)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = LinkError::Io(error),
                Err(_) => last = LinkError::Timeout("no connection to the server"),
            }
        }
        Err(last)
    }
}
