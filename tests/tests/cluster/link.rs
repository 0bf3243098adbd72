//! A link driven by hand: logged in like an agent's, as an instance that the drill chooses.

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, AuthFields, ServerFrame, VERSION};
use dmr_core::id::{InstanceId, Nonce};
use dmr_core::reason::CloseReason;
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, RootPin, VerifiedDirectory, prove_login};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::PATIENCE;
use dmr_transport::websocket::{DialerConfig, WebSocketDialer, WebSocketLink};
use dmr_transport::{Link, LinkReceiver as _, LinkSender as _, Received};
use tokio::time::timeout;

/// An open link that is logged in. Dropping it closes it.
pub(crate) struct BareLink {
    sender: <WebSocketLink as Link>::Sender,
    receiver: <WebSocketLink as Link>::Receiver,
}

impl BareLink {
    /// Logs in at this server as this instance of a participant.
    pub(crate) async fn log_in(network: &Network, name: &str, url: &str, instance: InstanceId) -> Outcome<Self> {
        let read = |path: std::path::PathBuf| std::fs::read(&path).doing(path.display());
        let wall = wall()?;
        let pin = RootPin::from_json(&read(network.root())?).doing("the root keys")?;
        let directory = VerifiedDirectory::verify(&read(network.bundle())?, &pin, wall).doing("the directory")?;
        let keyring = Keyring::from_key_file(&read(network.keys(name))?).doing("the keys")?;
        let key = keyring.login_key(&directory, wall).doing("a login key")?;
        let dialer = WebSocketDialer::new(DialerConfig::default());
        let link = dialer.dial(&url.parse().doing(url)?).await.doing("opening a link")?;
        let binding = link.channel_binding();
        let (sender, receiver) = link.split();
        let mut link = Self { sender, receiver };
        let ServerFrame::Challenge { challenge, .. } = link.next().await? else {
            return Err(Failure::new("the server does not begin with a challenge"));
        };
        let fields = AuthFields {
            network: directory.network().clone(),
            participant: keyring.participant(),
            key: key.id(),
            version: VERSION,
            // The server's own is fresh; this one need not be for a test.
            nonce: Nonce([7; 32]),
            instance,
            binding,
            directory_revision: directory.revision(),
        };
        let fields = fields.encode().doing("the login")?;
        let proof = Bytes::copy_from_slice(&prove_login(key, &challenge, &fields));
        link.put(&AgentFrame::Authenticate { fields, proof }).await?;
        match link.next().await? {
            ServerFrame::Welcome(_) => Ok(link),
            other => Err(Failure::new(format!("the server answers the login with {}", other.name()))),
        }
    }

    /// Sends one frame.
    pub(crate) async fn put(&mut self, frame: &AgentFrame) -> Outcome {
        self.sender.ready().await.doing("waiting for room")?;
        self.sender.queue(frame.encode().doing("a frame")?).doing("queueing a frame")?;
        self.sender.flush().await.doing("sending a frame")
    }

    /// The next frame of the server's.
    pub(crate) async fn next(&mut self) -> Outcome<ServerFrame> {
        match self.receive().await? {
            Received::Frame(frame) => ServerFrame::decode_shared(&frame).doing("the server's frame"),
            Received::Closed(reason) => Err(Failure::new(format!("the server closed the link: {reason:?}"))),
        }
    }

    /// Waits for a delivery, which it then has and never settles.
    pub(crate) async fn holds_a_delivery(&mut self) -> Outcome {
        while !matches!(self.next().await?, ServerFrame::Deliver { .. }) {}
        Ok(())
    }

    /// Takes everything that comes until the server closes the link, and returns why it did.
    pub(crate) async fn closed(&mut self) -> Outcome<Option<CloseReason>> {
        loop {
            if let Received::Closed(reason) = self.receive().await? {
                return Ok(reason);
            }
        }
    }

    async fn receive(&mut self) -> Outcome<Received> {
        timeout(PATIENCE, self.receiver.receive()).await.doing("waiting for the server")?.doing("the link")
    }
}

fn wall() -> Outcome<Timestamp> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).doing("the time")?;
    Ok(Timestamp(u64::try_from(now.as_millis()).doing("the time")?))
}
