//! The options of `run` and `check`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use dmr_core::retry::RetryConfig;
use dmr_transport::service::{state_file, units};
use dmr_transport::tls::{self, Roots};

use super::Failure;
use super::link_settings::LinkSettings;
use crate::api::BearerToken;
use crate::service::ServiceConfig;
use crate::webhook::{LONGEST_WAIT, WebhookConfig, WebhookUrl};

/// Time for all calls of the webhook for one message: less than servers wait for a settlement.
const LONGEST_DELIVERY: Duration = Duration::from_secs(9 * 60);
/// Longest token file, in bytes.
const TOKEN_FILE: usize = 4 << 10;

/// The options of `run` and `check`.
#[derive(Debug, Args)]
pub(crate) struct RunSettings {
    #[command(flatten)]
    pub(crate) link: LinkSettings,
    /// Where the local HTTP API is served; an address that is not loopback needs --token-file
    #[arg(long, value_name = "ADDRESS", env = "DMR_LISTEN", default_value = "127.0.0.1:8077")]
    listen: SocketAddr,
    /// Bearer token that callers of the HTTP API must show: the first line of this file, readable by its owner alone
    #[arg(long, value_name = "FILE", env = "DMR_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Webhook that is told every message and may answer questions. Without it nothing unsolicited is acknowledged
    #[arg(long, value_name = "URL", env = "DMR_DELIVER_TO")]
    deliver_to: Option<WebhookUrl>,
    /// Roots that an https webhook's certificate must chain to, PEM [default: the system's]
    #[arg(long, value_name = "FILE", env = "DMR_DELIVER_CA")]
    deliver_ca: Option<PathBuf>,
    /// Calls of the webhook for one message, before it is refused and its sender told
    #[arg(long, value_name = "N", env = "DMR_DELIVER_ATTEMPTS", default_value_t = RetryConfig::default().attempts)]
    deliver_attempts: u32,
    /// Time for one call of the webhook, the answer's body included
    #[arg(long, value_name = "TIME", env = "DMR_DELIVER_TIMEOUT", default_value = "10s", value_parser = units::duration)]
    deliver_timeout: Duration,
    /// Messages that may be at the webhook at once. 1 keeps their order
    #[arg(long, value_name = "N", env = "DMR_PREFETCH", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    prefetch: u16,
    /// For measuring loads only: send and expect no receipts. Every agent must be set alike
    #[arg(long, env = "DMR_NO_RECEIPTS", hide = true)]
    no_receipts: bool,
}

impl RunSettings {
    /// Reads and checks everything the settings name.
    ///
    /// # Errors
    /// [`Failure`], saying what to change.
    pub(crate) fn config(&self) -> Result<ServiceConfig, Failure> {
        self.check_delivery()?;
        let mut agent = self.link.config()?;
        agent.prefetch = Some(self.prefetch);
        agent.receipts = !self.no_receipts;
        let mut config = ServiceConfig::new(agent);
        config.listen = self.listen;
        config.token = self.token_file.as_deref().map(read_token).transpose()?;
        config.webhook = self.webhook()?;
        config.check()?;
        Ok(config)
    }

    /// All attempts for one message must be over before the server takes it for forgotten, after ten minutes.
    fn check_delivery(&self) -> Result<(), Failure> {
        let waits = LONGEST_WAIT.saturating_mul(self.deliver_attempts.saturating_sub(1));
        let calls = self.deliver_timeout.saturating_mul(self.deliver_attempts);
        if self.deliver_attempts == 0
            || self.deliver_timeout.is_zero()
            || calls.saturating_add(waits) > LONGEST_DELIVERY
        {
            return Err(Failure::Settings(
                "--deliver-attempts and --deliver-timeout: at least one attempt, and all of them, with up to a minute between \
                 two, must be over in nine minutes"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    fn webhook(&self) -> Result<Option<WebhookConfig>, Failure> {
        let Some(url) = self.deliver_to.clone() else { return Ok(None) };
        let roots = match &self.deliver_ca {
            Some(file) => Some(Roots::File(file.clone())),
            None => url.is_secure().then_some(Roots::System),
        };
        Ok(Some(WebhookConfig {
            url,
            tls: roots.map(|roots| tls::client_config(&roots)).transpose()?,
            retry: RetryConfig { attempts: self.deliver_attempts, ..RetryConfig::default() },
            timeout: self.deliver_timeout,
        }))
    }
}

fn read_token(file: &Path) -> Result<BearerToken, Failure> {
    let bytes = state_file::read_secret(file, TOKEN_FILE)?;
    BearerToken::from_file(&bytes).ok_or_else(|| {
        Failure::Settings(format!("{}: a token is one line of at least 16 visible ASCII characters", file.display()))
    })
}
