//! A test's end of a link: frames as the test says, with a deadline on everything it waits for.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::envelope::Envelope;
use dmr_core::frame::{
    AgentFrame, AuthFields, Challenge, ChannelBinding, DeliveryTag, ServerFrame, Settlement, Welcome,
};
use dmr_core::id::{InstanceId, MessageId, Nonce};
use dmr_core::reason::{CloseReason, RejectReason};
use dmr_crypto::{Keyring, prove_login};
use dmr_transport::{Link, LinkReceiver, LinkSender, Received};
use tokio::time::timeout;

use super::network::{Network, fresh_id};

/// Within this, whatever a test waits for has happened.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct TestAgent<L: Link> {
    pub(crate) sender: L::Sender,
    pub(crate) receiver: L::Receiver,
    pub(crate) binding: ChannelBinding,
}

/// The parts of a login, to be spoilt before they are sent.
pub(crate) struct LoginParts {
    pub(crate) challenge: Bytes,
    pub(crate) fields: AuthFields,
}

pub(crate) fn fresh_instance() -> InstanceId {
    InstanceId::from_custom_bytes(*fresh_id().as_bytes())
}

impl<L: Link> TestAgent<L> {
    pub(crate) fn new(link: L) -> Self {
        let binding = link.channel_binding();
        let (sender, receiver) = link.split();
        Self { sender, receiver, binding }
    }

    pub(crate) async fn send(&mut self, frame: &AgentFrame) {
        self.send_bytes(frame.encode().unwrap()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: Bytes) {
        timeout(DEADLINE, async {
            self.sender.ready().await.unwrap();
            self.sender.queue(bytes).unwrap();
            self.sender.flush().await.unwrap();
        })
        .await
        .expect("the server takes a frame in time");
    }

    pub(crate) async fn receive(&mut self) -> Received {
        timeout(DEADLINE, self.receiver.receive()).await.expect("the server says something in time").unwrap()
    }

    /// The next frame that is not a heartbeat.
    pub(crate) async fn frame(&mut self) -> ServerFrame {
        loop {
            match self.receive().await {
                Received::Frame(frame) => match ServerFrame::decode(&frame).unwrap() {
                    ServerFrame::Heartbeat => {}
                    frame => return frame,
                },
                Received::Closed(reason) => panic!("closed: {reason:?}"),
            }
        }
    }

    /// Reads on until the link is closed, and says why.
    pub(crate) async fn close_reason(&mut self) -> Option<CloseReason> {
        loop {
            match self.receive().await {
                Received::Frame(_) => {}
                Received::Closed(reason) => return reason,
            }
        }
    }

    pub(crate) async fn challenge(&mut self) -> Bytes {
        match self.frame().await {
            ServerFrame::Challenge { challenge, .. } => challenge,
            frame => panic!("{frame:?} in place of a challenge"),
        }
    }

    /// What an honest agent would log in with.
    pub(crate) async fn login_parts(&mut self, network: &Network, member: &Keyring) -> LoginParts {
        let challenge = self.challenge().await;
        let decoded = Challenge::decode(&challenge).unwrap();
        let fields = AuthFields {
            network: decoded.network,
            participant: member.participant(),
            key: member.any_login_key(super::network::now()).unwrap().id(),
            version: decoded.version_max,
            nonce: Nonce([7; 32]),
            instance: fresh_instance(),
            binding: self.binding,
            directory_revision: network.directory.revision(),
        };
        LoginParts { challenge, fields }
    }

    /// Sends the login, signed by this member.
    pub(crate) async fn authenticate(&mut self, parts: &LoginParts, signer: &Keyring) {
        let fields = parts.fields.encode().unwrap();
        let key = signer.any_login_key(super::network::now()).unwrap();
        let proof = prove_login(key, &parts.challenge, &fields);
        self.send(&AgentFrame::Authenticate { fields, proof: Bytes::copy_from_slice(&proof) }).await;
    }

    pub(crate) async fn log_in(&mut self, network: &Network, member: &str) -> Welcome {
        let parts = self.login_parts(network, network.keys(member)).await;
        self.log_in_with(&parts, network.keys(member)).await
    }

    pub(crate) async fn log_in_with(&mut self, parts: &LoginParts, signer: &Keyring) -> Welcome {
        self.authenticate(parts, signer).await;
        match self.frame().await {
            ServerFrame::Welcome(welcome) => welcome,
            frame => panic!("{frame:?} in place of a welcome"),
        }
    }

    pub(crate) async fn subscribe(&mut self, prefetch: u16) {
        self.send(&AgentFrame::Subscribe { prefetch }).await;
    }

    pub(crate) async fn publish(&mut self, envelope: &Envelope) {
        self.send(&AgentFrame::Publish { envelope: envelope.bytes().clone() }).await;
    }

    /// Publishes and waits for the confirm.
    pub(crate) async fn publish_confirmed(&mut self, envelope: &Envelope) {
        self.publish(envelope).await;
        self.expect_confirm(envelope.header().id).await;
    }

    pub(crate) async fn expect_confirm(&mut self, id: MessageId) {
        match self.frame().await {
            ServerFrame::Confirm { ids } => assert_eq!(ids, [id]),
            frame => panic!("{frame:?} in place of a confirm"),
        }
    }

    /// Publishes and waits for the reject.
    pub(crate) async fn publish_rejected(&mut self, envelope: &Envelope) -> (RejectReason, u32) {
        self.publish(envelope).await;
        match self.frame().await {
            ServerFrame::Reject { id, reason, retry_after_ms, .. } => {
                assert_eq!(id, envelope.header().id);
                (reason, retry_after_ms)
            }
            frame => panic!("{frame:?} in place of a reject"),
        }
    }

    pub(crate) async fn delivery(&mut self) -> (DeliveryTag, u32, Bytes) {
        match self.frame().await {
            ServerFrame::Deliver { tag, attempt, envelope } => (tag, attempt, envelope),
            frame => panic!("{frame:?} in place of a delivery"),
        }
    }

    pub(crate) async fn settle(&mut self, tag: DeliveryTag, settlement: Settlement) {
        self.send(&AgentFrame::Settle { tag, settlement }).await;
    }

    /// Takes the next delivery, which must be this envelope, and acks it.
    pub(crate) async fn take(&mut self, envelope: &Envelope) {
        let (tag, _, delivered) = self.delivery().await;
        assert_eq!(&delivered, envelope.bytes());
        self.settle(tag, Settlement::Ack).await;
    }
}
