//! The cast of most tests: a server, the Police with its chatbot, and the Tax Authority.

use dmr_tests::agent::{Agent, AgentPlan, said};
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::Outcome;
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::server::{Server, ServerPlan};
use serde_json::{Value, json};

pub(crate) const TAX: &str = "tax-authority";
pub(crate) const POLICE: &str = "police";

/// Everyone, started and ready. The fields end in this order: agents before the server, files last.
pub(crate) struct Pair {
    pub(crate) tax: Agent,
    pub(crate) police: Agent,
    pub(crate) chatbot: Chatbot,
    pub(crate) server: Server,
    pub(crate) network: Network,
}

impl Pair {
    /// Everyone, with a chatbot that says what `reply` decides.
    pub(crate) async fn start(reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Outcome<Self> {
        let network = Network::new("demo", &[TAX, POLICE])?;
        let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
        let chatbot = Chatbot::start(reply).await?;
        let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
        let police = police.start(&network).await?;
        let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;
        Ok(Self { tax, police, chatbot, server, network })
    }

    /// Another participant, in the directory and known to everyone. An agent that came before that would be refused,
    /// and wait a long time before it tried again.
    pub(crate) async fn join(&self, name: &str) -> Outcome {
        self.network.keys_new(name, &[])?;
        self.network.add(&[name])?;
        until("the connected agents know the new participant", async || {
            Ok(self.tax.api.get("/v1/participants").await?.text.contains(name))
        })
        .await
    }

    /// A message from one to the other, with its receipt: proof that both are served.
    pub(crate) async fn exchange(&self, text: &str) -> Outcome {
        let id = self.tax.send_well(POLICE, text).await?;
        self.tax.api.message(&id, "delivered").await.map(drop)
    }
}

/// A chatbot that takes everything and answers nothing.
pub(crate) fn takes(_: &Value) -> Reply {
    Reply::Taken
}

/// A chatbot that answers with the words it was asked.
pub(crate) fn echoes(message: &Value) -> Reply {
    Reply::Answer(answer_saying(&format!("You said: {}", said(&message["payload"]))))
}

/// The payload of an answer.
pub(crate) fn answer_saying(text: &str) -> Value {
    let chat = "7c0f1c56-6f8c-4a0e-9d3c-5b1f2a3e4d5c";
    json!({
        "chat": { "id": chat, "created": "2026-11-21T09:29:58Z" },
        "messages": [{
            "id": "0b5a4c3d-2e1f-4a6b-8c7d-9e0f1a2b3c4d",
            "chatId": chat,
            "authorTimestamp": "2026-11-21T09:30:01Z",
            "authorRole": "chatbot",
            "content": text,
        }],
    })
}
