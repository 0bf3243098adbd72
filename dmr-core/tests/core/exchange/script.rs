//! An exchange with a program on one side and a server on the other, both played by the test.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::content::{Reference, Verdict};
use dmr_core::envelope::Envelope;
use dmr_core::exchange::{
    Exchange, ExchangeConfig, ExchangeOutput, InHand, IncomingMessage, Limits, Note, SealedMessage,
};
use dmr_core::frame::{AgentFrame, Challenge, ChannelBinding, DeliveryTag, ServerFrame, Settlement, VERSION, Welcome};
use dmr_core::header::Kind;
use dmr_core::id::{InstanceId, MessageId, Nonce, SessionId, StoreId};
use dmr_core::session::{AgentSessionConfig, Transmit};
use dmr_core::time::{Now, Timestamp};

use super::stand_in::{StandIn, asker, office, says, seal};

/// What the exchange told, but for what it only notes.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In short words.
    pub(super) lines: Vec<String>,
    pub(super) deliveries: Vec<(IncomingMessage, InHand)>,
    pub(super) answers: Vec<(MessageId, IncomingMessage, InHand)>,
    pub(super) notes: Vec<Note>,
}

pub(super) struct Script {
    pub(super) now: Now,
    pub(super) exchange: Exchange<StandIn>,
    pub(super) told: Told,
    /// Frames that went out and nobody has looked at.
    pub(super) sent: Vec<AgentFrame>,
    tag: u64,
}

