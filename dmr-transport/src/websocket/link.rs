//! An open WebSocket as a link, and its two halves.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::TokioAdapter;
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use async_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use async_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use bytes::Bytes;
use dmr_core::frame::ChannelBinding;
use dmr_core::limit;
use dmr_core::reason::CloseReason;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep, timeout};

use super::error::link_error;
use super::wire::Wire;
use crate::link::{Link, LinkError, LinkReceiver, LinkSender, Received};

/// A frame travels in WebSocket fragments of at most this many bytes, so that neither side's buffers grow to the
/// size of the largest frame they ever carried.
const FRAGMENT: usize = 4 << 10;
/// The read buffer of an idle link, in bytes.
const READ_BUFFER: usize = 4 << 10;
/// Small frames are gathered up to this many bytes before they are written.
const WRITE_BUFFER: usize = 4 << 10;
/// Longest time for saying goodbye.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// How long, and how much, is read after a failure so that the other side sees the close and not a reset.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * limit::FRAME;

/// The library's settings: ours, because its defaults are 128 KiB of buffer for each link and no bound on writes.
pub(super) fn settings() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(2 * limit::FRAME)
        .max_message_size(Some(limit::FRAME))
        .max_frame_size(Some(limit::FRAME))
        .accept_unmasked_frames(false)
}

type Socket = WebSocketStream<TokioAdapter<Wire>>;

/// An open link over a WebSocket.
///
/// An idle plain link holds about 6 KiB. Traffic lets its two buffers grow to about 8 KiB each; a frame that the other
/// side sends in one piece lets the read buffer grow to that frame's size, at most [`limit::FRAME`].
/// Keepalive is the session's heartbeat; pings of the other side are answered.
#[derive(Debug)]
pub struct WebSocketLink {
    shared: Arc<Shared>,
    binding: ChannelBinding,
    peer: Option<SocketAddr>,
}

impl WebSocketLink {
    pub(super) fn new(socket: Socket, binding: ChannelBinding, peer: Option<SocketAddr>) -> Self {
        let state = State { socket, over: false, receiver: None, sender: None };
        Self { shared: Arc::new(Shared(Mutex::new(state))), binding, peer }
    }
}

impl Link for WebSocketLink {
    type Sender = WebSocketSender;
    type Receiver = WebSocketReceiver;

    fn channel_binding(&self) -> ChannelBinding {
        self.binding
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    fn split(self) -> (WebSocketSender, WebSocketReceiver) {
        let sender = WebSocketSender { shared: Arc::clone(&self.shared), ready: false, rest: None };
        (sender, WebSocketReceiver { shared: self.shared, failure: None, largest: 0 })
    }
}

/// What both halves use. The lock is held only while polling.
#[derive(Debug)]
struct Shared(Mutex<State>);

#[derive(Debug)]
struct State {
    socket: Socket,
    /// Nothing more is sent or received.
    over: bool,
    /// The tasks that wait on either half, to be told when the other half ends the link.
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        if self.over {
            return Poll::Ready(Err(LinkError::Closed));
        }
        let polled = Pin::new(&mut self.socket).poll_ready(cx).map_err(link_error);
        self.remember_sender(cx, polled)
    }

    fn send(&mut self, message: Message) -> Result<(), LinkError> {
        if self.over {
            return Err(LinkError::Closed);
        }
        Pin::new(&mut self.socket).start_send(message).map_err(link_error)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(link_error)
    }

    /// Keeps the sender's waker while it waits.
    fn remember_sender<T>(&mut self, cx: &Context<'_>, polled: Poll<T>) -> Poll<T> {
        if polled.is_pending() {
            self.sender = Some(cx.waker().clone());
        }
        polled
    }

    /// Flushes a close and reads until the other side has answered it, or is gone.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        while !self.over {
            let flushed = self.poll_flush(cx);
            ready!(self.remember_sender(cx, flushed))?;
            match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Pending => return self.remember_sender(cx, Poll::Pending),
                // Frames that cross the close belong to nobody any more.
                Poll::Ready(Some(Ok(message))) if !message.is_close() => {}
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the link: no more polling of the socket, the connection's own end begun.
    fn end(&mut self, cx: &mut Context<'_>) {
        self.over = true;
        // The connection closes when both halves are dropped; this only tells the other side sooner.
        let _ = Pin::new(self.socket.get_mut().get_mut()).poll_shutdown(cx);
        [self.receiver.take(), self.sender.take()].into_iter().flatten().for_each(Waker::wake);
    }
}

/// The sending half. Holds at most one frame and 8 KiB that the connection has not taken yet.
#[derive(Debug)]
pub struct WebSocketSender {
    shared: Arc<Shared>,
    ready: bool,
    /// What is left of the frame whose first fragments are sent.
    rest: Option<Bytes>,
}

impl WebSocketSender {
    /// Sends what is left of the current frame.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        let mut state = self.shared.lock();
        loop {
            ready!(state.poll_ready(cx))?;
            let Some(rest) = &mut self.rest else { return Poll::Ready(Ok(())) };
            let fragment = rest.split_to(rest.len().min(FRAGMENT));
            let last = rest.is_empty();
            if last {
                self.rest = None;
            }
            state.send(Message::Frame(Frame::message(fragment, OpCode::Data(Data::Continue), last)))?;
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        ready!(self.poll_rest(cx))?;
        let mut state = self.shared.lock();
        let polled = state.poll_flush(cx);
        state.remember_sender(cx, polled)
    }

    /// Flushes, says why, and reads until the other side has answered.
    async fn goodbye(&mut self, reason: CloseReason) -> Result<(), LinkError> {
        poll_fn(|cx| self.poll_flush(cx)).await?;
        let code = CloseCode::from(reason.number());
        let close = CloseFrame { code, reason: reason.to_string().as_str().into() };
        self.shared.lock().send(Message::Close(Some(close)))?;
        poll_fn(|cx| self.shared.lock().poll_farewell(cx)).await
    }
}

