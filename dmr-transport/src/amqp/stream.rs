//! The byte stream under a connection: TCP, or TLS as the rest of this crate does it.
//!
//! The AMQP library opens its own TCP and knows TLS libraries by feature. Here it is handed a stream instead, through a
//! reactor that is tokio's in all but the type of its streams.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use futures_util::Stream;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::TlsConnector;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

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

/// Opens the stream to a broker. Once it is cut, its reader sees its end.
///
/// # Errors
/// What the network, the files of `tls` or the handshake say.
pub(super) async fn open(address: &AmqpAddress, tls: &AmqpTls, cut: &CancellationToken) -> io::Result<Opened> {
    let tcp = connect((address.host(), address.port())).await?;
    if !address.is_secure() {
        return Ok(boxed(Cuttable { stream: tcp, cut: Box::pin(cut.clone().cancelled_owned()) }));
    }
    let identity = tls.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    let config = tls::broker_config(&tls.roots, identity).map_err(io::Error::other)?;
    let name = ServerName::try_from(address.host().to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::clone(&config)).connect(name, tcp).await?;
    Ok(boxed(Cuttable { stream, cut: Box::pin(cut.clone().cancelled_owned()) }))
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

/// A stream that ends for its reader when it is cut: whoever gives an attempt to connect up cuts its stream, and the library's
/// thread that reads it ends.
struct Cuttable<T> {
    stream: T,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Cuttable<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Pending => this.cut.as_mut().poll(cx).map(Ok),
            ready => ready,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Cuttable<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
