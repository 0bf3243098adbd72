//! Carries out what the exchange wants: dials, reads, writes and waits. Decides nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, ServerFrame};
use dmr_core::reason::CloseReason;
use dmr_core::session::Transmit;
use dmr_transport::service::socket_metrics::SocketMetrics;
use dmr_transport::{Link, LinkError, LinkReceiver, LinkSender, Received};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::delivery::Settling;
use crate::dialer::Dialer;
use crate::exchange_driver::{Command, ExchangeDriver};

/// A link being opened.
type Dialling<L> = Pin<Box<dyn Future<Output = Result<L, LinkError>> + Send>>;

/// The ways in, beside the link.
pub(crate) struct Inlets {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) settlings: mpsc::Receiver<Settling>,
    pub(crate) directory: watch::Receiver<()>,
}

/// The open link.
struct OpenLink<L: Link> {
    sender: L::Sender,
    receiver: L::Receiver,
    /// Something is queued and not flushed.
    unflushed: bool,
    since: Instant,
}

/// What happened next.
enum Event<L> {
    Received(Result<Received, LinkError>),
    Writable(Result<(), LinkError>),
    Flushed(Result<(), LinkError>),
    Dialled(Result<L, LinkError>),
    Command(Option<Command>),
    Settling(Settling),
    Directory,
    Timeout,
}

/// One agent's task: its exchange, and one link after another.
pub(crate) struct LinkDriver<D: Dialer> {
    exchange: ExchangeDriver,
    dialer: Arc<D>,
    clock: Clock,
    inlets: Inlets,
    metrics: SocketMetrics,
    dialling: Option<Dialling<D::Link>>,
    link: Option<OpenLink<D::Link>>,
    /// Links that are being closed, each for at most 2 s.
    closing: JoinSet<()>,
    /// The handles are gone, or the keeper is: their channels are not asked again.
    orphaned: bool,
    keeper_gone: bool,
}

impl<D: Dialer> LinkDriver<D> {
    pub(crate) fn new(
        exchange: ExchangeDriver,
        dialer: D,
        clock: Clock,
        inlets: Inlets,
        metrics: SocketMetrics,
    ) -> Self {
        Self {
            exchange,
            dialer: Arc::new(dialer),
            clock,
            inlets,
            metrics,
            dialling: None,
            link: None,
            closing: JoinSet::new(),
            orphaned: false,
            keeper_gone: false,
        }
    }

    /// Runs until the session has stopped and every link is closed.
    pub(crate) async fn run(mut self) {
        loop {
            if let Some(server) = self.exchange.turn() {
                let dialer = Arc::clone(&self.dialer);
                self.close_link(None);
                self.dialling = Some(Box::pin(async move { dialer.dial(server).await }));
            }
            if self.exchange.is_stopped() {
                break;
            }
            let event = self.next_event().await;
            self.handle(event);
            while self.closing.try_join_next().is_some() {}
        }
        self.close_link(Some(CloseReason::Shutdown));
        while self.closing.join_next().await.is_some() {}
    }

    async fn next_event(&mut self) -> Event<D::Link> {
        let wants_transmit = self.exchange.wants_transmit();
        let timeout = self.exchange.poll_timeout().map(|elapsed| self.clock.instant(elapsed));
        let (sender, receiver) = match &mut self.link {
            Some(link) => (Some((&mut link.sender, link.unflushed)), Some(&mut link.receiver)),
            None => (None, None),
        };
        tokio::select! {
            received = receive(receiver) => Event::Received(received),
            written = write::<D::Link>(sender, wants_transmit) => written,
            dialled = dialled(&mut self.dialling) => Event::Dialled(dialled),
            command = self.inlets.commands.recv(), if !self.orphaned => Event::Command(command),
            Some(settling) = self.inlets.settlings.recv() => Event::Settling(settling),
            changed = self.inlets.directory.changed(), if !self.keeper_gone => {
                self.keeper_gone = changed.is_err();
                Event::Directory
            }
            () = sleep(timeout) => Event::Timeout,
        }
    }

