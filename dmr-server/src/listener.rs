//! The listener: takes connections in, or turns them away, and gives each a task of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dmr_core::id::{Nonce, SessionId};
use dmr_core::reason::CloseReason;
use dmr_core::session::ServerSession;
use dmr_transport::websocket::{self, AcceptConfig};
use dmr_transport::{Broker, Link, LinkReceiver, LinkSender};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gate::{Pass, Shed};
use crate::link_driver::LinkDriver;
use crate::shared::Shared;

/// Connections that are told at once why they are turned away. More are dropped without a word.
const POLITE: usize = 32;
/// Bytes that are read of a link before its login.
pub(crate) const STRANGER_INPUT: u64 = dmr_core::limit::LOGIN_FRAME as u64 * 2;
/// Pause after the system refused a connection, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts links until it is stopped.
pub(crate) struct Listener<B: Broker> {
    pub(crate) tcp: TcpListener,
    pub(crate) accept: Arc<AcceptConfig>,
    pub(crate) shared: Arc<Shared<B>>,
    /// Every link's task.
    pub(crate) links: TaskTracker,
    /// Ends every link at once.
    pub(crate) abort: CancellationToken,
}

impl<B: Broker> Listener<B> {
    /// Accepts until `stop`; then the port is closed and the links go on.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let polite = Arc::new(Semaphore::new(POLITE));
        let mut refused = false;
        loop {
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                () = stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    refused = false;
                    match self.shared.gate.admit(peer.ip()) {
                        Ok(pass) => self.take_in(stream, peer, pass),
                        Err(shed) => self.turn_away(stream, peer, shed, &polite),
                    }
                }
                Err(error) => {
                    self.shared.metrics.socket.error();
                    // Once for each time that it begins: it may go on ten times a second.
                    if !std::mem::replace(&mut refused, true) {
                        tracing::warn!(%error, "connections cannot be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take_in(&self, stream: TcpStream, peer: SocketAddr, pass: Pass) {
        let (shared, accept) = (Arc::clone(&self.shared), Arc::clone(&self.accept));
        let abort = self.abort.clone();
        // Boxed before it is wrapped: each wrapper would hold the whole of it once more.
        self.links.spawn(abort.run_until_cancelled_owned(Box::pin(async move {
            match websocket::accept(stream, &accept).await {
                Ok(link) => serve(shared, link, pass).await,
                Err(error) => {
                    shared.metrics.socket.error();
                    tracing::debug!(%peer, %error, "handshake failed");
                }
            }
        })));
    }

    /// Says why, as long as few are being told.
    fn turn_away(&self, stream: TcpStream, peer: SocketAddr, shed: Shed, polite: &Arc<Semaphore>) {
        self.shared.metrics.shed(shed);
        tracing::debug!(%peer, bound = shed.as_str(), "connection turned away");
        if let Ok(permit) = Arc::clone(polite).try_acquire_owned() {
            let (accept, abort) = (Arc::clone(&self.accept), self.abort.clone());
            self.links.spawn(abort.run_until_cancelled_owned(Box::pin(async move {
                if let Ok(link) = websocket::accept(stream, &accept).await {
                    refuse(link, CloseReason::TooManyConnections).await;
                }
                drop(permit);
            })));
        }
    }
}

/// Tells a stranger why it gets no session, and hears no more of it meanwhile than of any stranger.
async fn refuse<L: Link>(link: L, reason: CloseReason) {
    let (mut sender, mut receiver) = link.split();
    receiver.limit_input(Some(STRANGER_INPUT));
    // One that does not wait for the reason has left, which is what was wanted.
    let _ = sender.close(reason).await;
}

/// Serves one open link to its end.
pub(crate) async fn serve<L: Link, B: Broker>(shared: Arc<Shared<B>>, link: L, pass: Pass) {
    let (peer, opened) = (link.peer().map(tracing::field::display), Instant::now());
    shared.metrics.socket.connection_opened();
    let reason = match session(&shared, &link).await {
        Ok(session) => {
            let (id, seat) = (session.session(), shared.registry.open(session.session()));
            tracing::debug!(session = %id, peer, "link opened");
            let reason = LinkDriver::new(Arc::clone(&shared), link, session, seat, pass).run().await;
            tracing::info!(session = %id, peer, %reason, "link ended");
            reason
        }
        Err(reason) => {
            tracing::warn!(peer, %reason, "no session for a link");
            Box::pin(refuse(link, reason)).await;
            reason
        }
    };
    shared.metrics.closed(reason);
    shared.metrics.socket.connection_ended(opened.elapsed());
}

async fn session<L: Link, B: Broker>(shared: &Shared<B>, link: &L) -> Result<Box<ServerSession>, CloseReason> {
    let store = shared.broker.store().await.map_err(|_| CloseReason::Unavailable)?;
    // Agents do not read /readyz. Asked last, so that no session is given on an answer that is old.
    if shared.readiness.is_unfit() {
        return Err(CloseReason::Unavailable);
    }
    let (mut id, mut nonce) = ([0; 16], Nonce([0; Nonce::LEN]));
    getrandom::fill(&mut id).map_err(|_| CloseReason::Unavailable)?;
    getrandom::fill(&mut nonce.0).map_err(|_| CloseReason::Unavailable)?;
    let binds_channel = link.channel_binding() != dmr_core::frame::ChannelBinding::None;
    let config = shared.session_config(SessionId::from_random_bytes(id), nonce, store, binds_channel);
    Ok(Box::new(ServerSession::new(config, shared.clock.now())))
}
