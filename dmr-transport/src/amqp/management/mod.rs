//! A client for RabbitMQ's management API over HTTP: what the broker is, and what its queues hold.
//!
//! It only reads. A user with the tag `monitoring` and any permission in the virtual host is enough. Each request is a
//! connection of its own: they are rare, and a kept connection to a node that died is worse than a new one. Answers are
//! bounded at 16 MiB; there are no redirects, and no proxy is used, whatever the environment says.
//!
//! # How old the figures are
//!
//! Which queues, exchanges, bindings and policies there are is said as it is now. Everything else about a queue
//! (messages, bytes, consumers, rates, **and which policy applies to it**) is what each node's statistics said last,
//! every 5 s unless `collect_statistics_interval` was changed. Measured on 3.10.8: a change shows after up to 5 s, and a
//! new queue has no figures and no effective policy at all for its first 5 to 10 s. [`Queue::effective`] and
//! [`Queue::figures`] are `None` then. So these figures are for operators and metrics: nothing that decides about a
//! message may rest on them.

mod address;
mod error;
mod figures;
mod request;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::Value;
use tokio::time::sleep;
use zeroize::Zeroizing;

pub use address::{AddressError, ManagementAddress};
pub use error::ManagementError;
pub use figures::{Binding, Exchange, Node, Overview, Queue, QueueFigures, VhostPolicy};

/// Queues asked for at once. About 1.5 KiB each, so a page stays far below the largest answer.
const PAGE: usize = 500;
/// Most pages: 100,000 queues, twenty times what one RabbitMQ cluster should have.
const PAGES: usize = 200;
/// Answers of 500 that are taken for passing.
const STUMBLES: u32 = 5;
/// Time before asking again after one.
const REST: Duration = Duration::from_millis(400);
/// What is asked about a queue, so that the answer leaves out the rest.
const QUEUE_COLUMNS: &str = "name,type,durable,arguments,members,online,leader,state,policy,operator_policy,\
                             effective_policy_definition,messages_ready,messages_unacknowledged,messages_dlx,\
                             message_bytes,consumers,message_stats";

/// A name and its password. Debug shows the name; the password is wiped from memory when the last copy goes.
#[derive(Clone)]
pub struct Credentials {
    user: Box<str>,
    password: Zeroizing<String>,
}

impl Credentials {
    /// Credentials of this user.
    pub fn new(user: &str, password: Zeroizing<String>) -> Self {
        Self { user: user.into(), password }
    }

    /// Who.
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How the management API is reached.
#[derive(Debug, Clone)]
pub struct ManagementConfig {
    /// Where it listens: RabbitMQ's default is port 15672, with TLS 15671.
    pub address: ManagementAddress,
    /// As whom.
    pub credentials: Credentials,
    /// The virtual host that the queues are in. Default `/`.
    pub vhost: Box<str>,
    /// TLS for `https`; see [`client_config`](crate::tls::client_config). Without it `https` cannot be reached.
    pub tls: Option<Arc<ClientConfig>>,
    /// Whether plain `http`, which shows the password to the network, may leave this machine. Default: no; then it is
    /// used only where the address that the host resolves to is loopback.
    pub allow_plain: bool,
    /// For a connection with its TLS, and again for an answer. Default 5 s. Too small: a busy broker with thousands of
    /// queues does not answer in time; too large: a dead one is noticed late.
    pub timeout: Duration,
}

impl ManagementConfig {
    /// The defaults, for this address and user.
    pub fn new(address: ManagementAddress, credentials: Credentials) -> Self {
        let timeout = Duration::from_secs(5);
        Self { address, credentials, vhost: "/".into(), tls: None, allow_plain: false, timeout }
    }
}

/// A client for the management API.
///
/// # Cancel safety
/// All methods only read: dropped, the connection is closed and nothing has changed.
#[derive(Debug, Clone)]
pub struct Management {
    config: ManagementConfig,
}

impl Management {
    /// A client with these settings. Connects to nothing yet.
    pub fn new(config: ManagementConfig) -> Self {
        Self { config }
    }

    /// The virtual host.
    pub fn vhost(&self) -> &str {
        &self.config.vhost
    }

    /// The broker and its nodes.
    ///
    /// # Errors
    /// [`ManagementError`].
    pub async fn overview(&self) -> Result<Overview, ManagementError> {
        let about = self.get("overview?columns=rabbitmq_version,cluster_name,node,disable_stats").await?;
        let nodes = self.get("nodes?columns=name,running,mem_alarm,disk_free_alarm,partitions").await?;
        Overview::parse(&about, &nodes).ok_or_else(|| self.malformed("overview"))
    }

