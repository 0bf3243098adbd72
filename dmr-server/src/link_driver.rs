//! The driver of one link: it executes what the session asks for, and decides nothing.
//!
//! ```text
//!   link ──receive──▶ session ──poll_output──▶ login, policy, broker ──answers──▶ session
//!   link ◀──ready──── session ──poll_transmit
//! ```
//!
//! It waits for everything at once, so a link that cannot be written never holds up what comes in, and a broker that
//! is slow never holds up a heartbeat.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::envelope::Envelope;
use dmr_core::frame::{AgentFrame, RecipientResult};
use dmr_core::reason::CloseReason;
use dmr_core::session::{Disposed, ServerOutput, ServerSession, Ticket, Transmit};
use dmr_core::time::Now;
use dmr_transport::{Broker, Disposition, Link, LinkError, LinkReceiver, LinkSender, Received};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::Sleep;

use crate::access::Access;
use crate::feed::{Fed, Feed};
use crate::gate::Pass;
use crate::listener::STRANGER_INPUT;
use crate::publish;
use crate::registry::Seat;
use crate::shared::Shared;
use crate::signals::Signal;

/// What agents are asked to wait before they come back to a server that drains.
const DRAIN_RETRY: Duration = Duration::from_secs(2);

/// Frames written, and deliveries taken, before anything else is looked at.
const BATCH: usize = 16;

/// A publish that waits for the broker.
type Publishing = Pin<Box<dyn Future<Output = (Ticket, Vec<RecipientResult>, Duration)> + Send>>;

/// One link and everything that belongs to it. Its idle state is a few hundred bytes: what only a busy link needs is
/// allocated when it gets busy.
pub(crate) struct LinkDriver<L: Link, B: Broker> {
    shared: Arc<Shared<B>>,
    session: Box<ServerSession>,
    sender: L::Sender,
    receiver: L::Receiver,
    access: Access<B>,
    feed: Option<Box<Feed<B>>>,
    publishing: FuturesUnordered<Publishing>,
    timer: Pin<Box<Sleep>>,
    /// When the last thing happened: a publish counts from its frame's arrival.
    turned: Duration,
    unflushed: bool,
    /// Since when the link has not taken what is to be written.
    stalled: Option<Duration>,
    ended: Option<CloseReason>,
}

/// What happened while the driver waited.
enum Turn {
    Received(Result<Received, LinkError>),
    Wrote(Result<Wrote, LinkError>),
    Fed(Option<Fed>),
    Published(Ticket, Vec<RecipientResult>, Duration),
    Signal(Signal),
    Timeout,
}

enum Wrote {
    Ready,
    Flushed,
}

