//! A link driven by hand: logged in like an agent's, and nothing else on it.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, AuthFields, ServerFrame, VERSION, Welcome};
use dmr_core::id::{InstanceId, Nonce};
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, RootPin, VerifiedDirectory, prove_login};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_transport::websocket::{DialerConfig, ServerAddress, WebSocketDialer, WebSocketLink};
use dmr_transport::{Link, LinkReceiver, LinkSender, Received};

use super::party::read;
use super::stamp::now;

/// What every link to one server has in common: where it is, and the directory to log in under.
#[derive(Debug)]
pub struct Entrance {
    dialer: WebSocketDialer,
    address: ServerAddress,
    directory: VerifiedDirectory,
}

/// An open link that is logged in. Dropping it closes it.
#[derive(Debug)]
pub struct BareLink {
    sender: <WebSocketLink as Link>::Sender,
    receiver: <WebSocketLink as Link>::Receiver,
    welcome: Welcome,
}

impl Entrance {
    /// The entrance at this URL, with the directory in these files.
    ///
    /// # Errors
    /// [`Failure`] when the directory does not hold under the root keys.
    pub fn new(url: &str, root: &Path, bundle: &Path, dialer: DialerConfig) -> Outcome<Self> {
        let pin = RootPin::from_json(&read(root)?).doing("the root keys")?;
        let directory = VerifiedDirectory::verify(&read(bundle)?, &pin, wall()).doing("the directory")?;
        Ok(Self { dialer: WebSocketDialer::new(dialer), address: url.parse().doing(url)?, directory })
    }

    /// The directory.
    pub fn directory(&self) -> &VerifiedDirectory {
        &self.directory
    }

    /// Opens a link and logs in, like an agent that has the directory already.
    ///
    /// # Errors
    /// [`Failure`] when the server cannot be reached or refuses.
    pub async fn log_in(&self, keyring: &Keyring) -> Outcome<BareLink> {
        let key = keyring.login_key(&self.directory, wall()).doing("a login key")?;
        let link = self.dialer.dial(&self.address).await.doing("opening a link")?;
        let binding = link.channel_binding();
        let (mut sender, mut receiver) = link.split();
        let ServerFrame::Challenge { challenge, .. } = next(&mut receiver).await? else {
            return Err(Failure::new("the server does not begin with a challenge"));
        };
        let (mut nonce, mut instance) = ([0; 32], [0; 16]);
        getrandom::fill(&mut nonce).and_then(|()| getrandom::fill(&mut instance)).doing("randomness for a login")?;
        let fields = AuthFields {
            network: self.directory.network().clone(),
            participant: keyring.participant(),
            key: key.id(),
            version: VERSION,
            nonce: Nonce(nonce),
            instance: InstanceId::from_random_bytes(instance),
            binding,
            directory_revision: self.directory.revision(),
        };
        let fields = fields.encode().doing("the login")?;
        let proof = Bytes::copy_from_slice(&prove_login(key, &challenge, &fields));
        let login = AgentFrame::Authenticate { fields, proof }.encode().doing("the login")?;
        queue(&mut sender, login).await?;
        sender.flush().await.doing("sending the login")?;
        match next(&mut receiver).await? {
            ServerFrame::Welcome(welcome) => Ok(BareLink { sender, receiver, welcome }),
            other => Err(Failure::new(format!("the server answers the login with {}", other.name()))),
        }
    }
}

impl BareLink {
    /// Publishes that the server lets be unconfirmed at once.
    pub fn credit(&self) -> u16 {
        self.welcome.credit
    }

    /// How often this side has to say something.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(u64::from(self.welcome.heartbeat_ms) / 3).max(Duration::from_millis(1))
    }

    /// The next frame of the server's. Dropped before it is ready, it loses nothing.
    ///
    /// # Errors
    /// [`Failure`] when the link is over.
    pub async fn next(&mut self) -> Outcome<ServerFrame> {
        next(&mut self.receiver).await
    }

    /// Queues an encoded frame. It is on its way after [`flush`](Self::flush), or when enough has gathered.
    ///
    /// # Errors
    /// [`Failure`] when the link is over.
    pub async fn queue(&mut self, frame: Bytes) -> Outcome {
        queue(&mut self.sender, frame).await
    }

    /// Waits until everything queued is on its way.
    ///
    /// # Errors
    /// [`Failure`] when the link is over.
    pub async fn flush(&mut self) -> Outcome {
        self.sender.flush().await.doing("sending a frame")
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// [`Failure`] when the link is over.
    pub async fn put(&mut self, frame: &AgentFrame) -> Outcome {
        self.queue(frame.encode().doing("a frame")?).await?;
        self.flush().await
    }
}

async fn next(receiver: &mut impl LinkReceiver) -> Outcome<ServerFrame> {
    match receiver.receive().await.doing("waiting for the server")? {
        Received::Frame(frame) => ServerFrame::decode_shared(&frame).doing("the server's frame"),
        Received::Closed(reason) => Err(Failure::new(format!("the server closed the link: {reason:?}"))),
    }
}

async fn queue(sender: &mut impl LinkSender, frame: Bytes) -> Outcome {
    sender.ready().await.doing("waiting for room")?;
    sender.queue(frame).doing("queueing a frame")
}

/// Now, as envelopes and directories count time.
pub fn wall() -> Timestamp {
    Timestamp(now() / 1_000_000)
}
