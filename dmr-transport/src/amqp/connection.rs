//! A connection that is kept: opened, watched, and opened again, one address after the other.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_rs::Runtime;
use dmr_core::backoff::Backoff;
use futures_util::StreamExt as _;
use lapin::auth::AuthProvider;
use lapin::types::LongString;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, Event};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::address::AmqpAddress;
use super::config::{AmqpConfig, AmqpLogin};
use super::errors::unavailable;
use super::metrics::ConnectionMetrics;
use super::owned_channel::OwnedChannel;
use super::{stream, topology};
use crate::broker::BrokerError;

/// A connection that lived so long was a good one.
const LIVED: Duration = Duration::from_secs(5);
/// How often the state of a connection is looked at: its events may be missed.
const LOOK: Duration = Duration::from_secs(1);

/// What a connection is for. Publishing and consuming are apart, because a broker that is short of memory or disk stops
/// reading from those that publish, and settlements must not stand behind that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Publish,
    Consume,
}

impl Purpose {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
        }
    }
}

/// An open connection. Channels opened on it belong to its generation and to no other.
pub(super) struct Open {
    connection: Connection,
    generation: u64,
}

impl Open {
    /// Which of the connections since the start this is.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it is open as far as is known.
    pub(super) fn is_connected(&self) -> bool {
        self.connection.status().connected()
    }

    /// Whether the broker has asked for silence: it is short of memory or disk.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// A channel.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    ///
    /// # Cancel safety
    /// Safe: a channel that was being opened is closed.
    pub(super) async fn channel(&self) -> Result<OwnedChannel, BrokerError> {
        match self.connection.create_channel().await {
            Ok(channel) => Ok(OwnedChannel::new(channel)),
            // The library remembers why the broker closed a channel, and tells that to the next one of the same number.
            Err(_) if self.is_connected() => {
                let again = self.connection.create_channel().await;
                again.map(OwnedChannel::new).map_err(|error| unavailable(&error))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("generation", &self.generation).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
enum State {
    /// Nothing is known yet.
    Connecting,
    Down(Arc<str>),
    Up(Arc<Open>),
}

/// A connection that comes back by itself. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct KeptConnection {
    state: watch::Receiver<State>,
    answer_timeout: Duration,
    _stop: DropGuard,
}

impl KeptConnection {
    /// Begins to connect, and returns at once. Call it inside a tokio runtime.
    pub(super) fn start(config: Arc<AmqpConfig>, purpose: Purpose) -> Self {
        let (sender, state) = watch::channel(State::Connecting);
        let stop = CancellationToken::new();
        let answer_timeout = config.answer_timeout;
        let keeper = Keeper { metrics: ConnectionMetrics::of(purpose), config, purpose, state: sender };
        tokio::spawn(keeper.run(stop.clone()));
        Self { state, answer_timeout, _stop: stop.drop_guard() }
    }

    /// The connection, if it is up.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] with why it is not.
    pub(super) fn now(&self) -> Result<Arc<Open>, BrokerError> {
        match &*self.state.borrow() {
            State::Up(open) if open.is_connected() => Ok(Arc::clone(open)),
            State::Up(_) => Err(BrokerError::Unavailable("the connection has just ended".into())),
            State::Down(why) => Err(BrokerError::Unavailable((&**why).into())),
            State::Connecting => Err(BrokerError::Unavailable("it is being connected to".into())),
        }
    }

    /// Waits until the first attempt to connect has ended, at most the answer timeout.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn tried(&self) {
        let mut state = self.state.clone();
        let known = state.wait_for(|state| !matches!(state, State::Connecting));
        // Late is told by whoever asks for the connection next.
        let _ = timeout(self.answer_timeout, known).await;
    }

    /// The connection, waiting for it at most the answer timeout.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn soon(&self) -> Result<Arc<Open>, BrokerError> {
        let mut state = self.state.clone();
        let up = |state: &State| matches!(state, State::Up(open) if open.is_connected());
        // Late or over: what `now` says is the reason either way.
        let _ = timeout(self.answer_timeout, state.wait_for(up)).await;
        self.now()
    }
}

/// The task behind a kept connection.
struct Keeper {
    config: Arc<AmqpConfig>,
    purpose: Purpose,
    metrics: ConnectionMetrics,
    state: watch::Sender<State>,
}

impl Keeper {
    async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.config.backoff, self.config.seed ^ u64::from(self.purpose as u8));
        let (mut generation, mut first) = (0, 0);
        loop {
            let Some(connected) = stop.run_until_cancelled(self.connect(first)).await else { return };
            match connected {
                Ok((connection, place)) => {
                    generation += 1;
                    let began = Instant::now();
                    // Whatever ends this connection may be that node's trouble alone: the next attempt begins behind it.
                    first = place + 1;
                    let open = Arc::new(Open { connection, generation });
                    let ended = stop.run_until_cancelled(self.hold(&open, place)).await;
                    close(&open).await;
                    if ended.is_none() {
                        return;
                    }
                    // One that ends as soon as it is open is no success.
                    if began.elapsed() >= LIVED {
                        backoff.reset();
                    }
                }
                Err(why) => {
                    tracing::debug!(purpose = self.purpose.as_str(), %why, "no connection to the broker");
                    self.state.send_replace(State::Down(why.into()));
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(backoff.next_delay())).await.is_none() {
                return;
            }
        }
    }

    /// Offers a connection until it ends.
    async fn hold(&self, open: &Arc<Open>, place: usize) {
        let (purpose, generation) = (self.purpose.as_str(), open.generation);
        let address = self.config.addresses.get(place);
        if generation > 1 {
            self.metrics.reconnected();
        }
        tracing::info!(purpose, address = address.map(tracing::field::display), generation, "connected to the broker");
        self.state.send_replace(State::Up(Arc::clone(open)));
        let why = self.watch(open).await;
        tracing::warn!(purpose, address = address.map(tracing::field::display), %why, "the broker's connection ended");
        self.state.send_replace(State::Down(why.into()));
    }

