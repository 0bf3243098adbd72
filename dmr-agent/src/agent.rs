//! The handle of an agent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmr_core::exchange::{
    Accepted, ExchangeConfig, IncomingMessage, MessageStatus, OutgoingMessage, Records, SendError, Unsealable,
};
use dmr_core::header::Kind;
use dmr_core::id::{InstanceId, MessageId, Name, ParticipantId};
use dmr_core::reason::FailureReason;
use dmr_core::session::AgentSessionConfig;
use dmr_crypto::{Freshness, VerifiedDirectory};
use dmr_transport::service::socket_metrics::SocketMetrics;
use dmr_transport::websocket::WebSocketDialer;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use crate::config::AgentConfig;
use crate::delivery::{Deliveries, Delivery};
use crate::dialer::{AddressDialer, Dialer};
use crate::directory_keeper::{self, DirectoryKeeper, DirectoryStore};
use crate::error::{AskError, ConnectError};
use crate::exchange_driver::{Command, ExchangeDriver, LinkStatus, Outlets, Reply};
use crate::link_driver::{Inlets, LinkDriver};
use crate::observe;
use crate::outcomes::Outcomes;
use crate::sealing::{Sealer, fresh_id};

/// Commands that wait for the driver; more wait in their callers.
const COMMANDS: usize = 256;

/// What a message that is on its way will bring: its confirm, and its answer where one was asked for.
pub(crate) type Begun = (oneshot::Receiver<Result<Accepted, SendError>>, Option<oneshot::Receiver<Reply>>);

/// An agent: a participant's end of the network. Clones are handles to the same agent.
///
/// When the last handle is dropped the agent shuts down as by [`Agent::shutdown`], without anyone waiting for it.
#[derive(Debug, Clone)]
pub struct Agent {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sealer: Sealer,
    commands: mpsc::Sender<Command>,
    outcomes: Arc<Outcomes>,
    status: watch::Receiver<LinkStatus>,
    deliveries: Mutex<Option<Deliveries>>,
    tasks: TaskTracker,
}

impl Agent {
    /// Starts an agent. It returns at once and connects in the background, for as long as it takes: use
    /// [`Agent::ready`] to wait for a server and a directory.
    ///
    /// # Errors
    /// [`ConnectError`] when the configuration or the state directory is wrong. Nothing was started then.
    ///
    /// # Cancel safety
    /// Dropped before it returns, nothing was started.
    pub async fn connect(config: AgentConfig) -> Result<Self, ConnectError> {
        let dialer =
            AddressDialer { dialer: WebSocketDialer::new(config.dialer.clone()), servers: config.servers.clone() };
        let names = config.servers.iter().map(|server| server.name().cloned()).collect();
        Self::connect_with(config, dialer, names).await
    }

    /// Starts an agent over other links than WebSockets. `servers` has, for each server that `dialer` can reach, the
    /// name that its challenge must bear; `None`: any. [`AgentConfig::servers`] and [`AgentConfig::dialer`] are not
    /// used.
    ///
    /// # Errors
    /// As for [`Agent::connect`].
    ///
    /// # Cancel safety
    /// As for [`Agent::connect`].
    pub async fn connect_with<D: Dialer>(
        config: AgentConfig,
        dialer: D,
        servers: Vec<Option<Name>>,
    ) -> Result<Self, ConnectError> {
        if servers.is_empty() {
            return Err(ConnectError::NoServer);
        }
        if *config.pin.network() != config.network {
            return Err(ConnectError::OtherNetwork {
                pinned: config.pin.network().as_str().into(),
                configured: config.network.as_str().into(),
            });
        }
        let exchange = exchange_config(&config, servers)?;
        let (pin, state, wall, guest) = (config.pin, config.state, config.clock.wall(), config.guest);
        let opened = tokio::task::spawn_blocking(move || {
            let store = DirectoryStore::open(pin, state, wall)?;
            if guest {
                return Ok(store.unwritten());
            }
            store.make_dir().map(|()| store)
        });
        let opened = opened.await;
        let store = opened.map_err(|_| ConnectError::Interrupted)??;

        observe::describe();
        let (directory_in, directory) = watch::channel(());
        let sealer = dmr_crypto::Sealer::new(config.keyring, store.current());
        let sealer = Sealer::new(sealer, directory.clone(), config.clock.clone());
        sealer.erase_expired_keys();
        let (documents, documents_out) = mpsc::channel(directory_keeper::WAITING);
        let (commands, commands_out) = mpsc::channel(COMMANDS);
        let in_hand = ExchangeConfig::most_in_hand(config.prefetch);
        let (settlings, settlings_out) = mpsc::channel(in_hand);
        let (program, deliveries) = mpsc::channel(in_hand);
        let (status_in, status) = watch::channel(LinkStatus::default());
        let outcomes = Arc::new(Outcomes::new(exchange.records.clone()));

        let outlets = Outlets { program, settlings, documents, status: status_in, outcomes: Arc::clone(&outcomes) };
        let exchange = ExchangeDriver::new(exchange, sealer.clone(), outlets);
        let metrics = SocketMetrics::of_agent(&config.network);
        let inlets = Inlets { commands: commands_out, settlings: settlings_out, directory };
        let tasks = TaskTracker::new();
        tasks.spawn(LinkDriver::new(exchange, dialer, config.clock, inlets, metrics).run());
        let keeper =
            DirectoryKeeper { store, documents: documents_out, directory: directory_in, sealer: sealer.clone() };
        tasks.spawn(keeper.run());
        tasks.close();

        let deliveries = Mutex::new(Some(Deliveries { receiver: deliveries }));
        Ok(Self { inner: Arc::new(Inner { sealer, commands, outcomes, status, deliveries, tasks }) })
    }