impl Script {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut ExchangeConfig)) -> Self {
        let now = Now { elapsed: Duration::ZERO, wall: Timestamp(1_800_000_000_000) };
        let instance = InstanceId::from_custom_bytes([9; 16]);
        let session = AgentSessionConfig::new("exchange".parse().unwrap(), office(), instance, vec![None], 42);
        let mut config = ExchangeConfig::new(session);
        change(&mut config);
        let exchange = Exchange::new(config, StandIn::new(), now);
        Self { now, exchange, told: Told::default(), sent: Vec::new(), tag: 0 }
    }

    /// Logged in.
    pub(super) fn ready() -> Self {
        let mut script = Self::new();
        script.log_in();
        script
    }

    pub(super) fn log_in(&mut self) {
        self.run();
        assert_eq!(self.told.lines.pop().as_deref(), Some("connect 0"));
        self.exchange.link_up(ChannelBinding::None, self.now);
        let challenge = Challenge {
            network: "exchange".parse().unwrap(),
            server: "relay".parse().unwrap(),
            version_min: VERSION,
            version_max: VERSION,
            max_envelope: 1 << 20,
            nonce: Nonce([1; 32]),
            binds_channel: false,
            server_key: None,
            directory_revision: 1,
        };
        self.server(ServerFrame::Challenge { challenge: challenge.encode().unwrap(), signature: Bytes::new() });
        assert!(matches!(self.sent.pop(), Some(AgentFrame::Authenticate { .. })), "a login");
        self.server(ServerFrame::Welcome(Welcome {
            session: SessionId::from_custom_bytes([1; 16]),
            store: StoreId::from_custom_bytes([1; 16]),
            credit: 64,
            heartbeat_ms: 10_000,
            max_envelope: 1 << 20,
        }));
        assert_eq!(self.told.lines.pop().as_deref(), Some("logged in"));
        self.sent.clear();
    }

    /// The server sends a frame.
    pub(super) fn server(&mut self, frame: ServerFrame) {
        self.exchange.receive(&frame.encode().unwrap(), self.now);
        self.run();
    }

    /// Time passes, and the exchange looks at it.
    pub(super) fn pass(&mut self, span: Duration) {
        self.now.elapsed += span;
        self.now.wall = self.now.wall.plus(span);
        self.exchange.handle_timeout(self.now);
        self.run();
    }

    /// Does all there is to do at this moment.
    pub(super) fn run(&mut self) {
        loop {
            while let Some(output) = self.exchange.poll_output() {
                self.tell(output);
            }
            match self.exchange.poll_transmit() {
                Some(Transmit::Frame(frame)) => self.sent.push(AgentFrame::decode(&frame).unwrap()),
                Some(Transmit::Close(reason)) => self.told.lines.push(format!("close {reason}")),
                None => break,
            }
        }
    }

    fn tell(&mut self, output: ExchangeOutput) {
        let line = match output {
            ExchangeOutput::Connect { server } => format!("connect {server}"),
            ExchangeOutput::LoggedIn { .. } => "logged in".to_owned(),
            ExchangeOutput::LoggedOut { reason, .. } => format!("logged out: {reason}"),
            ExchangeOutput::Published { outcome: Ok(_), .. } => "published".to_owned(),
            ExchangeOutput::Published { outcome: Err(error), .. } => format!("not published: {error}"),
            ExchangeOutput::AskFailed { reason, .. } => format!("ask failed: {reason}"),
            ExchangeOutput::AskEnded { .. } => "ask ended".to_owned(),
            ExchangeOutput::Stopped => "stopped".to_owned(),
            ExchangeOutput::Document { .. } => "document".to_owned(),
            ExchangeOutput::StatusChanged { .. } => return,
            ExchangeOutput::Note(note) => return self.told.notes.push(note),
            ExchangeOutput::Delivery { message, in_hand } => {
                return self.told.deliveries.push((*message, in_hand));
            }
            ExchangeOutput::Answer { question, message, in_hand } => {
                return self.told.answers.push((question, *message, in_hand));
            }
            other => format!("{other:?}"),
        };
        self.told.lines.push(line);
    }

    /// The server delivers a sealed message; returns the tag it is settled by.
    pub(super) fn deliver(&mut self, message: &SealedMessage) -> DeliveryTag {
        self.tag += 1;
        let tag = DeliveryTag(self.tag);
        self.server(ServerFrame::Deliver { tag, attempt: 1, envelope: message.envelope.clone() });
        tag
    }

    /// The server confirms what is not confirmed: of each frame that published something.
    pub(super) fn confirm_all(&mut self) {
        let ids: Vec<MessageId> = self.take_published().into_iter().map(|envelope| envelope.header().id).collect();
        if !ids.is_empty() {
            self.server(ServerFrame::Confirm { ids });
        }
    }

    /// The envelopes that went out since the last look.
    pub(super) fn take_published(&mut self) -> Vec<Envelope> {
        let published = self.sent.extract_if(.., |frame| matches!(frame, AgentFrame::Publish { .. }));
        let envelopes = published.filter_map(|frame| match frame {
            AgentFrame::Publish { envelope } => Some(Envelope::decode(envelope).unwrap()),
            _ => None,
        });
        envelopes.collect()
    }

    /// How a delivery was settled at the server, if it was.
    pub(super) fn settled(&self, wanted: DeliveryTag) -> Option<Settlement> {
        self.sent.iter().find_map(|frame| match frame {
            AgentFrame::Settle { tag, settlement } if *tag == wanted => Some(*settlement),
            _ => None,
        })
    }

    /// A question of the asker's.
    pub(super) fn question(&self, number: u64, text: &str) -> SealedMessage {
        seal(super::stand_in::id(number), Kind::QUESTION, asker(), office(), says(text, None), self.now.wall)
    }

    /// The asker's answer to a message of the office's.
    pub(super) fn answer_to(&self, number: u64, question: Reference) -> SealedMessage {
        let content = says("the answer", Some(question));
        seal(super::stand_in::id(number), Kind::ANSWER, asker(), office(), content, self.now.wall)
    }

    /// A message of the program's.
    pub(super) fn outgoing(&self, number: u64, text: &str) -> SealedMessage {
        seal(super::stand_in::id(number), Kind::QUESTION, office(), asker(), says(text, None), self.now.wall)
    }
}

/// Limits that a test can fill.
pub(super) fn few() -> Limits {
    Limits { outbox_messages: 2, asks: 1, ..Limits::default() }
}

/// What a published receipt says.
pub(super) fn verdict(envelope: &Envelope) -> Verdict {
    use dmr_core::content::{Content, Receipts};
    let receipts = match Content::decode(envelope.body()).unwrap() {
        Content::V1(content) => Receipts::decode(&content.body).ok(),
        _ => None,
    };
    receipts.unwrap()[0].verdict
}
