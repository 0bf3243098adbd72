//! An agent as its own process.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::failure::{Failure, Outcome};
use crate::network::Network;
use crate::port::free_address;
use crate::process::Process;
use crate::programs::dmr_agent;

/// How an agent is started: what is not set here has the program's default.
#[derive(Debug, Clone)]
pub struct AgentPlan {
    name: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    listen: SocketAddr,
}

/// A running agent. Dropping it kills it.
#[derive(Debug)]
pub struct Agent {
    /// The process.
    pub process: Process,
    /// Calls its local HTTP API.
    pub api: Caller,
}

impl AgentPlan {
    /// The agent of participant `name`, at a free port of loopback, connecting to `server`.
    ///
    /// # Errors
    /// [`Failure`] when there is no free port.
    pub fn new(network: &Network, name: &str, server: impl Into<String>) -> Outcome<Self> {
        let listen = free_address()?;
        let plan = Self { name: name.to_owned(), args: vec!["run".to_owned()], env: Vec::new(), listen };
        Ok(plan
            .with("--keys", network.keys(name).to_string_lossy())
            .with("--root", network.root().to_string_lossy())
            .with("--network", network.name())
            .with("--server", server)
            .with("--listen", listen.to_string())
            .with("--log", "trace"))
    }

    /// The same with another option.
    #[must_use]
    pub fn with(mut self, option: &str, value: impl Into<String>) -> Self {
        // The last one counts, so that a test can change what was set before.
        if let Some(place) = self.args.iter().position(|arg| arg == option) {
            self.args.drain(place..place + 2);
        }
        self.args.extend([option.to_owned(), value.into()]);
        self
    }

    /// The same with another flag.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.args.push(flag.to_owned());
        self
    }

    /// The same with a variable in its environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The same with this webhook.
    #[must_use]
    pub fn deliver_to(self, url: impl Into<String>) -> Self {
        self.with("--deliver-to", url)
    }

    /// The arguments, of which the first is `run`.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// [`Failure`] with its last lines when it does not become ready.
    pub async fn start(&self, network: &Network) -> Outcome<Agent> {
        let agent = self.launch(network)?;
        agent.ready().await?;
        Ok(agent)
    }

    /// Starts it and returns at once, for one that is not expected to become ready.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be started.
    pub fn launch(&self, network: &Network) -> Outcome<Agent> {
        let log = network.path(&format!("{}.log", self.name));
        let process = Process::start(dmr_agent()?, &self.args, &self.env, &log)?;
        let api = Caller::new(format!("http://{}", self.listen))?;
        Ok(Agent { process, api })
    }
}

impl Agent {
    /// Waits until it is ready.
    ///
    /// # Errors
    /// [`Failure`] with its last lines when it does not become ready.
    pub async fn ready(&self) -> Outcome {
        let failed = |failure| Failure::new(format!("{failure}\n{}", self.process.last_lines(20)));
        self.api.ready().await.map_err(failed)
    }

    /// Posts a question of the type `ChatMessage` whose one message says `text`.
    ///
    /// # Errors
    /// [`Failure`] when the call is not answered. A refusal is an answer.
    pub async fn send(&self, recipient: &str, text: &str) -> Outcome<Answer> {
        self.api.post("/v1/messages", &chat_message(recipient, text)).await
    }

    /// Posts a question, and returns its id once it was accepted.
    ///
    /// # Errors
    /// [`Failure`] with the answer when it is not 202.
    pub async fn send_well(&self, recipient: &str, text: &str) -> Outcome<String> {
        let answer = self.send(recipient, text).await?;
        match (answer.status, answer.json()["id"].as_str()) {
            (202, Some(id)) => Ok(id.to_owned()),
            (status, _) => Err(Failure::new(format!("not accepted: {status} {}", answer.text))),
        }
    }

    /// Asks a question and waits for its answer, at most so many seconds.
    ///
    /// # Errors
    /// [`Failure`] when the call is not answered.
    pub async fn ask(&self, recipient: &str, text: &str, seconds: u32) -> Outcome<Answer> {
        self.api.post(&format!("/v1/questions?timeout={seconds}"), &chat_message(recipient, text)).await
    }
}

/// The body of `POST /v1/messages` for a question to `recipient` whose one message says `text`.
pub fn chat_message(recipient: &str, text: &str) -> Value {
    let chat = "7c0f1c56-6f8c-4a0e-9d3c-5b1f2a3e4d5c";
    json!({
        "recipientId": recipient,
        "timestamp": "2026-11-21T09:30:00.250Z",
        "type": "ChatMessage",
        "payload": {
            "chat": { "id": chat, "created": "2026-11-21T09:29:58Z", "endUserFirstName": "Mari" },
            "messages": [{
                "id": "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
                "chatId": chat,
                "authorTimestamp": "2026-11-21T09:30:00Z",
                "authorRole": "end-user",
                "content": text,
            }],
        },
    })
}

/// What the first message of a chat says.
pub fn said(payload: &Value) -> &str {
    payload["messages"][0]["content"].as_str().unwrap_or_default()
}
