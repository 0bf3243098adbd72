//! The bytes under a WebSocket: TCP or TLS, with a bound on what may still arrive.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use dmr_core::frame::ChannelBinding;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// RFC 9266: the exporter's label. Its context is empty, its output 32 bytes.
const BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    transport: Transport,
    /// Bytes that may still arrive; `None` is no bound.
    input_left: Option<u64>,
}

/// TLS is boxed: a plain link should not carry the size of TLS's state.
#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// More arrived than was allowed.
#[derive(Debug, thiserror::Error)]
#[error("more bytes arrived than are allowed now")]
pub(super) struct InputExceeded;

impl Wire {
    /// A connection without TLS.
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { transport: Transport::Plain(stream), input_left: None }
    }

    /// A connection whose TLS handshake is done.
    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self { transport: Transport::Tls(Box::new(stream)), input_left: None }
    }

    /// Sets how many bytes may still arrive.
    pub(super) fn limit_input(&mut self, bytes: Option<u64>) {
        self.input_left = bytes;
    }

    /// The TLS exporter (RFC 9266), or nothing where there is no TLS.
    pub(super) fn channel_binding(&self) -> Result<ChannelBinding, rustls::Error> {
        match &self.transport {
            Transport::Plain(_) => Ok(ChannelBinding::None),
            Transport::Tls(stream) => export(stream).map(ChannelBinding::TlsExporter),
        }
    }
}

fn export(stream: &TlsStream<TcpStream>) -> Result<[u8; 32], rustls::Error> {
    match stream {
        TlsStream::Client(stream) => stream.get_ref().1.export_keying_material([0; 32], BINDING_LABEL, Some(&[])),
        TlsStream::Server(stream) => stream.get_ref().1.export_keying_material([0; 32], BINDING_LABEL, Some(&[])),
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.input_left == Some(0) {
            return Poll::Ready(Err(io::Error::other(InputExceeded)));
        }
        let before = buf.filled().len();
        let polled = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if let Some(left) = &mut self.input_left {
            let read = buf.filled().len().saturating_sub(before);
            *left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