    /// The queues whose names match the regular expression, such as `^dmr\.`, by name.
    ///
    /// # Errors
    /// [`ManagementError`].
    pub async fn queues(&self, pattern: &str) -> Result<Vec<Queue>, ManagementError> {
        let mut queues = BTreeMap::new();
        for page in 1..=PAGES {
            let path = format!(
                "queues/{}?page={page}&page_size={PAGE}&sort=name&use_regex=true&name={}&columns={QUEUE_COLUMNS}",
                encoded(self.vhost()),
                encoded(pattern)
            );
            let answer = match self.get_again(&path).await {
                Ok(answer) => answer,
                // Queues were deleted while their pages were turned.
                Err(ManagementError::Refused { status: 400, .. }) if page > 1 => break,
                Err(error) => return Err(self.vhost_missing(error)),
            };
            let items = answer.get("items").and_then(Value::as_array).ok_or_else(|| self.malformed("queues"))?;
            for item in items {
                let queue = Queue::parse(item).ok_or_else(|| self.malformed("queues"))?;
                queues.insert(queue.name.clone(), queue);
            }
            if answer.get("page_count").and_then(Value::as_u64).is_none_or(|pages| pages <= page as u64) {
                break;
            }
        }
        Ok(queues.into_values().collect())
    }

    /// One queue, or nothing where there is none of this name.
    ///
    /// # Errors
    /// [`ManagementError`]. Where the virtual host is missing too, the answer is the same: nothing.
    pub async fn queue(&self, name: &str) -> Result<Option<Queue>, ManagementError> {
        let path = format!("queues/{}/{}?columns={QUEUE_COLUMNS}", encoded(self.vhost()), encoded(name));
        match self.get(&path).await {
            Ok(answer) => Queue::parse(&answer).map(Some).ok_or_else(|| self.malformed("queue")),
            Err(ManagementError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All exchanges.
    ///
    /// # Errors
    /// [`ManagementError`].
    pub async fn exchanges(&self) -> Result<Vec<Exchange>, ManagementError> {
        self.list("exchanges", "?columns=name,type,durable,arguments", Exchange::parse).await
    }

    /// All bindings between an exchange that has a name and a queue.
    ///
    /// # Errors
    /// [`ManagementError`]. One binding takes about 120 bytes of the answer, so that some 100,000 fit.
    pub async fn bindings(&self) -> Result<Vec<Binding>, ManagementError> {
        let mut bindings = self.list("bindings", "?columns=source,destination,routing_key", Binding::parse).await?;
        bindings.retain(|binding| !binding.source.is_empty());
        Ok(bindings)
    }

    /// All policies, or with `operator` all operator policies.
    ///
    /// # Errors
    /// [`ManagementError`].
    pub async fn policies(&self, operator: bool) -> Result<Vec<VhostPolicy>, ManagementError> {
        self.list(if operator { "operator-policies" } else { "policies" }, "", VhostPolicy::parse).await
    }

    async fn list<T>(
        &self,
        what: &'static str,
        query: &str,
        parse: fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, ManagementError> {
        let answer = self.get(&format!("{what}/{}{query}", encoded(self.vhost()))).await;
        let answer = answer.map_err(|error| self.vhost_missing(error))?;
        let items = answer.as_array().and_then(|items| items.iter().map(parse).collect());
        items.ok_or_else(|| self.malformed(what))
    }

    /// Asks again while the broker stumbles: for a moment RabbitMQ 3.10 answers lists with 500 that have queues which were
    /// declared just now.
    async fn get_again(&self, path: &str) -> Result<Value, ManagementError> {
        for _ in 0..STUMBLES {
            match self.get(path).await {
                Err(ManagementError::Refused { status: 500, .. }) => sleep(REST).await,
                answer => return answer,
            }
        }
        self.get(path).await
    }

    async fn get(&self, path: &str) -> Result<Value, ManagementError> {
        request::get(&self.config, path).await
    }

    fn malformed(&self, what: &'static str) -> ManagementError {
        ManagementError::Malformed { address: self.config.address.to_string().into(), what }
    }

    fn vhost_missing(&self, error: ManagementError) -> ManagementError {
        match error {
            ManagementError::NotFound { .. } => ManagementError::NoVhost { vhost: self.config.vhost.clone() },
            error => error,
        }
    }
}

/// A segment of a path or a value of a query, percent-encoded (RFC 3986, section 2.1).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
