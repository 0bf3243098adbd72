//! What the load program can be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use dmr_transport::service::units;

use super::budget::Budget;
use super::stamp::Stamp;

/// Sends messages through a server as fast as the in-flight window allows, and prints one line of JSON: throughput,
/// latencies, what was lost or came twice, and what each process cost.
///
/// Without --server it builds and starts a dmr-server of its own, with fresh keys. Latencies are in milliseconds.
///
/// With --baseline the same run also measures the broker by itself, and the report holds both sides and their ratios:
/// lapin, a quorum queue, persistent messages of the size of DMR's envelopes, confirms, acknowledgements one by one.
///
/// With --relay, envelopes are sealed before the clock starts, sent over bare links and settled unopened: the figures are
/// the server's. Some thousand envelopes go round and round; the server verifies each one's signature every time.
/// Throughput then counts until the last message is settled, as it does for the baseline.
#[derive(Debug, Clone, Parser)]
#[command(name = "load")]
pub struct Options {
    /// Sending agents; each has a recipient of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub agents: u32,
    /// Messages that each sender keeps in flight
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub in_flight: u32,
    /// Size of a message before sealing, such as 1KiB
    #[arg(long, value_name = "SIZE", default_value = "1KiB", value_parser = size)]
    pub size: u64,
    /// How long to send, in each round
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// How many to send in each round, by all senders together, instead of --seconds
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub messages: Option<u64>,
    /// Rounds, each with its warm-up; with --baseline in turns. The report has their medians; what failed is summed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Send ready-sealed envelopes over bare links, and settle them unopened, without receipts
    #[arg(long, conflicts_with = "idle")]
    pub relay: bool,
    /// What the server that is started keeps messages in, as for dmr-server; several times for several addresses of one
    /// broker. Its mailboxes stay there
    #[arg(long, value_name = "URL", conflicts_with = "idle")]
    pub broker: Vec<String>,
    /// Also measure the broker by itself: the first --broker, which must be amqp://
    #[arg(long, requires = "broker", conflicts_with = "idle")]
    pub baseline: bool,
    /// Process id of the broker, if it runs on this machine: for its memory and CPU time
    #[arg(long, value_name = "PID")]
    pub broker_process: Option<u32>,
    /// Whether recipients sign receipts; a message is in flight until its receipt, or else until its confirm
    #[arg(long, value_enum, default_value_t = Receipts::On)]
    pub receipts: Receipts,
    /// A server that runs already, with --root and --keys of participants in its directory
    #[arg(long, value_name = "URL", requires_all = ["root", "keys"], conflicts_with = "idle")]
    pub server: Option<String>,
    /// Root keys of the given server's network (root.pub)
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// Signed directory of the given server's network (directory.jws): for --relay and --baseline
    #[arg(long, value_name = "FILE")]
    pub directory: Option<PathBuf>,
    /// Secret key files: the first half send, the second half receive
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub keys: Vec<PathBuf>,
    /// Process id of the given server, if it runs on this machine: for its memory and CPU time
    #[arg(long, value_name = "PID")]
    pub server_process: Option<u32>,
    /// Instead: open so many links that do nothing, over ws and over wss, and print what each costs the server
    #[arg(long, value_name = "LINKS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub idle: Option<u32>,
    /// This process holds the recipients and is told what to do by the one that started it.
    #[arg(long, hide = true)]
    pub as_recipients: bool,
    /// What arrives at the recipients of a relay is written there.
    #[arg(long, hide = true)]
    pub journal: Option<PathBuf>,
    /// This process holds the consumer of this queue.
    #[arg(long, hide = true)]
    pub baseline_queue: Option<String>,
}

/// Whether receipts are sent and awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Receipts {
    /// As in operation.
    On,
    /// For comparison only.
    Off,
}

impl Receipts {
    /// As it is given on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

impl Options {
    /// Bytes of a message before sealing.
    pub fn message_len(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// Messages that all senders together keep in flight.
    pub fn total_in_flight(&self) -> u32 {
        self.agents * self.in_flight
    }

    /// How much one round sends.
    pub fn budget(&self) -> Budget {
        self.messages.map_or_else(|| Budget::lasting(Duration::from_secs(self.seconds)), Budget::of)
    }

    /// The broker as the report names it, without user and password. `None`: that of a given server is not known.
    pub fn broker_name(&self) -> Option<String> {
        let names: Vec<_> = self.broker.iter().map(|url| without_user(url)).collect();
        (!names.is_empty()).then(|| names.join(" "))
    }

    /// What does not go together and clap cannot say.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.baseline && !self.broker.first().is_some_and(|url| url.starts_with("amqp://")) {
            return Err("--baseline needs --broker amqp://…".to_owned());
        }
        if (self.baseline || self.relay) && self.server.is_some() && self.directory.is_none() {
            return Err("--relay and --baseline need --directory with --server".to_owned());
        }
        Ok(())
    }
}

/// The URL without what it says in front of the host.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rfind('@').and_then(|at| rest.get(at + 1..)).unwrap_or(rest);
    format!("{scheme}://{host}")
}

fn size(text: &str) -> Result<u64, String> {
    let size = units::size(text).map_err(|error| error.to_string())?;
    let range = Stamp::LEN as u64..=1_000_000;
    if range.contains(&size) { Ok(size) } else { Err(format!("between {} and {} bytes", range.start(), range.end())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Options {
        Options::try_parse_from(["load"].iter().chain(args)).unwrap()
    }

    #[test]
    fn a_broker_is_named_without_its_password() {
        assert_eq!(without_user("amqp://guest:se:cr@et@host:5672/%2f"), "amqp://host:5672/%2f");
        assert_eq!(without_user("amqp://host/vhost@home"), "amqp://host/vhost@home");
        assert_eq!(without_user("memory"), "memory");
        assert_eq!(options(&[]).broker_name(), None);
        let two = options(&["--broker", "amqp://a:b@one", "--broker", "amqp://two"]);
        assert_eq!(two.broker_name().as_deref(), Some("amqp://one amqp://two"));
    }

    #[test]
    fn a_baseline_needs_a_broker_that_speaks_amqp() {
        assert!(Options::try_parse_from(["load", "--baseline"]).is_err());
        assert!(options(&["--baseline", "--broker", "memory"]).check().is_err());
        assert_eq!(options(&["--baseline", "--broker", "amqp://localhost"]).check(), Ok(()));
    }

    #[test]
    fn seconds_and_messages_exclude_each_other() {
        assert!(Options::try_parse_from(["load", "--seconds", "1", "--messages", "1"]).is_err());
        let budget = options(&["--messages", "1"]).budget();
        assert_eq!([budget.take(), budget.take()], [true, false]);
    }
}
