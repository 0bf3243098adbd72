//! What all links of one server share.

use std::sync::Arc;

use dmr_core::id::{Name, Nonce, SessionId, StoreId};
use dmr_core::session::ServerSessionConfig;
use dmr_crypto::{ServerKeys, VerifiedDirectory};
use dmr_transport::Broker;
use tokio::sync::watch;

use crate::allowance::Allowances;
use crate::announcements::Announcer;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::limits::Limits;
use crate::metrics::ServerMetrics;
use crate::readiness::Readiness;
use crate::registry::Registry;

/// One server, as its links see it.
#[derive(Debug)]
pub(crate) struct Shared<B: Broker> {
    pub(crate) network: Name,
    pub(crate) name: Name,
    /// Signs challenges, where this server has a key in the directory.
    pub(crate) keys: Option<ServerKeys>,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) broker: B,
    /// The directory in use.
    pub(crate) directory: watch::Receiver<VerifiedDirectory>,
    /// What stands in the way of serving.
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) allowances: Allowances,
    pub(crate) metrics: ServerMetrics,
    /// Tells the other servers.
    pub(crate) announcer: Announcer,
}

impl<B: Broker> Shared<B> {
    /// The directory in use now.
    pub(crate) fn directory(&self) -> VerifiedDirectory {
        self.directory.borrow().clone()
    }

    /// How a session on a new link behaves.
    pub(crate) fn session_config(
        &self,
        session: SessionId,
        nonce: Nonce,
        store: StoreId,
        binds_channel: bool,
    ) -> ServerSessionConfig {
        ServerSessionConfig {
            server_key: self.keys.as_ref().map(ServerKeys::key),
            binds_channel,
            directory_revision: self.directory.borrow().revision(),
            credit: self.limits.credit,
            heartbeat: self.limits.heartbeat,
            login_timeout: self.limits.login_timeout,
            settle_timeout: self.limits.settle_timeout,
            grace: self.limits.grace,
            ..ServerSessionConfig::new(self.network.clone(), self.name.clone(), session, store, nonce)
        }
    }
}
