//! The server: bound, asked for its addresses, then served until it is told to stop.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dmr_core::id::StoreId;
use dmr_crypto::VerifiedDirectory;
use dmr_transport::Broker;
use dmr_transport::memory::MemoryBroker;
use dmr_transport::service::health;
use dmr_transport::service::http::{self, HttpLimits};
use dmr_transport::service::metrics::{Metrics, MetricsError};
use dmr_transport::websocket::AcceptConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::allowance::Allowances;
use crate::broker_inspection::Inspector;
use crate::clock::Clock;
use crate::config::{ConfigError, ServerConfig};
use crate::directory_watch::{DirectoryLoadError, DirectoryWatch};
use crate::gate::Gate;
use crate::listener::Listener;
use crate::metrics::ServerMetrics;
use crate::readiness::Readiness;
use crate::registry::Registry;
use crate::shared::Shared;
use crate::{announcements, broker_inspection, dead_letters, directory_task, mailboxes, readiness};

/// Time past the grace period for closing links and answering the last admin requests.
const CLOSING: Duration = Duration::from_secs(3);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no directory to begin with.
    #[error(transparent)]
    Directory(#[from] DirectoryLoadError),
    /// The state directory cannot be made.
    #[error("{}: {error}", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// An address cannot be listened on.
    #[error("{address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Metrics cannot be collected in this process.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random,
}

impl BindError {
    /// Whether other settings are needed, rather than another moment.
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Config(_) | Self::Directory(_) | Self::State { .. } => true,
            Self::Listen { .. } | Self::Metrics(_) | Self::Random => false,
        }
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server that is bound to its addresses and not serving yet.
pub struct Server {
    local_addr: SocketAddr,
    admin_addr: Option<SocketAddr>,
    serve: Box<dyn FnOnce(Task) -> Task + Send>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .field("admin_addr", &self.admin_addr)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server with a broker in its memory, which keeps nothing across a restart. Call it inside a tokio runtime. It
    /// blocks while it reads and verifies the directory.
    ///
    /// # Errors
    /// [`BindError`].
    ///
    /// # Cancel safety
    /// Dropped, nothing was started.
    pub async fn bind(config: ServerConfig) -> Result<Self, BindError> {
        let clock = Clock::system();
        let mut store = [0; 16];
        getrandom::fill(&mut store).map_err(|_| BindError::Random)?;
        let store = StoreId::from_random_bytes(store);
        let broker = MemoryBroker::new(store, config.queues, move || clock.now().wall);
        tracing::warn!(%store, "the broker is in memory: a restart forgets every message that was not settled");
        Self::bind_with_broker(config, broker).await
    }

    /// Validates everything that [`Server::bind`] needs, the directory too, and starts and changes nothing.
    ///
    /// Returns the directory that would be used, and why the file was passed over if it was.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn check(config: ServerConfig) -> Result<(VerifiedDirectory, Option<DirectoryLoadError>), BindError> {
        config.check()?;
        let now = Clock::system().now().wall;
        let ServerConfig { directory, state, root, .. } = config;
        let (_, directory, refused) = DirectoryWatch::load(&directory, state.as_deref(), root, false, now)?;
        Ok((directory, refused))
    }

    /// A server over this broker.
    ///
    /// # Errors
    /// [`BindError`].
    ///
    /// # Cancel safety
    /// Dropped, nothing was started.
    pub async fn bind_with_broker<B: Broker>(config: ServerConfig, broker: B) -> Result<Self, BindError> {
        config.check()?;
        let metrics = Metrics::install()?;
        let parts = Parts::load(config, broker).await?;
        let tcp = listen(parts.listen).await?;
        let local_addr = tcp.local_addr().map_err(|error| BindError::Listen { address: parts.listen, error })?;
        let admin = match parts.admin {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let admin_addr = admin.as_ref().and_then(|admin| admin.local_addr().ok());
        let serve = Box::new(move |shutdown: Task| -> Task { Box::pin(parts.serve(tcp, admin, metrics, shutdown)) });
        Ok(Self { local_addr, admin_addr, serve })
    }

    /// Where agents connect: `ws` or `wss`, path `/v1/link`.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where health and metrics are served.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// Serves until `shutdown`, then drains: not ready at once, no new links, each agent told to go elsewhere; what is
    /// in flight has the grace period to finish.
    ///
    /// # Cancel safety
    /// Dropped, every link ends at once, and what was not settled comes again.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        (self.serve)(Box::pin(shutdown)).await;
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|error| BindError::Listen { address, error })
}

/// Everything a server needs but its ports.
struct Parts<B: Broker> {
    shared: Arc<Shared<B>>,
    outbox: announcements::Outbox,
    inspector: Option<Inspector>,
    listen: SocketAddr,
    admin: Option<SocketAddr>,
    accept: AcceptConfig,
    watch: DirectoryWatch,
    publish: watch::Sender<VerifiedDirectory>,
    seed: u64,
}

