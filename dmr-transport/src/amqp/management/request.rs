//! One request of the management API, on a connection of its own.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use base64ct::{Base64, Encoding as _};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::{Credentials, ManagementConfig, ManagementError};

/// Largest answer, in bytes.
const ANSWER: usize = 16 << 20;
/// Most headers of an answer; RabbitMQ sends ten.
const HEADERS: usize = 64;
/// Longest user name, and longest password, in bytes.
const CREDENTIAL: usize = 1 << 10;
/// How much of a refusal's reason is shown, in characters.
const REASON: usize = 200;
/// How many addresses of one host are tried.
const ADDRESSES: usize = 4;

/// The JSON at `/api/` and this path.
pub(super) async fn get(config: &ManagementConfig, path: &str) -> Result<Value, ManagementError> {
    let request = request(config, path)?;
    let late = || ManagementError::Timeout { address: address(config) };
    let stream = timeout(config.timeout, connect(config)).await.map_err(|_| late())??;
    let answered = async {
        if config.address.is_secure() {
            let stream = tls(config, stream).await?;
            answer(config, path, request, stream).await
        } else {
            answer(config, path, request, stream).await
        }
    };
    timeout(config.timeout, answered).await.map_err(|_| late())?
}

fn address(config: &ManagementConfig) -> Box<str> {
    config.address.to_string().into()
}

fn request(config: &ManagementConfig, path: &str) -> Result<Request<String>, ManagementError> {
    // Names are percent-encoded by now; what is left to go wrong is a prefix or a host that no header can hold.
    Request::get(format!("{}/api/{path}", config.address.prefix()))
        .header(HOST, config.address.authority())
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close")
        .header(AUTHORIZATION, authorization(&config.credentials)?)
        .body(String::new())
        .map_err(|error| ManagementError::Http { address: address(config), cause: error.to_string().into() })
}

/// RFC 7617. The header's own copy lives as long as the request and is not wiped.
fn authorization(credentials: &Credentials) -> Result<HeaderValue, ManagementError> {
    let (user, password) = (&*credentials.user, &*credentials.password);
    if user.contains(':') || user.len() > CREDENTIAL || password.len() > CREDENTIAL {
        return Err(ManagementError::Credentials);
    }
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let encoded = Zeroizing::new(Base64::encode_string(pair.as_bytes()));
    let header = Zeroizing::new(format!("Basic {}", &*encoded));
    let mut value = HeaderValue::from_str(&header).map_err(|_| ManagementError::Credentials)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Connects to the first address that answers. Where plain HTTP must stay on this machine, what counts is the address
/// that the name resolved to, not the name.
async fn connect(config: &ManagementConfig) -> Result<TcpStream, ManagementError> {
    let unreachable = |cause| ManagementError::Unreachable { address: address(config), cause };
    let resolved = lookup_host((config.address.host(), config.address.port())).await.map_err(unreachable)?;
    let mut candidates: Vec<SocketAddr> = resolved.collect();
    if !config.address.is_secure() && !config.allow_plain {
        candidates.retain(|candidate| candidate.ip().to_canonical().is_loopback());
        if candidates.is_empty() {
            return Err(ManagementError::PlainNotAllowed { address: address(config) });
        }
    }
    candidates.truncate(ADDRESSES);
    let share = config.timeout / u32::try_from(candidates.len().max(1)).unwrap_or(1);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for candidate in candidates {
        match timeout(share, TcpStream::connect(candidate)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(unreachable(last))
}

async fn tls(
    config: &ManagementConfig,
    stream: TcpStream,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, ManagementError> {
    let failed = |cause: Box<str>| ManagementError::Tls { address: address(config), cause };
    let Some(tls) = &config.tls else { return Err(failed("no roots to trust were given".into())) };
    let name = ServerName::try_from(config.address.host().to_owned())
        .map_err(|_| failed("the host is not a name that a certificate can have".into()))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
    stream.map_err(|error| failed(error.to_string().into()))
}

async fn answer(
    config: &ManagementConfig,
    path: &str,
    request: Request<String>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
) -> Result<Value, ManagementError> {
    let broken =
        |error: hyper::Error| ManagementError::Http { address: address(config), cause: error.to_string().into() };
    let (mut sender, connection) =
        http1::Builder::new().max_headers(HEADERS).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let what = path.split('?').next().unwrap_or_default();
        let body = collect(response.into_body()).await.map_err(broken)?;
        let body = body.ok_or_else(|| ManagementError::TooLong { address: address(config), path: what.into() })?;
        if status != StatusCode::OK {
            return Err(refusal(config, what, status, &body));
        }
        serde_json::from_slice(&body)
            .map_err(|_| ManagementError::Malformed { address: address(config), what: "this path" })
    };
    let (mut exchange, connection) = (pin!(exchange), pin!(connection));
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The broker has closed: what it said before is buffered, and an error of the connection is the exchange's too.
        _ = connection => exchange.await,
    }
}

/// The whole body, or nothing when it is longer than it may be.
async fn collect(mut body: Incoming) -> Result<Option<Vec<u8>>, hyper::Error> {
    let mut collected = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            if data.len() > ANSWER - collected.len() {
                return Ok(None);
            }
            collected.extend_from_slice(&data);
        }
    }
    Ok(Some(collected))
}

fn refusal(config: &ManagementConfig, path: &str, status: StatusCode, body: &[u8]) -> ManagementError {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let reason = answer.get("reason").and_then(Value::as_str).unwrap_or("no reason given");
    // It goes to a terminal and to logs: no control characters, and not much of it.
    let reason: String = reason.chars().filter(|char| !char.is_control()).take(REASON).collect();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ManagementError::Unauthorized { user: config.credentials.user.clone(), reason: reason.into() }
        }
        StatusCode::NOT_FOUND => ManagementError::NotFound { address: address(config), path: path.into() },
        _ => ManagementError::Refused { address: address(config), status: status.as_u16(), reason: reason.into() },
    }
}