    /// Who this agent is.
    pub fn participant(&self) -> ParticipantId {
        self.inner.sealer.participant()
    }

    /// Waits until the agent is logged in and can seal. It may wait for ever: give it a deadline.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub async fn ready(&self) {
        let (mut status, mut directory) = (self.inner.status.clone(), self.inner.sealer.watch());
        while !self.is_ready() {
            let changed = tokio::select! {
                changed = status.changed() => changed,
                changed = directory.changed() => changed,
            };
            if changed.is_err() {
                // Stopped: it will never be ready.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether the agent is logged in and can seal.
    pub fn is_ready(&self) -> bool {
        self.is_connected() && self.unsealable().is_none()
    }

    /// Whether the agent is logged in to a server.
    pub fn is_connected(&self) -> bool {
        self.inner.status.borrow().server.is_some()
    }

    /// Which of the servers it was given this agent is logged in to, by its place among them.
    pub fn server(&self) -> Option<usize> {
        self.inner.status.borrow().server
    }

    /// Why nothing can be sealed now, if that is so: the alarm that operators must see.
    pub fn unsealable(&self) -> Option<Unsealable> {
        self.inner.sealer.unsealable()
    }

    /// The directory in use; `None` before the first has come.
    pub fn directory(&self) -> Option<VerifiedDirectory> {
        self.inner.sealer.directory()
    }

    /// How far the directory in use is through its life; `None` before the first has come.
    pub fn freshness(&self) -> Option<Freshness> {
        let now = self.inner.sealer.clock().wall();
        self.directory().map(|directory| directory.freshness(now))
    }

    /// The stream of deliveries. It exists once: `None` when it was taken before.
    ///
    /// An agent whose stream nobody takes acknowledges nothing but what [`Agent::ask`] waits for.
    pub fn deliveries(&self) -> Option<Deliveries> {
        self.inner.deliveries.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Seals a message and hands it to a server. Resolves when the server has confirmed that every recipient's
    /// mailbox has it; without a server that may take as long as the message lives, so give it a deadline.
    ///
    /// # Errors
    /// [`SendError`]; where [`SendError::is_retryable`], the same message may be sent again under the same id.
    ///
    /// # Cancel safety
    /// Dropped before its first poll nothing is sent; after that the message may be sent or not, and
    /// [`Agent::message`] tells which. To take it back, see [`Agent::withdraw`].
    pub async fn send(&self, message: OutgoingMessage) -> Result<Accepted, SendError> {
        let (confirmed, _) = self.begin(message, false).await?;
        confirmed.await.unwrap_or(Err(SendError::Stopped))
    }

    /// Sends a question and waits for its answer, at most for `deadline` in all. The answer is acknowledged when this
    /// returns it, not before.
    ///
    /// With several replicas of a participant the answer may reach another replica: this then ends with
    /// [`AskError::Deadline`], and the answer comes as a delivery there.
    ///
    /// # Errors
    /// [`AskError`].
    ///
    /// # Cancel safety
    /// Dropped, the question may be sent or not, as for [`Agent::send`]; its answer then comes as a delivery.
    pub async fn ask(&self, mut question: OutgoingMessage, deadline: Duration) -> Result<IncomingMessage, AskError> {
        let id = *question.id.get_or_insert_with(fresh_id);
        match tokio::time::timeout(deadline, self.ask_without_deadline(question)).await {
            Ok(Ok(answer)) => Ok(take(answer, id)?),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(AskError::Deadline { question: id }),
        }
    }

    async fn ask_without_deadline(&self, question: OutgoingMessage) -> Result<Delivery, AskError> {
        let id = question.id.unwrap_or_else(fresh_id);
        let (mut confirmed, answer) = self.begin(question, true).await?;
        let Some(mut answer) = answer else { return Err(AskError::Stopped) };
        let reply = tokio::select! {
            biased;
            reply = &mut answer => reply,
            accepted = &mut confirmed => {
                accepted.unwrap_or(Err(SendError::Stopped))?;
                answer.await
            }
        };
        match reply {
            Ok(Reply::Answer(answer)) => Ok(*answer),
            Ok(Reply::Failed(reason)) => Err(AskError::Failed { question: id, reason }),
            // The exchange lets go of a question that is refused or expires; the confirm says why.
            Err(_) => match confirmed.try_recv() {
                Ok(Err(error)) => Err(error.into()),
                _ if self.inner.status.borrow().stopped => Err(AskError::Stopped),
                _ => Err(AskError::Deadline { question: id }),
            },
        }
    }

    /// Seals a message and hands it to the driver; the first channel brings its confirm, the second, where `asks`,
    /// its answer.
    pub(crate) async fn begin(&self, message: OutgoingMessage, asks: bool) -> Result<Begun, SendError> {
        let message = self.inner.sealer.seal(message)?;
        let (confirmed, outcome) = oneshot::channel();
        let (reply, answer) = oneshot::channel();
        let command = Command::Publish { message, confirmed, answer: asks.then_some(reply) };
        self.inner.commands.send(command).await.map_err(|_| SendError::Stopped)?;
        Ok((outcome, asks.then_some(answer)))
    }

    /// Takes a message back that was never on any link. `true`: it was not and will not be sent. `false`: it may have
    /// been, or this agent knows no such message.
    ///
    /// # Cancel safety
    /// Dropped, the message may be taken back or not.
    pub async fn withdraw(&self, id: MessageId) -> bool {
        let (done, withdrawn) = oneshot::channel();
        let sent = self.inner.commands.send(Command::Withdraw { id, done }).await;
        sent.is_ok() && withdrawn.await.unwrap_or(false)
    }

    /// What is known of a message that this process sent. Kept for [`Limits::statuses`](crate::Limits::statuses)
    /// messages after their end.
    pub fn message(&self, id: MessageId) -> Option<MessageStatus> {
        self.inner.outcomes.status(id)
    }

    /// Waits until the message has an end ([`MessageStatus::is_final`]) and returns it; `None` for one that this process
    /// does not know, or that no server took. It may wait for as long as the message lives: give it a deadline.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub async fn outcome(&self, id: MessageId) -> Option<MessageStatus> {
        self.inner.outcomes.awaited(id, MessageStatus::is_final).await
    }

    /// The same, but goes on waiting past an end that no recipient has signed ([`MessageStatus::is_signed`]): a signed word
    /// overrides it.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub async fn signed_outcome(&self, id: MessageId) -> Option<MessageStatus> {
        self.inner.outcomes.awaited(id, MessageStatus::is_signed).await
    }

    /// What a server said last of a message that this process sent: that it failed. It is advice: nobody signed it, and a
    /// signed word of the recipient's overrides it in [`Agent::message`].
    pub fn notice(&self, id: MessageId) -> Option<FailureReason> {
        self.inner.outcomes.notice(id)
    }

    /// Takes nothing new, waits up to 5 s for confirms and settlements, closes the link and ends the agent's tasks.
    /// What is unconfirmed then is lost with this process; what is unsettled comes again to the next.
    ///
    /// # Cancel safety
    /// Dropped, the agent goes on shutting down.
    pub async fn shutdown(&self) {
        // A driver that is gone has shut down already.
        let _ = self.inner.commands.send(Command::Shutdown).await;
        self.inner.tasks.wait().await;
    }
}

/// The answer is in the asker's hands: acknowledge it.
fn take(answer: Delivery, question: MessageId) -> Result<IncomingMessage, AskError> {
    let message = answer.message.clone();
    answer.ack();
    if message.kind == Kind::DECLINE {
        return Err(AskError::Declined { question });
    }
    Ok(message)
}

fn exchange_config(config: &AgentConfig, servers: Vec<Option<Name>>) -> Result<ExchangeConfig, ConnectError> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|_| ConnectError::Random)?;
    let [a, b, c, d, e, f, g, h, instance @ ..] = random;
    let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let instance = InstanceId::from_random_bytes(instance);
    let (network, participant) = (config.network.clone(), config.keyring.participant());
    let mut session = AgentSessionConfig::new(network, participant, instance, servers, seed);
    session.prefetch = config.prefetch;
    session.backoff = config.backoff;
    session.refused_delay = config.refused_delay;
    Ok(ExchangeConfig {
        limits: config.limits,
        receipts: config.receipts,
        guest: config.guest,
        allow_unbound: config.allow_unbound,
        records: Records::new(config.limits.statuses),
        ..ExchangeConfig::new(session)
    })
}
