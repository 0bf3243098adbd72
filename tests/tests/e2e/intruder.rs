//! Somebody with a participant's keys and a program of their own: says on a link whatever the test wants.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, AuthFields, Challenge, ServerFrame, VERSION};
use dmr_core::id::{InstanceId, Nonce};
use dmr_core::reason::CloseReason;
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, prove_login};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::network::Network;
use dmr_transport::websocket::{DialerConfig, WebSocketDialer, WebSocketLink};
use dmr_transport::{Link, LinkReceiver as _, LinkSender as _, Received};

/// What any answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A link without a session behind it.
pub(crate) struct Intruder {
    sender: <WebSocketLink as Link>::Sender,
    receiver: <WebSocketLink as Link>::Receiver,
}

impl Intruder {
    /// Opens a link and does nothing more.
    pub(crate) async fn dial(url: &str) -> Outcome<Self> {
        let dialer = WebSocketDialer::new(DialerConfig::default());
        let link = dialer.dial(&url.parse().doing(url)?).await.doing(url)?;
        let (sender, receiver) = link.split();
        Ok(Self { sender, receiver })
    }

    /// Opens a link and logs in as `name`, with its real keys.
    pub(crate) async fn log_in(network: &Network, name: &str, url: &str) -> Outcome<Self> {
        let mut link = Self::dial(url).await?;
        let (_, challenge) = link.challenge().await?;
        let (fields, proof) = login(network, name, &challenge)?;
        link.send(&AgentFrame::Authenticate { fields, proof }).await?;
        match link.receive().await? {
            ServerFrame::Welcome(_) => Ok(link),
            other => Err(Failure::new(format!("no welcome: {other:?}"))),
        }
    }

    /// The server's challenge, decoded and as it came.
    pub(crate) async fn challenge(&mut self) -> Outcome<(Challenge, Bytes)> {
        match self.receive().await? {
            ServerFrame::Challenge { challenge, .. } => {
                Ok((Challenge::decode(&challenge).doing("a challenge")?, challenge))
            }
            other => Err(Failure::new(format!("no challenge: {other:?}"))),
        }
    }

    pub(crate) async fn send(&mut self, frame: &AgentFrame) -> Outcome {
        self.send_bytes(frame.encode().doing("a frame")?).await
    }

    pub(crate) async fn send_bytes(&mut self, bytes: Bytes) -> Outcome {
        self.sender.ready().await.doing("a link to send on")?;
        self.sender.queue(bytes).doing("sending")?;
        self.sender.flush().await.doing("sending")
    }

    /// The next frame that is no heartbeat and no part of a directory.
    pub(crate) async fn receive(&mut self) -> Outcome<ServerFrame> {
        loop {
            match self.next().await? {
                Received::Frame(bytes) => match ServerFrame::decode(&bytes).doing("a frame")? {
                    ServerFrame::Heartbeat | ServerFrame::Directory { .. } => {}
                    frame => return Ok(frame),
                },
                Received::Closed(reason) => return Err(Failure::new(format!("the link was closed: {reason:?}"))),
            }
        }
    }

    /// Why the server closes the link, whatever it says before.
    pub(crate) async fn closed(&mut self) -> Outcome<Option<CloseReason>> {
        loop {
            if let Received::Closed(reason) = self.next().await? {
                return Ok(reason);
            }
        }
    }

    async fn next(&mut self) -> Outcome<Received> {
        let received = tokio::time::timeout(LIMIT, self.receiver.receive()).await.doing("waiting for the server")?;
        received.doing("receiving")
    }
}

/// A login as `name`, with its real keys, for this challenge.
pub(crate) fn login(network: &Network, name: &str, challenge: &Bytes) -> Outcome<(Bytes, Bytes)> {
    let keys = std::fs::read(network.keys(name)).doing("a key file")?;
    let keyring = Keyring::from_key_file(&keys).doing("a key file")?;
    let key = keyring.any_login_key(now()?).doing("a login key")?;
    let fields = AuthFields {
        network: network.name().parse().doing("a network's name")?,
        participant: keyring.participant(),
        key: key.id(),
        version: VERSION,
        nonce: Nonce([7; 32]),
        instance: InstanceId::from_random_bytes([9; 16]),
        binding: dmr_core::frame::ChannelBinding::None,
        directory_revision: u64::MAX,
    };
    let fields = fields.encode().doing("login fields")?;
    let proof = prove_login(key, challenge, &fields);
    Ok((fields, Bytes::copy_from_slice(&proof)))
}

fn now() -> Outcome<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).doing("the clock")?;
    Ok(Timestamp(u64::try_from(since.as_millis()).doing("the clock")?))
}
