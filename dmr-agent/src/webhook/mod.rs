//! The webhook: hands messages to the institution's own service, and takes its answers.
//!
//! ```text
//! delivery ─▶ POST {"id", "senderId", …}, Idempotency-Key: id
//!    2xx                          settled; to a question, a body with a payload is the answer
//!    4xx, but not 408 and 429     refused: the sender gets a signed receipt
//!    anything else                tried again, then refused, told and dead-lettered
//! ```

mod caller;
mod intake;
mod rules;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use dmr_core::retry::RetryConfig;

pub(crate) use caller::Caller;
pub use caller::CallerError;
pub(crate) use intake::{Intake, Webhook};
pub(crate) use rules::LONGEST_WAIT;

/// How the webhook is called.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Where.
    pub url: WebhookUrl,
    /// For `https`: whose certificates are believed. Default: nobody's.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// How often for one message, and the waits in between. Default: three attempts, full jitter from 500 ms to 10 s.
    pub retry: RetryConfig,
    /// For one call, from connecting to the last byte of the answer. Default 10 s.
    pub timeout: Duration,
}

impl WebhookConfig {
    /// The defaults, for this address.
    pub fn new(url: WebhookUrl) -> Self {
        Self { url, tls: None, retry: RetryConfig::default(), timeout: Duration::from_secs(10) }
    }
}

/// An `http` or `https` address without credentials or fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(reqwest::Url);

impl WebhookUrl {
    fn as_url(&self) -> &reqwest::Url {
        &self.0
    }

    /// Whether calling it needs TLS.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// Why a text is not a webhook's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookUrlError {
    /// Not an absolute `http` or `https` URL.
    #[error("not an http:// or https:// URL")]
    NotHttp,
    /// It has a user name, a password or a fragment.
    #[error("a webhook's URL has no user name, password or fragment")]
    TooMuch,
}

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: reqwest::Url = text.parse().map_err(|_| WebhookUrlError::NotHttp)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(WebhookUrlError::NotHttp);
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(WebhookUrlError::TooMuch);
        }
        Ok(Self(url))
    }
}

/// Scheme and host only: a path or a query may hold a secret.
impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}://{})", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_an_http_address_without_secrets_in_it() {
        for good in ["http://127.0.0.1:9000/hook", "https://bot.example/dmr?tenant=1", "http://bot"] {
            assert!(good.parse::<WebhookUrl>().is_ok(), "{good}");
        }
        for bad in ["", "/hook", "ftp://bot/x", "http://user@bot/", "http://:pw@bot/", "http://bot/#x", "mailto:a@b"] {
            assert!(bad.parse::<WebhookUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_neither_path_nor_query() {
        let url: WebhookUrl = "https://bot.example/canary?key=canary".parse().unwrap();
        assert_eq!(format!("{url:?}"), "WebhookUrl(https://bot.example)");
    }
}
