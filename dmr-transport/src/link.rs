//! The link: whole binary frames between an agent and a server, in order, while it lasts.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use dmr_core::frame::ChannelBinding;
use dmr_core::reason::CloseReason;

/// Why a link could not be opened, or ended without a close.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The address is not one this kind of link can dial.
    #[error("not an address to dial: {0}")]
    Address(Box<str>),
    /// Plain `ws` to an address that is not loopback, without leave to do so.
    #[error("plain ws to {0}, which is not loopback: use wss, or allow plain links")]
    PlainNotAllowed(Box<str>),
    /// The connection could not be opened or broke.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// TLS failed: wrong name, unknown root, or a broken handshake.
    #[error("tls: {0}")]
    Tls(Box<str>),
    /// The other side does not speak the WebSocket protocol, or not subprotocol `dmr.v1`.
    #[error("handshake: {0}")]
    Handshake(Box<str>),
    /// The other side broke the rules of the link: a text frame, a bad mask, a bad close.
    #[error("peer broke the link's protocol: {0}")]
    Protocol(Box<str>),
    /// The other side sent a frame longer than the limit. The link closes with 1009.
    #[error("peer sent a frame longer than {limit} bytes")]
    FrameTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// This side tried to send a frame longer than the other side takes. Nothing was sent.
    #[error("own frame has {len} bytes, {limit} allowed")]
    OwnFrameTooLarge {
        /// Bytes of the frame.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A frame was queued without waiting until the link was ready for it. Nothing was queued.
    #[error("a frame was queued before the link was ready")]
    NotReady,
    /// The connection was not opened, or a frame not written, in time.
    #[error("timed out: {0}")]
    Timeout(&'static str),
    /// The link has already closed.
    #[error("the link is closed")]
    Closed,
}

/// What a receiver yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A whole frame.
    Frame(Bytes),
    /// The other side closed the link, with its reason if it gave one in 3000–3999.
    Closed(Option<CloseReason>),
}

/// An open link. Split it to use it.
pub trait Link: Send + 'static {
    /// The half that sends.
    type Sender: LinkSender;
    /// The half that receives.
    type Receiver: LinkReceiver;

    /// What a login can be bound to: the TLS exporter where TLS ends in this process.
    fn channel_binding(&self) -> ChannelBinding;

    /// The other side's address, where it has one. For limits and logs.
    fn peer(&self) -> Option<SocketAddr>;

    /// The two halves.
    fn split(self) -> (Self::Sender, Self::Receiver);
}

/// The sending half of a link. `ready`, then `queue`, as often as wanted, then `flush`.
pub trait LinkSender: Send + 'static {
    /// Waits until a frame can be queued. The queue is bounded (the implementation says its bound).
    ///
    /// # Errors
    /// [`LinkError`] when the link is over.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    fn ready(&mut self) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// Queues a frame. Call it once after each `ready`.
    ///
    /// # Errors
    /// [`LinkError`] when the link is over or was not ready.
    fn queue(&mut self, frame: Bytes) -> Result<(), LinkError>;

    /// Waits until everything queued is on its way.
    ///
    /// # Errors
    /// [`LinkError`] when the link is over.
    ///
    /// # Cancel safety
    /// Safe: call it again to go on.
    fn flush(&mut self) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// Flushes, tells the other side why, and ends the link. Bounded to 2 s whatever the other side does.
    ///
    /// # Errors
    /// [`LinkError`] when the link was over before.
    fn close(&mut self, reason: CloseReason) -> impl Future<Output = Result<(), LinkError>> + Send;
}

/// The receiving half of a link.
pub trait LinkReceiver: Send + 'static {
    /// The next frame, or the close. Also answers the keepalive of the layer below.
    ///
    /// # Errors
    /// [`LinkError`] when the link broke; after that, and after [`Received::Closed`], every call says [`LinkError::Closed`].
    ///
    /// # Cancel safety
    /// Safe: no frame is lost.
    fn receive(&mut self) -> impl Future<Output = Result<Received, LinkError>> + Send;

    /// Bounds what may still arrive, in bytes of the connection; `None` lifts the bound, which is how a link starts.
    ///
    /// A server sets it before the login and lifts it after, so that a stranger cannot make it hold a whole frame.
    /// Past it the link ends with [`LinkError::FrameTooLarge`]. Links that hold nothing for strangers ignore it.
    fn limit_input(&mut self, _bytes: Option<u64>) {}
}