impl<B: Broker> Parts<B> {
    async fn load(config: ServerConfig, broker: B) -> Result<Self, BindError> {
        let clock = Clock::system();
        let ServerConfig { name, listen, admin, directory, root, state, keys, tls, limits, inspector, .. } = config;
        let network = root.network().clone();
        if let Some(path) = &state {
            fs::create_dir_all(path).map_err(|error| BindError::State { path: path.clone(), error })?;
        }
        let now = clock.now().wall;
        let (watch, current, refused) = DirectoryWatch::load(&directory, state.as_deref(), root, true, now)?;
        let metrics = ServerMetrics::register(&network);
        if let Some(error) = refused {
            metrics.directory_refused();
            tracing::error!(%error, "directory refused; the last good one is used");
        }
        if let Some(keys) = &keys
            && !keys.is_listed(&current, clock.now().wall)
        {
            tracing::warn!(key = %keys.key(), "the directory does not list this server's key: agents may refuse it");
        }
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|_| BindError::Random)?;
        let publish = watch::Sender::new(current);
        let accept =
            AcceptConfig { tls, tls_timeout: limits.login_timeout / 2, upgrade_timeout: limits.login_timeout / 2 };
        let (announcer, outbox) = announcements::announcer();
        let readiness = Arc::new(Readiness::new(inspector.as_ref().is_some_and(Inspector::is_awaited)));
        let shared = Arc::new(Shared {
            network,
            name,
            keys,
            clock,
            broker,
            directory: publish.subscribe(),
            readiness,
            gate: Gate::new(limits.clone(), clock),
            registry: Registry::new(limits.links_per_participant),
            allowances: Allowances::new(limits.clone(), clock),
            metrics,
            announcer,
            limits,
        });
        Ok(Self { shared, outbox, inspector, listen, admin, accept, watch, publish, seed: u64::from_be_bytes(seed) })
    }

    async fn serve(self, tcp: TcpListener, admin: Option<TcpListener>, metrics: Metrics, shutdown: Task) {
        let Self { shared, outbox, inspector, accept, watch, publish, seed, .. } = self;
        let (stop, abort, over) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        // Dropped with this future, so that nothing outlives it.
        let (_stop, _abort, _over) = (stop.clone().drop_guard(), abort.clone().drop_guard(), over.clone().drop_guard());
        let (links, readiness) = (TaskTracker::new(), Arc::clone(&shared.readiness));
        let background = |task: Task| tokio::spawn(over.clone().run_until_cancelled_owned(task));
        background(Box::pin(metrics.clone().upkeep()));
        background(Box::pin(directory_task::run(Arc::clone(&shared), watch, publish)));
        background(Box::pin(mailboxes::run(shared.broker.clone(), shared.directory.clone(), seed)));
        if let Some(inspector) = inspector {
            background(Box::pin(broker_inspection::run(inspector, Arc::clone(&shared))));
        }
        background(Box::pin(announcements::tell(Arc::clone(&shared), outbox)));
        background(Box::pin(announcements::listen(Arc::clone(&shared), seed)));
        background(Box::pin(dead_letters::run(Arc::clone(&shared), seed)));
        background(Box::pin(Arc::clone(&readiness).watch_broker(Arc::clone(&shared))));
        background(Box::pin(readiness::watch_depth(Arc::clone(&shared))));
        let admin = admin.map(|admin| {
            let (shared, readiness, over) = (Arc::clone(&shared), Arc::clone(&readiness), over.clone());
            tokio::spawn(async move {
                // Nobody is told that the broker works before it was tried.
                readiness.try_broker(&shared).await;
                let health = move || readiness.health(shared.directory().freshness(shared.clock.now().wall));
                let router = health::router_of(metrics, health);
                http::serve(admin, router, HttpLimits::default(), over.cancelled()).await;
            })
        });
        let listener = Listener {
            tcp,
            accept: Arc::new(accept),
            shared: Arc::clone(&shared),
            links: links.clone(),
            abort: abort.clone(),
        };
        let listening = tokio::spawn(listener.run(stop.clone()));
        tracing::info!(network = %shared.network, name = %shared.name, revision = shared.directory().revision(), "serving");

        shutdown.await;

        tracing::info!(links = shared.gate.links(), grace = ?shared.limits.grace, "draining");
        readiness.drain();
        stop.cancel();
        // Done when the port is closed, so that whoever connects now goes elsewhere.
        let _ = listening.await;
        shared.registry.drain();
        links.close();
        if tokio::time::timeout(shared.limits.grace + CLOSING, links.wait()).await.is_err() {
            tracing::warn!(links = links.len(), "links were cut off at the end of the grace period");
        }
        abort.cancel();
        // What the links have settled on their way out shall not come again.
        shared.broker.close().await;
        over.cancel();
        if let Some(admin) = admin {
            let _ = tokio::time::timeout(CLOSING, admin).await;
        }
        tracing::info!("stopped");
    }
}
