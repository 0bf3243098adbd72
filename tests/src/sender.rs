//! `dmr-agent send` as its own process: one message, one line of JSON.

use serde_json::Value;

use crate::failure::{Doing as _, Failure, Outcome};
use crate::network::Network;
use crate::process::{Ended, Process, run_with_input};
use crate::programs::dmr_agent;

/// How a message is sent: what is not set here has the program's default.
#[derive(Debug, Clone)]
pub struct Sender {
    args: Vec<String>,
}

/// What became of a message, as the program said.
#[derive(Debug)]
pub struct Sent {
    /// Exit code.
    pub code: Option<i32>,
    /// The line on the standard output; null when there is none.
    pub fate: Value,
    /// The standard error.
    pub stderr: String,
}

impl Sender {
    /// Sends as participant `name` to participant `to` over `server`.
    #[must_use]
    pub fn new(network: &Network, name: &str, server: impl Into<String>, to: &str) -> Self {
        let sender = Self { args: vec!["send".to_owned()] };
        sender
            .with("--keys", network.keys(name).to_string_lossy())
            .with("--root", network.root().to_string_lossy())
            .with("--network", network.name())
            .with("--server", server)
            .with("--to", to)
            .with("--log", "trace")
    }

    /// The same with another option.
    #[must_use]
    pub fn with(mut self, option: &str, value: impl Into<String>) -> Self {
        self.args.extend([option.to_owned(), value.into()]);
        self
    }

    /// The same with another flag.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.args.push(flag.to_owned());
        self
    }

    /// Sends what stands in `input`, and waits for the program's end. The caller's runtime goes on meanwhile.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be started, or prints more than a line.
    pub async fn send(&self, input: impl Into<Vec<u8>>) -> Outcome<Sent> {
        let (args, input) = (self.args.clone(), input.into());
        let ran = tokio::task::spawn_blocking(move || run_with_input(dmr_agent()?, &args, &input));
        let Ended { code, stdout, stderr } = ran.await.doing("running dmr-agent send")??;
        if stdout.lines().count() > 1 {
            return Err(Failure::new(format!("more than a line: {stdout}")));
        }
        let fate = serde_json::from_str(&stdout).unwrap_or(Value::Null);
        Ok(Sent { code, fate, stderr })
    }

    /// Starts it with what stands in `input`, and returns at once. What it prints goes to its log.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be started.
    pub fn launch(&self, network: &Network, input: &str) -> Outcome<Process> {
        let file = network.path("message.json");
        std::fs::write(&file, input).doing(file.display())?;
        Process::start_reading(dmr_agent()?, &self.args, &file, &network.path("send.log"))
    }
}
