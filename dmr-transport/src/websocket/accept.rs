//! Taking a link: TLS and the upgrade of one TCP connection, each within its time.

use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::accept_hdr_async_with_config;
use async_tungstenite::tokio::TokioAdapter;
use async_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use async_tungstenite::tungstenite::http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use async_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::error::{tls_error, upgrade_error};
use super::link::{WebSocketLink, settings};
use super::wire::Wire;
use super::{HEADER_BYTES, HEADERS, PATH, SUBPROTOCOL};
use crate::link::LinkError;

/// How links are taken.
#[derive(Debug, Clone)]
pub struct AcceptConfig {
    /// TLS, where it ends in this process; see [`server_config`](crate::tls::server_config).
    pub tls: Option<Arc<ServerConfig>>,
    /// For the TLS handshake. Default 5 s. Too small refuses far agents; too large lets silent connections stay.
    pub tls_timeout: Duration,
    /// For the whole upgrade request. Default 5 s, with the same trade-off.
    pub upgrade_timeout: Duration,
}

impl Default for AcceptConfig {
    fn default() -> Self {
        let five = Duration::from_secs(5);
        Self { tls: None, tls_timeout: five, upgrade_timeout: five }
    }
}

/// Makes a link of a connection that a listener accepted.
///
/// The upgrade must ask for [`PATH`] and for exactly the subprotocol [`SUBPROTOCOL`], in at most 32 headers and 8 KiB,
/// and must not come from a web page (no `Origin`). No extension is negotiated, so nothing is compressed.
///
/// # Errors
/// [`LinkError`]: the connection is closed then, after an HTTP answer where the request could be read.
///
/// # Cancel safety
/// Dropped, the connection is closed.
pub async fn accept(stream: TcpStream, config: &AcceptConfig) -> Result<WebSocketLink, LinkError> {
    // Boxed, because the handshakes' state is large and an idle link should not carry it.
    Box::pin(upgrade(stream, config)).await
}

async fn upgrade(stream: TcpStream, config: &AcceptConfig) -> Result<WebSocketLink, LinkError> {
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr()?;
    let mut wire = match &config.tls {
        None => Wire::plain(stream),
        Some(tls) => {
            let handshake = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
            let stream = timeout(config.tls_timeout, handshake)
                .await
                .map_err(|_| LinkError::Timeout("the agent did not finish the TLS handshake"))?
                .map_err(tls_error)?;
            Wire::tls(TlsStream::Server(stream))
        }
    };
    let binding = wire.channel_binding().map_err(|error| LinkError::Tls(error.to_string().into()))?;
    wire.limit_input(Some(HEADER_BYTES));
    let handshake = accept_hdr_async_with_config(TokioAdapter::new(wire), answer, Some(settings()));
    let mut socket = timeout(config.upgrade_timeout, handshake)
        .await
        .map_err(|_| LinkError::Timeout("the agent did not finish the upgrade request"))?
        .map_err(upgrade_error)?;
    socket.get_mut().get_mut().limit_input(None);
    Ok(WebSocketLink::new(socket, binding, Some(peer)))
}

/// Decides on an upgrade request.
#[expect(clippy::result_large_err, reason = "the library's signature")]
fn answer(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let headers = request.headers();
    if headers.len() > HEADERS {
        return Err(refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
    if headers.contains_key(ORIGIN) {
        return Err(refusal(StatusCode::FORBIDDEN));
    }
    if request.uri().path() != PATH {
        return Err(refusal(StatusCode::NOT_FOUND));
    }
    let mut subprotocols = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    if subprotocols.next().is_none_or(|first| first != SUBPROTOCOL) || subprotocols.next().is_some() {
        return Err(refusal(StatusCode::BAD_REQUEST));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

fn refusal(status: StatusCode) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    response
}
