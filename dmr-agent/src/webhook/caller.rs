//! Calls the webhook: one request, bounded in time and in what is read back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::id::MessageId;
use dmr_core::limit;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;

use super::WebhookConfig;

/// Longest response that is read: an answer is no longer than a message.
const BODY: usize = limit::MESSAGE;

/// The webhook cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the webhook cannot be called: {reason}")]
pub struct CallerError {
    reason: Box<str>,
}

impl CallerError {
    fn new(reason: &dyn std::fmt::Display) -> Self {
        Self { reason: reason.to_string().into() }
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    /// `None`: longer than a message.
    pub(super) body: Option<Bytes>,
}

/// TLS settings for a webhook that is plain `http`: no certificate would be believed.
fn trusting_nobody() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// Calls one webhook. No redirects, no proxy from the environment, no cookies.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    client: reqwest::Client,
    url: reqwest::Url,
}

impl Caller {
    /// A caller of the webhook in `config`.
    ///
    /// # Errors
    /// [`CallerError`].
    pub(crate) fn new(config: &WebhookConfig) -> Result<Self, CallerError> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(config.timeout)
            .connect_timeout(config.timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("dmr-agent/", env!("CARGO_PKG_VERSION")));
        // Without settings of ours the library would look for a provider that the process has not installed.
        let tls = config.tls.clone().map_or_else(trusting_nobody, |tls| Ok(Arc::unwrap_or_clone(tls)));
        let tls = tls.map_err(|error| CallerError::new(&error))?;
        let client = builder.tls_backend_preconfigured(tls).build().map_err(|error| CallerError::new(&error))?;
        Ok(Self { client, url: config.url.as_url().clone() })
    }

    /// One call. Where the status says all there is to say, a body that breaks off does not matter: `may_answer` is
    /// whether that of a 2xx counts. The error says why nothing came back, without the URL, which may hold a secret.
    pub(super) async fn call(&self, id: MessageId, body: Bytes, may_answer: bool) -> Result<Called, reqwest::Error> {
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let request = request.header("idempotency-key", id.to_string()).body(body);
        let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let (status, retry_after) = (response.status().as_u16(), retry_after.map(str::to_owned));
        let mut body = Vec::new();
        loop {
            let part = match response.chunk().await {
                Ok(Some(part)) => part,
                Ok(None) => break,
                Err(error) if may_answer && response.status().is_success() => return Err(error.without_url()),
                Err(_) => break,
            };
            if body.len() + part.len() > BODY {
                return Ok(Called { status, retry_after, body: None });
            }
            body.extend_from_slice(&part);
        }
        Ok(Called { status, retry_after, body: Some(body.into()) })
    }
}
