//! The byte stream under a connection: TCP, or TLS as the rest of this crate does it.
//!
//! The AMQP library opens its own TCP and knows TLS libraries by feature. Here it is handed a stream instead, through a
//! reactor that is tokio's in all but the type of its streams.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use futures_util::Stream;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::TlsConnector;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

use super::address::AmqpAddress;
use super::config::AmqpTls;
use crate::tls;

/// Bytes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open stream.
pub(super) type Opened = Compat<Box<dyn Duplex>>;

/// Tokio's executor and a reactor over [`Opened`].
pub(super) type Kit = RuntimeParts<Tokio, StreamReactor>;

/// The runtime that runs this task.
pub(super) fn kit() -> Kit {
    RuntimeParts::new(Tokio::current(), StreamReactor(Tokio::current()))
}

/// Opens the stream to a broker.
///
/// # Errors
/// What the network, the files of `tls` or the handshake say.
pub(super) async fn open(address: &AmqpAddress, tls: &AmqpTls) -> io::Result<Opened> {
    let tcp = connect((address.host(), address.port())).await?;
    if !address.is_secure() {
        return Ok(boxed(tcp));
    }
    let identity = tls.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    let config = tls::broker_config(&tls.roots, identity).map_err(io::Error::other)?;
    let name = ServerName::try_from(address.host().to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::clone(&config)).connect(name, tcp).await?;
    Ok(boxed(stream))
}

async fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

async fn plain(address: SocketAddr) -> io::Result<Opened> {
    connect(address).await.map(boxed)
}

fn boxed(stream: impl Duplex + 'static) -> Opened {
    (Box::new(stream) as Box<dyn Duplex>).compat()
}

/// Tokio's reactor with another type of stream.
#[derive(Debug, Clone)]
pub(super) struct StreamReactor(Tokio);

impl Reactor for StreamReactor {
    type TcpStream = Opened;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: io::Read + io::Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl futures_util::AsyncRead + futures_util::AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, span: Duration) -> Self::Sleep {
        self.0.sleep(span)
    }

    fn interval(&self, span: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(span)
    }

    fn tcp_connect_addr(&self, address: SocketAddr) -> impl Future<Output = io::Result<Opened>> + Send + 'static {
        plain(address)
    }
}
