//! The agent as a service: an [`Agent`], its HTTP API and its webhook together.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use dmr_core::id::Name;
use dmr_transport::service::http::{self, HttpLimits};
use dmr_transport::service::metrics::{Metrics, MetricsError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::api::{self, ApiState, BearerToken, Patience};
use crate::config::AgentConfig;
use crate::dialer::Dialer;
use crate::error::ConnectError;
use crate::webhook::{Caller, CallerError, Intake, Webhook, WebhookConfig};

/// How the service behaves. [`ServiceConfig::new`] has the defaults.
#[derive(Debug)]
pub struct ServiceConfig {
    /// The agent.
    pub agent: AgentConfig,
    /// Where the HTTP API is served. Default `127.0.0.1:8077`.
    pub listen: SocketAddr,
    /// What callers of the HTTP API must show. Demanded for an address that is not loopback.
    pub token: Option<BearerToken>,
    /// The institution's own service. Default: none, and then nothing unsolicited is acknowledged.
    pub webhook: Option<WebhookConfig>,
    /// How long a message waits for a link to a server before its caller hears 503. Default 2 s.
    pub no_link: Duration,
    /// How long a caller waits for the server's confirm before it hears 504, and how long its request's body may take.
    /// Default 15 s.
    pub unknown: Duration,
    /// Requests to the HTTP API at once; waiting questions count. Default 1,024.
    pub connections: usize,
    /// How long calls of the webhook may go on at shutdown. Default 10 s.
    pub grace: Duration,
}

impl ServiceConfig {
    /// The defaults, for what has no default.
    pub fn new(agent: AgentConfig) -> Self {
        Self {
            agent,
            listen: SocketAddr::from(([127, 0, 0, 1], 8077)),
            token: None,
            webhook: None,
            no_link: Duration::from_secs(2),
            unknown: Duration::from_secs(15),
            connections: 1_024,
            grace: Duration::from_secs(10),
        }
    }

    /// Whether the address may be served as configured.
    ///
    /// # Errors
    /// [`ServiceError::TokenNeeded`].
    pub fn check(&self) -> Result<(), ServiceError> {
        if self.token.is_none() && !self.listen.ip().is_loopback() {
            return Err(ServiceError::TokenNeeded(self.listen));
        }
        Ok(())
    }
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// An address that is not loopback and no token: whoever reaches it could send in this participant's name.
    #[error("{0} is not loopback: whoever reaches it could send in this participant's name; give --token-file")]
    TokenNeeded(SocketAddr),
    /// The address could not be bound.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The agent could not be set up.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The webhook could not be set up.
    #[error(transparent)]
    Webhook(#[from] CallerError),
    /// Metrics could not be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl ServiceError {
    /// Whether somebody must change the configuration.
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::TokenNeeded(_) | Self::Connect(_) | Self::Webhook(_) => true,
            Self::Listen { .. } | Self::Metrics(_) => false,
        }
    }
}

/// A service that is bound and not yet serving; its agent connects already.
#[derive(Debug)]
pub struct Service {
    agent: Agent,
    listener: TcpListener,
    local_addr: SocketAddr,
    router: Router,
    limits: HttpLimits,
    intake: Intake,
    metrics: Metrics,
    grace: Duration,
}

impl Service {
    /// Binds the HTTP API and starts the agent.
    ///
    /// # Errors
    /// [`ServiceError`]; nothing was started then.
    ///
    /// # Cancel safety
    /// Dropped before it returns, nothing goes on.
    pub async fn bind(config: ServiceConfig) -> Result<Self, ServiceError> {
        let (listener, parts) = prepare(config).await?;
        let agent = Agent::connect(parts.agent).await?;
        Self::assemble(agent, listener, parts.rest)
    }

    /// The same over other links than WebSockets: see [`Agent::connect_with`].
    ///
    /// # Errors
    /// As for [`Service::bind`].
    ///
    /// # Cancel safety
    /// As for [`Service::bind`].
    pub async fn bind_with<D: Dialer>(
        config: ServiceConfig,
        dialer: D,
        servers: Vec<Option<Name>>,
    ) -> Result<Self, ServiceError> {
        let (listener, parts) = prepare(config).await?;
        let agent = Agent::connect_with(parts.agent, dialer, servers).await?;
        Self::assemble(agent, listener, parts.rest)
    }

    fn assemble(agent: Agent, listener: TcpListener, rest: Rest) -> Result<Self, ServiceError> {
        let address = rest.listen;
        let local_addr = listener.local_addr().map_err(|error| ServiceError::Listen { address, error })?;
        let state = ApiState::new(agent.clone(), rest.token, rest.patience);
        let router = api::router(&state, rest.metrics.clone());
        let limits = HttpLimits { connections: rest.connections, ..HttpLimits::default() };
        let intake = Intake { state, webhook: rest.webhook };
        Ok(Self { agent, listener, local_addr, router, limits, intake, metrics: rest.metrics, grace: rest.grace })
    }

    /// Where the HTTP API is served, with the port that was chosen where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Serves until `shutdown`; then finishes requests and calls of the webhook within their grace, and shuts the
    /// agent down.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        let Self { agent, listener, router, limits, intake, metrics, grace, .. } = self;
        let upkeep = tokio::spawn(metrics.upkeep());
        let stop = CancellationToken::new();
        let intake = agent.deliveries().map(|deliveries| tokio::spawn(intake.run(deliveries, stop.clone())));
        http::serve(listener, router, limits, shutdown).await;
        stop.cancel();
        if let Some(intake) = intake {
            let abort = intake.abort_handle();
            if tokio::time::timeout(grace, intake).await.is_err() {
                tracing::warn!("calls of the webhook were cut short; their messages come again");
                abort.abort();
            }
        }
        agent.shutdown().await;
        upkeep.abort();
    }
}

/// A configuration taken apart.
struct Parts {
    agent: AgentConfig,
    rest: Rest,
}

/// What the agent does not need.
struct Rest {
    listen: SocketAddr,
    token: Option<BearerToken>,
    webhook: Option<Webhook>,
    patience: Patience,
    connections: usize,
    grace: Duration,
    metrics: Metrics,
}

async fn prepare(config: ServiceConfig) -> Result<(TcpListener, Parts), ServiceError> {
    config.check()?;
    let metrics = Metrics::install()?;
    api::describe_traffic();
    let webhook = config
        .webhook
        .map(|webhook| Ok::<_, CallerError>(Webhook { caller: Caller::new(&webhook)?, retry: webhook.retry }));
    let webhook = webhook.transpose()?;
    let address = config.listen;
    let listener = TcpListener::bind(address).await.map_err(|error| ServiceError::Listen { address, error })?;
    let rest = Rest {
        listen: config.listen,
        token: config.token,
        webhook,
        patience: Patience { no_link: config.no_link, unknown: config.unknown },
        connections: config.connections,
        grace: config.grace,
        metrics,
    };
    Ok((listener, Parts { agent: config.agent, rest }))
}