impl<L: Link, B: Broker> LinkDriver<L, B> {
    /// A driver for a link that has just opened.
    pub(crate) fn new(shared: Arc<Shared<B>>, link: L, session: Box<ServerSession>, seat: Seat, pass: Pass) -> Self {
        let access = Access::new(Arc::clone(&shared), link.channel_binding(), seat, pass);
        let (sender, mut receiver) = link.split();
        receiver.limit_input(Some(STRANGER_INPUT));
        Self {
            shared,
            session,
            sender,
            receiver,
            access,
            feed: None,
            publishing: FuturesUnordered::new(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            turned: Duration::ZERO,
            unflushed: false,
            stalled: None,
            ended: None,
        }
    }

    /// Drives the link to its end and says why it ended. Deliveries that are not settled go back to the mailbox.
    pub(crate) async fn run(&mut self) -> CloseReason {
        loop {
            self.execute();
            if let Some(reason) = self.ended {
                if let Some(feed) = self.feed.take() {
                    Box::pin(feed.finish()).await;
                }
                return reason;
            }
            let turn = self.wait().await;
            self.handle(turn).await;
        }
    }

    async fn wait(&mut self) -> Turn {
        let now = self.now();
        let wants_transmit = self.session.wants_transmit();
        let writes = wants_transmit || self.unflushed;
        if !writes {
            self.stalled = None;
        } else if self.stalled.is_none() {
            self.stalled = Some(now.elapsed);
        }
        let slow = self.stalled.map(|since| since + self.shared.limits.write_timeout);
        let wake = self.session.poll_timeout().into_iter().chain(slow).min();
        // A timer that is too early costs one look at the time; setting it anew for every frame costs more.
        if let Some(wake) = wake.map(|wake| self.shared.clock.instant(wake))
            && (wake < self.timer.deadline() || self.timer.is_elapsed())
        {
            self.timer.as_mut().reset(wake);
        }
        let demand = self.session.demand() > 0;
        let Self { sender, receiver, feed, publishing, access, timer, .. } = self;
        let feeds = feed.as_ref().is_some_and(|feed| demand || feed.is_busy());
        tokio::select! {
            received = receiver.receive() => Turn::Received(received),
            wrote = write(sender, wants_transmit), if writes => Turn::Wrote(wrote),
            Some(fed) = async { Some(feed.as_mut()?.next(demand).await) }, if feeds => Turn::Fed(fed),
            Some((ticket, results, since)) = publishing.next(), if !publishing.is_empty() => {
                Turn::Published(ticket, results, since)
            }
            signal = access.signals().next() => Turn::Signal(signal),
            () = timer.as_mut(), if wake.is_some() => Turn::Timeout,
        }
    }

    async fn handle(&mut self, turn: Turn) {
        let now = self.now();
        self.turned = now.elapsed;
        match turn {
            Turn::Received(Ok(Received::Frame(frame))) => {
                self.shared.metrics.socket.received(AgentFrame::name_of(&frame));
                self.session.receive(&frame, now);
            }
            Turn::Received(Ok(Received::Closed(reason))) => {
                self.session.link_down(reason.unwrap_or(CloseReason::LinkLost));
            }
            Turn::Received(Err(error)) | Turn::Wrote(Err(error)) => self.lose(&error),
            Turn::Wrote(Ok(Wrote::Flushed)) => (self.unflushed, self.stalled) = (false, None),
            Turn::Wrote(Ok(Wrote::Ready)) => {
                self.stalled = None;
                self.transmit().await;
            }
            Turn::Fed(Some(Fed::Subscribed)) => self.session.subscribed(),
            Turn::Fed(Some(Fed::Delivery { number, attempt, envelope })) => {
                self.deliver(number, attempt, envelope, now);
                self.deliver_more(now);
            }
            Turn::Fed(None) => {}
            Turn::Published(ticket, results, since) => {
                self.shared.metrics.socket.processed(now.elapsed.saturating_sub(since));
                let retry_after = publish::retry_after(&results);
                self.session.published(ticket, results, retry_after);
            }
            Turn::Signal(signal) => self.obey(signal, now),
            Turn::Timeout => {
                let since = self.stalled.unwrap_or(now.elapsed);
                if now.elapsed >= since + self.shared.limits.write_timeout {
                    self.close(CloseReason::SlowPeer).await;
                } else {
                    self.session.handle_timeout(now);
                }
            }
        }
    }

    /// Hands the link what it takes at once, at most a batch, or closes it.
    async fn transmit(&mut self) {
        for _ in 0..BATCH {
            self.transmit_one().await;
            if !self.session.wants_transmit() {
                return;
            }
            match self.sender.ready().now_or_never() {
                Some(Ok(())) => {}
                Some(Err(error)) => return self.lose(&error),
                None => return,
            }
        }
    }

    async fn transmit_one(&mut self) {
        match self.session.poll_transmit() {
            Some(Transmit::Frame(frame)) => {
                self.shared.metrics.sent(&frame);
                self.unflushed = true;
                if let Err(error) = self.sender.queue(frame) {
                    self.lose(&error);
                }
            }
            Some(Transmit::Close(reason)) => self.close(reason).await,
            None => {}
        }
    }

    async fn close(&mut self, reason: CloseReason) {
        // A link that breaks while it is closed is closed.
        let _ = Box::pin(self.sender.close(reason)).await;
        self.session.link_down(reason);
    }

    fn lose(&mut self, error: &LinkError) {
        let reason = match error {
            LinkError::FrameTooLarge { .. } => CloseReason::FrameTooLarge,
            LinkError::Protocol(_) => CloseReason::ProtocolViolation,
            _ => CloseReason::LinkLost,
        };
        if !matches!(error, LinkError::Closed) {
            self.shared.metrics.socket.error();
            tracing::debug!(session = %self.session.session(), %error, "link lost");
        }
        self.session.link_down(reason);
    }

    fn obey(&mut self, signal: Signal, now: Now) {
        match signal {
            Signal::Supersede => self.session.supersede(),
            Signal::Drain => self.session.drain(DRAIN_RETRY, now),
            Signal::Notice(id, reason) => self.session.notice(id, reason),
            Signal::DirectoryChanged => match self.access.check_again(now) {
                Ok(directory) => self.session.directory_changed(directory.revision(), directory.bundle().clone()),
                Err(reason) => self.session.close(reason),
            },
        }
    }

    /// Does what the session asks for.
    fn execute(&mut self) {
        while let Some(output) = self.session.poll_output() {
            let now = self.now();
            match output {
                ServerOutput::SignChallenge { challenge } => {
                    self.session.challenge_signed(self.access.sign_challenge(&challenge), now);
                }
                ServerOutput::CheckLogin { challenge, fields, proof } => {
                    let verdict = self.access.check_login(&challenge, &fields, &proof, now);
                    self.session.login_checked(verdict, now);
                }
                ServerOutput::LoggedIn(_) => {
                    self.receiver.limit_input(None);
                    // A newer directory may have been announced between the challenge and the registry's entry.
                    self.obey(Signal::DirectoryChanged, now);
                }
                ServerOutput::SendDirectory => self.obey(Signal::DirectoryChanged, now),
                ServerOutput::CheckEnvelope { ticket, envelope } => {
                    let verdict = self.access.check_envelope(&envelope, now);
                    self.session.envelope_checked(ticket, envelope, verdict);
                }
                ServerOutput::Publish { ticket, envelope } => self.publish(ticket, envelope),
                ServerOutput::Subscribe { mailbox, prefetch } => {
                    let seed = u64::from_be_bytes(*self.session.session().as_bytes().first_chunk().unwrap_or(&[0; 8]));
                    self.feed = Some(Box::new(Feed::new(self.shared.broker.clone(), mailbox, prefetch, seed)));
                }
                ServerOutput::Settle { tag, disposition } => self.settle(tag, disposition_of(disposition)),
                ServerOutput::Ended { reason } => self.ended = Some(reason),
            }
        }
    }

    fn deliver(&mut self, number: u64, attempt: u32, envelope: Bytes, now: Now) {
        match self.access.check_delivery(&envelope, attempt, now) {
            Ok(()) => self.session.deliver(number, attempt, envelope, now),
            Err(reason) => self.settle(number, Disposition::DeadLetter(reason)),
        }
    }

    /// Takes what else has come already, so that several deliveries leave in one write.
    fn deliver_more(&mut self, now: Now) {
        for _ in 1..BATCH {
            let Some(feed) = self.feed.as_mut().filter(|_| self.session.demand() > 0) else { return };
            let Some(Some(Fed::Delivery { number, attempt, envelope })) = feed.next(true).now_or_never() else {
                return;
            };
            self.deliver(number, attempt, envelope, now);
        }
    }

    fn settle(&mut self, number: u64, disposition: Disposition) {
        if let Some(feed) = &mut self.feed {
            feed.settle(number, disposition);
        }
    }

    fn publish(&mut self, ticket: Ticket, envelope: Envelope) {
        let (broker, since) = (self.shared.broker.clone(), self.turned);
        self.publishing.push(Box::pin(async move { (ticket, publish::publish(&broker, &envelope).await, since) }));
    }

    fn now(&self) -> Now {
        self.shared.clock.now()
    }
}

/// Waits until the link can take a frame, or until it has written what it took.
async fn write<S: LinkSender>(sender: &mut S, wants_transmit: bool) -> Result<Wrote, LinkError> {
    if wants_transmit {
        sender.ready().await.map(|()| Wrote::Ready)
    } else {
        sender.flush().await.map(|()| Wrote::Flushed)
    }
}

fn disposition_of(disposed: Disposed) -> Disposition {
    match disposed {
        Disposed::Ack => Disposition::Ack,
        Disposed::Requeue => Disposition::Requeue,
        Disposed::DeadLetter(reason) => Disposition::DeadLetter(reason),
    }
}

#[cfg(test)]
mod tests;