    /// Tries each address once, beginning with this one, and says which was the one.
    async fn connect(&self, first: usize) -> Result<(Connection, usize), String> {
        let addresses = &self.config.addresses;
        let mut why = Vec::new();
        for place in (0..addresses.len()).map(|step| (first + step) % addresses.len()) {
            let Some(address) = addresses.get(place) else { continue };
            match timeout(self.config.connect_timeout, self.open(address)).await {
                Ok(Ok(connection)) => return Ok((connection, place)),
                Ok(Err(error)) => why.push(format!("{address}: {error}")),
                Err(_) => why.push(format!("{address}: no answer within {:?}", self.config.connect_timeout)),
            }
        }
        Err(why.join("; "))
    }

    /// Opens a connection, and makes sure that everything is there that publishing needs.
    async fn open(&self, address: &AmqpAddress) -> Result<Connection, OpenError> {
        let connection = open(&self.config, self.purpose, address).await?;
        if self.purpose == Purpose::Publish {
            let channel = OwnedChannel::new(connection.create_channel().await?);
            topology::declare(&channel).await?;
            channel.close().await;
        }
        Ok(connection)
    }

    /// Watches a connection until it ends, and says why it did.
    async fn watch(&self, open: &Open) -> String {
        let mut events = std::pin::pin!(open.connection.events_listener());
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut blocked: Option<Instant> = None;
        let why = loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(why)) => {
                        tracing::warn!(purpose = self.purpose.as_str(), %why, "the broker blocks publishing");
                    }
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!(purpose = self.purpose.as_str(), "the broker takes messages again");
                    }
                    Some(Event::Error(error)) => {
                        if !open.is_connected() {
                            break error.to_string();
                        }
                    }
                    Some(_) => {}
                    None => break "its events ended".to_owned(),
                },
                _ = looks.tick() => {}
            }
            // Blocked time is counted as it passes, so that a long block is seen while it lasts.
            let now = Instant::now();
            if let Some(since) = blocked.take() {
                self.metrics.blocked_for(now.duration_since(since));
            }
            blocked = open.is_blocked().then_some(now);
            self.metrics.blocked(blocked.is_some());
            if !open.is_connected() {
                break "it was closed".to_owned();
            }
        };
        self.metrics.blocked(false);
        why
    }
}

/// Logs in to the first node that lets this side in, and leaves again: nothing is declared. Returns which one it was.
///
/// # Errors
/// [`BrokerError::Unavailable`] with what each node said.
pub async fn log_in(config: AmqpConfig) -> Result<AmqpAddress, BrokerError> {
    let config = Arc::new(config);
    let mut why = Vec::new();
    for address in &config.addresses {
        match timeout(config.connect_timeout, open(&config, Purpose::Consume, address)).await {
            Ok(Ok(connection)) => {
                close(&Open { connection, generation: 0 }).await;
                return Ok(address.clone());
            }
            Ok(Err(error)) => why.push(format!("{address}: {error}")),
            Err(_) => why.push(format!("{address}: no answer within {:?}", config.connect_timeout)),
        }
    }
    Err(BrokerError::Unavailable(why.join("; ").into()))
}

/// Ends a connection; one that does not answer is left to end by itself.
async fn close(open: &Open) {
    if open.is_connected() {
        let _ = timeout(Duration::from_secs(1), open.connection.close(200, "bye".into())).await;
    }
}

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Stream(#[from] std::io::Error),
    #[error(transparent)]
    Amqp(#[from] lapin::Error),
}

/// Logs in by the certificate of the TLS connection.
struct External;

impl AuthProvider for External {
    fn auth_starter(&self) -> Result<LongString, String> {
        // The empty authorization identity: whoever the certificate says (RFC 4422, appendix A).
        Ok(LongString::from(""))
    }
}

async fn open(config: &Arc<AmqpConfig>, purpose: Purpose, address: &AmqpAddress) -> Result<Connection, OpenError> {
    // Cut when this attempt is given up; one that succeeded lives as long as its connection.
    let cut = CancellationToken::new();
    let given_up = cut.clone().drop_guard();
    let stream = stream::open(address, &config.tls, &cut).await?;
    let user = match &config.login {
        AmqpLogin::Password { user, password } => {
            AMQPUserInfo { username: user.to_string(), password: password.to_string() }
        }
        AmqpLogin::Certificate => AMQPUserInfo { username: String::new(), password: String::new() },
    };
    let uri = AMQPUri {
        scheme: if address.is_secure() { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority { userinfo: user, host: address.host().to_owned(), port: address.port() },
        vhost: address.vhost().to_owned(),
        query: AMQPQueryString {
            heartbeat: Some(u16::try_from(config.heartbeat.as_secs()).unwrap_or(u16::MAX)),
            ..AMQPQueryString::default()
        },
    };
    let name = format!("{} {}", config.name, purpose.as_str());
    let mut properties = ConnectionProperties::default().with_connection_name(name.into());
    if config.login == AmqpLogin::Certificate {
        properties = properties.with_auth_provider(External);
    }
    // One stream for one attempt: trying again is the keeper's, which knows the other addresses.
    let stream = Mutex::new(Some(stream));
    let connect = async move |_uri: AMQPUri, _runtime: Runtime<stream::Kit>| {
        let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stream = stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected))?;
        Ok(AsyncTcpStream::Plain(stream))
    };
    let runtime = Runtime::new(stream::kit());
    let connection = Connection::connector(uri, runtime, connect, properties).await?;
    given_up.disarm();
    Ok(connection)
}