    fn handle(&mut self, event: Event<D::Link>) {
        match event {
            Event::Received(Ok(Received::Frame(frame))) => {
                self.metrics.received(ServerFrame::name_of(&frame));
                self.exchange.receive(&frame);
            }
            Event::Received(Ok(Received::Closed(reason))) => {
                tracing::info!(?reason, "the server closed the link");
                self.link_down(reason.unwrap_or(CloseReason::LinkLost));
            }
            Event::Received(Err(error)) | Event::Writable(Err(error)) | Event::Flushed(Err(error)) => {
                tracing::info!(%error, "the link broke");
                self.metrics.error();
                self.link_down(CloseReason::LinkLost);
            }
            Event::Writable(Ok(())) => self.transmit(),
            Event::Flushed(Ok(())) => {
                if let Some(link) = &mut self.link {
                    link.unflushed = false;
                }
            }
            Event::Dialled(dialled) => self.dialled(dialled),
            Event::Command(Some(Command::Shutdown)) => self.shutdown(),
            Event::Command(Some(command)) => self.exchange.command(command),
            Event::Command(None) => {
                self.orphaned = true;
                self.shutdown();
            }
            Event::Settling(settling) => self.exchange.settled(settling),
            Event::Directory => self.exchange.directory_changed(),
            Event::Timeout => self.exchange.handle_timeout(),
        }
    }

    /// What the program has settled before it asked for the shutdown is told to the senders.
    fn shutdown(&mut self) {
        while let Ok(settling) = self.inlets.settlings.try_recv() {
            self.exchange.settled(settling);
        }
        self.exchange.shutdown();
    }

    fn dialled(&mut self, dialled: Result<D::Link, LinkError>) {
        self.dialling = None;
        match dialled {
            Ok(link) => {
                self.metrics.connection_opened();
                let binding = link.channel_binding();
                let (sender, receiver) = link.split();
                self.link = Some(OpenLink { sender, receiver, unflushed: false, since: Instant::now() });
                self.exchange.link_up(binding);
            }
            Err(error) => {
                tracing::warn!(%error, "no link could be opened");
                self.metrics.error();
                self.exchange.link_down(CloseReason::ConnectFailed);
            }
        }
    }

    /// The link can take a frame.
    fn transmit(&mut self) {
        match self.exchange.poll_transmit() {
            Some(Transmit::Frame(frame)) => {
                self.metrics.sent(AgentFrame::name_of(&frame));
                if let Err(error) = self.queue(frame) {
                    tracing::info!(%error, "the link broke");
                    self.metrics.error();
                    self.link_down(CloseReason::LinkLost);
                }
            }
            Some(Transmit::Close(reason)) => {
                tracing::info!(%reason, "closing the link");
                self.close_link(Some(reason));
                self.exchange.link_down(reason);
            }
            None => {}
        }
    }

    fn queue(&mut self, frame: Bytes) -> Result<(), LinkError> {
        let Some(link) = &mut self.link else { return Ok(()) };
        link.sender.queue(frame)?;
        link.unflushed = true;
        Ok(())
    }

    fn link_down(&mut self, reason: CloseReason) {
        self.close_link(None);
        self.exchange.link_down(reason);
    }

    /// Lets go of the link; with a reason the other side is told, beside everything else.
    fn close_link(&mut self, reason: Option<CloseReason>) {
        let Some(OpenLink { mut sender, receiver, since, .. }) = self.link.take() else { return };
        self.metrics.connection_ended(since.elapsed());
        if let Some(reason) = reason {
            self.closing.spawn(async move {
                // Either way the link is over, and the session knows why.
                let _ = sender.close(reason).await;
                drop(receiver);
            });
        }
    }
}

async fn receive<R: LinkReceiver>(receiver: Option<&mut R>) -> Result<Received, LinkError> {
    match receiver {
        Some(receiver) => receiver.receive().await,
        None => std::future::pending().await,
    }
}

/// Waits until a frame can be queued, if there is one, or else until what is queued is flushed.
async fn write<L: Link>(sender: Option<(&mut L::Sender, bool)>, wants_transmit: bool) -> Event<L> {
    match sender {
        Some((sender, _)) if wants_transmit => Event::Writable(sender.ready().await),
        Some((sender, true)) => Event::Flushed(sender.flush().await),
        _ => std::future::pending().await,
    }
}

async fn dialled<L>(dialling: &mut Option<Dialling<L>>) -> Result<L, LinkError> {
    match dialling {
        Some(dialling) => dialling.await,
        None => std::future::pending().await,
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
