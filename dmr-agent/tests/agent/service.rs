//! An agent with its HTTP API, over a relay in the same process.

use std::net::SocketAddr;
use std::time::Duration;

use dmr_agent::{Agent, Service, ServiceConfig, WebhookConfig};
use dmr_core::backoff::BackoffConfig;
use dmr_core::retry::RetryConfig;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::network::Network;
use crate::relay::{Relay, RelayDialer};
use crate::wait::within;

/// A service that is ready.
pub(crate) struct Running {
    pub(crate) agent: Agent,
    pub(crate) address: SocketAddr,
    client: Client,
    _stop: DropGuard,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) text: String,
    pub(crate) content_type: String,
    pub(crate) retry_after: Option<String>,
}

impl Answer {
    /// The last part of a problem's type.
    pub(crate) fn problem(&self) -> &str {
        assert_eq!(self.content_type, "application/problem+json", "{}", self.text);
        assert_eq!(self.body["status"], self.status);
        self.body["type"].as_str().unwrap().strip_prefix("urn:dmr:problem:").unwrap()
    }
}

/// How a service is set up for tests: short waits, any port.
pub(crate) fn config(network: &Network, who: &str) -> ServiceConfig {
    let mut config = ServiceConfig::new(network.config(who));
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.no_link = Duration::from_millis(200);
    config.unknown = Duration::from_millis(800);
    config
}

/// A webhook that is tried three times with short waits.
pub(crate) fn webhook(url: &str) -> WebhookConfig {
    let mut webhook = WebhookConfig::new(url.parse().unwrap());
    let backoff = BackoffConfig { base: Duration::from_millis(5), cap: Duration::from_millis(20) };
    webhook.retry = RetryConfig { attempts: 3, backoff };
    webhook.timeout = Duration::from_millis(500);
    webhook
}

/// Starts a service and waits until its agent is ready.
pub(crate) async fn start(config: ServiceConfig, relay: &Relay) -> Running {
    let running = launch(config, relay).await;
    within("the agent is ready", running.agent.ready()).await;
    running
}

/// Starts a service.
pub(crate) async fn launch(config: ServiceConfig, relay: &Relay) -> Running {
    let service = Service::bind_with(config, relay.dialer(), RelayDialer::names()).await.unwrap();
    let (agent, address) = (service.agent().clone(), service.local_addr());
    let stop = CancellationToken::new();
    tokio::spawn(service.serve(stop.clone().cancelled_owned()));
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // The first service of this process installs it; the others find it there.
    let _ = provider.install_default();
    let client = Client::builder().no_proxy().build().unwrap();
    Running { agent, address, client, _stop: stop.drop_guard() }
}

impl Running {
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(self.client.post(self.url(path)).json(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(self.client.get(self.url(path))).await
    }

    /// A request to be made with [`Running::call`].
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse().unwrap(), self.url(path))
    }

    pub(crate) async fn call(&self, request: RequestBuilder) -> Answer {
        let response = within("a response", request.send()).await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (content_type, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, body, text, content_type, retry_after }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status of a message that this service sent.
    pub(crate) async fn status(&self, id: &str) -> String {
        let answer = self.get(&format!("/v1/messages/{id}")).await;
        answer.body["status"].as_str().unwrap_or_default().to_owned()
    }
}

/// A message of no particular type.
pub(crate) fn note(to: &str, text: &str) -> Value {
    json!({"recipientId": to, "timestamp": "2026-01-31T12:00:00.5Z", "type": "Note", "payload": {"text": text}})
}