impl LinkSender for WebSocketSender {
    async fn ready(&mut self) -> Result<(), LinkError> {
        if !self.ready {
            poll_fn(|cx| self.poll_rest(cx)).await?;
            self.ready = true;
        }
        Ok(())
    }

    fn queue(&mut self, frame: Bytes) -> Result<(), LinkError> {
        if frame.len() > limit::FRAME {
            return Err(LinkError::OwnFrameTooLarge { len: frame.len(), limit: limit::FRAME });
        }
        let mut state = self.shared.lock();
        if state.over {
            return Err(LinkError::Closed);
        }
        if !std::mem::take(&mut self.ready) {
            return Err(LinkError::NotReady);
        }
        let mut rest = frame;
        let first = rest.split_to(rest.len().min(FRAGMENT));
        let whole = rest.is_empty();
        state.send(Message::Frame(Frame::message(first, OpCode::Data(Data::Binary), whole)))?;
        self.rest = (!whole).then_some(rest);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    async fn close(&mut self, reason: CloseReason) -> Result<(), LinkError> {
        if self.shared.lock().over {
            return Err(LinkError::Closed);
        }
        let said = timeout(CLOSE_TIME, self.goodbye(reason)).await;
        poll_fn(|cx| {
            self.shared.lock().end(cx);
            Poll::Ready(())
        })
        .await;
        said.unwrap_or(Err(LinkError::Timeout("the other side did not answer the close")))
    }
}

/// The receiving half.
#[derive(Debug)]
pub struct WebSocketReceiver {
    shared: Arc<Shared>,
    failure: Option<Failure>,
    /// Length of the longest frame so far.
    largest: usize,
}

/// A failed link that still reads for a moment, so that the other side sees why.
#[derive(Debug)]
struct Failure {
    error: LinkError,
    until: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl WebSocketReceiver {
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, LinkError>> {
        loop {
            if self.failure.is_some() {
                return self.poll_linger(cx).map(Err);
            }
            let mut state = self.shared.lock();
            if state.over {
                return Poll::Ready(Err(LinkError::Closed));
            }
            let Poll::Ready(message) = Pin::new(&mut state.socket).poll_next(cx) else {
                state.receiver = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let (code, error) = match message {
                Some(Ok(Message::Binary(frame))) => {
                    self.largest = self.largest.max(frame.len());
                    return Poll::Ready(Ok(Received::Frame(own(frame, self.largest))));
                }
                // The library answers a ping at the next poll.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Text(_))) => (CloseCode::Unsupported, LinkError::Protocol("a text frame".into())),
                Some(Ok(Message::Close(close))) => {
                    // The answer is a few bytes; the connection takes them now or is of no use.
                    let _ = state.poll_flush(cx);
                    state.end(cx);
                    return Poll::Ready(Ok(Received::Closed(close.and_then(|close| close_reason(close.code)))));
                }
                Some(Err(error)) => match link_error(error) {
                    error @ LinkError::FrameTooLarge { .. } => (CloseCode::Size, error),
                    error @ LinkError::Protocol(_) => (CloseCode::Protocol, error),
                    error => {
                        state.end(cx);
                        return Poll::Ready(Err(error));
                    }
                },
                None => {
                    state.end(cx);
                    return Poll::Ready(Err(LinkError::Closed));
                }
            };
            let close = Message::Close(Some(CloseFrame { code, reason: "".into() }));
            // A link that is closing already has said its reason.
            let _ = state.send(close);
            state.socket.get_mut().get_mut().limit_input(None);
            self.failure = Some(Failure { error, until: Box::pin(sleep(LINGER_TIME)), bytes_left: LINGER_BYTES });
        }
    }

    /// Flushes the close and discards input until the other side is gone, or the time or the bytes are used up.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<LinkError> {
        let Some(failure) = &mut self.failure else { return Poll::Ready(LinkError::Closed) };
        let mut state = self.shared.lock();
        let mut done = state.over || failure.until.as_mut().poll(cx).is_ready();
        if !done {
            done = matches!(state.poll_flush(cx), Poll::Ready(Err(_)));
        }
        let mut scratch = [0; 2048];
        while !done {
            let mut input = ReadBuf::new(&mut scratch);
            let polled = Pin::new(state.socket.get_mut().get_mut()).poll_read(cx, &mut input);
            if polled.is_pending() {
                return Poll::Pending;
            }
            let read = input.filled().len();
            done = read == 0 || failure.bytes_left < read;
            failure.bytes_left = failure.bytes_left.saturating_sub(read);
        }
        state.end(cx);
        drop(state);
        Poll::Ready(self.failure.take().map_or(LinkError::Closed, |failure| failure.error))
    }
}

impl LinkReceiver for WebSocketReceiver {
    async fn receive(&mut self) -> Result<Received, LinkError> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    fn limit_input(&mut self, bytes: Option<u64>) {
        self.shared.lock().socket.get_mut().get_mut().limit_input(bytes);
    }
}

/// A frame that keeps little more than twice its length in memory. It may be a slice of the read buffer, which may have
/// grown for the largest frame: kept for long, in a mailbox, it would keep all of that.
fn own(frame: Bytes, largest: usize) -> Bytes {
    if frame.len() < largest.max(READ_BUFFER) / 2 { Bytes::copy_from_slice(&frame) } else { frame }
}

/// The reason behind a close code, if it is one of ours.
fn close_reason(code: CloseCode) -> Option<CloseReason> {
    let number = u16::from(code);
    (3000..4000).contains(&number).then(|| CloseReason::from_number(number))
}
