//! What the load program can be told.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use dmr_transport::service::units;

use super::stamp::Stamp;

/// Sends messages through a server as fast as the in-flight window allows, and prints one line of JSON: throughput,
/// latencies, what was lost or came twice, and what each process cost.
///
/// Without --server it builds and starts a dmr-server of its own, with fresh keys. Latencies are in milliseconds.
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
    /// How long to send
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Whether recipients sign receipts; a message is in flight until its receipt, or else until its confirm
    #[arg(long, value_enum, default_value_t = Receipts::On)]
    pub receipts: Receipts,
    /// A server that runs already, with --root and --keys of participants in its directory
    #[arg(long, value_name = "URL", requires_all = ["root", "keys"], conflicts_with = "idle")]
    pub server: Option<String>,
    /// Root keys of the given server's network (root.pub)
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
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
}

fn size(text: &str) -> Result<u64, String> {
    let size = units::size(text).map_err(|error| error.to_string())?;
    let range = Stamp::LEN as u64..=1_000_000;
    if range.contains(&size) { Ok(size) } else { Err(format!("between {} and {} bytes", range.start(), range.end())) }
}
