//! A relay in the test's own process: real server sessions over a broker in memory, with faults at hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dmr_agent::Dialer;
use dmr_core::envelope::Envelope;
use dmr_core::frame::RecipientResult;
use dmr_core::id::{Name, Nonce, ParticipantId, SessionId, StoreId};
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_core::session::{Disposed, Login, Refusal, ServerOutput, ServerSession, ServerSessionConfig, Ticket, Transmit};
use dmr_core::time::Now;
use dmr_crypto::{VerifiedDirectory, check_recipients, verify_envelope, verify_login};
use dmr_transport::memory::{MemoryBroker, MemoryLink, MemorySubscription, QueueLimits};
use dmr_transport::{
    Broker, Disposition, Link, LinkError, LinkReceiver, LinkSender, Publication, PublishError, Received, Subscription,
    Tag,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use crate::network::{name, now};

/// A relay. Clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct Relay {
    shared: Arc<Shared>,
}

struct Shared {
    directory: watch::Sender<VerifiedDirectory>,
    broker: Mutex<MemoryBroker>,
    /// Links end when this changes; none open while it is odd.
    era: watch::Sender<u32>,
    /// What each publish of the next ones is refused with.
    refusals: Mutex<Vec<RejectReason>>,
    /// Every envelope that was published, in order.
    published: Mutex<Vec<Envelope>>,
    /// Every settlement, in order, and whose.
    settled: Mutex<Vec<(ParticipantId, Disposition)>>,
    /// Publishes that a link may have unconfirmed.
    credit: Mutex<u16>,
    /// Directories go out as if they were newer than they are.
    lie: Mutex<bool>,
}

impl Relay {
    pub(crate) fn new(directory: VerifiedDirectory) -> Self {
        let shared = Shared {
            directory: watch::Sender::new(directory),
            broker: Mutex::new(broker()),
            era: watch::Sender::new(0),
            refusals: Mutex::default(),
            published: Mutex::default(),
            settled: Mutex::default(),
            credit: Mutex::new(64),
            lie: Mutex::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn dialer(&self) -> RelayDialer {
        RelayDialer { relay: self.clone() }
    }

    /// Cuts every link; agents come back.
    pub(crate) fn cut_links(&self) {
        self.shared.era.send_modify(|era| *era += 2);
    }

    /// Cuts every link, and opens none until [`Relay::come_up`].
    pub(crate) fn go_down(&self) {
        self.shared.era.send_modify(|era| *era += 1);
    }

    pub(crate) fn come_up(&self) {
        self.shared.era.send_modify(|era| *era += 1);
    }

    /// Forgets every message, as a restart would, and says so by another store id.
    pub(crate) fn lose_memory(&self) {
        *self.shared.broker.lock().unwrap() = broker();
        self.cut_links();
    }

    /// Refuses the next publishes for these reasons, one each.
    pub(crate) fn refuse_next(&self, reasons: &[RejectReason]) {
        self.shared.refusals.lock().unwrap().extend(reasons.iter().rev());
    }

    /// Publishes are stored and not confirmed, or confirmed again.
    pub(crate) fn hold_confirms(&self, hold: bool) {
        self.broker().hold_confirms(hold);
    }

    /// Publishes that a link may have unconfirmed, for links to come.
    pub(crate) fn set_credit(&self, credit: u16) {
        *self.shared.credit.lock().unwrap() = credit;
    }

    /// Another directory, sent to every agent.
    pub(crate) fn set_directory(&self, directory: VerifiedDirectory) {
        self.shared.directory.send_replace(directory);
    }

    /// A directory that the relay sends to everyone, whatever revision they have.
    pub(crate) fn lie_about_revision(&self, directory: VerifiedDirectory) {
        *self.shared.lie.lock().unwrap() = true;
        self.set_directory(directory);
    }

    /// Every envelope of this kind that was published.
    pub(crate) fn published(&self, kind: dmr_core::header::Kind) -> Vec<Envelope> {
        let all = self.shared.published.lock().unwrap();
        all.iter().filter(|envelope| envelope.header().kind == kind).cloned().collect()
    }

    /// How deliveries were settled, in order.
    pub(crate) fn settled(&self) -> Vec<Disposition> {
        self.shared.settled.lock().unwrap().iter().map(|(_, disposition)| *disposition).collect()
    }

    /// The same of one participant.
    pub(crate) fn settled_by(&self, who: ParticipantId) -> Vec<Disposition> {
        let all = self.shared.settled.lock().unwrap();
        all.iter().filter(|(settler, _)| *settler == who).map(|(_, disposition)| *disposition).collect()
    }

    /// Puts an envelope into a mailbox, whatever it is.
    pub(crate) async fn inject(&self, mailbox: ParticipantId, envelope: Bytes) {
        let broker = self.broker();
        broker.declare(&[mailbox]).await.unwrap();
        let sender = ParticipantId::from_custom_bytes([0xee; 16]);
        let id = dmr_core::id::MessageId::from_custom_bytes([0xee; 16]);
        let expires = now().plus(Duration::from_secs(3_600));
        broker.publish(Publication { mailbox, sender, id, expires, envelope }).await.unwrap();
    }

    /// Messages in all mailboxes, waiting or unsettled.
    pub(crate) async fn held(&self) -> u64 {
        let depth = self.broker().depth().await.unwrap();
        depth.ready + depth.unsettled
    }

    fn broker(&self) -> MemoryBroker {
        self.shared.broker.lock().unwrap().clone()
    }
}

fn broker() -> MemoryBroker {
    let mut id = [0; 16];
    getrandom::fill(&mut id).unwrap();
    MemoryBroker::new(StoreId::from_random_bytes(id), QueueLimits::default(), now)
}

/// Opens links to a relay.
pub(crate) struct RelayDialer {
    relay: Relay,
}

impl RelayDialer {
    /// One server, of any name.
    pub(crate) fn names() -> Vec<Option<Name>> {
        vec![None]
    }
}

impl Dialer for RelayDialer {
    type Link = MemoryLink;

    async fn dial(&self, _server: usize) -> Result<MemoryLink, LinkError> {
        let era = self.relay.shared.era.subscribe();
        if *era.borrow() % 2 == 1 {
            return Err(LinkError::Timeout("the relay is down"));
        }
        let (agent, server) = MemoryLink::pair();
        tokio::spawn(ServerLink::open(self.relay.clone(), server, era).await.run());
        Ok(agent)
    }
}

type Stored = (Ticket, Vec<RecipientResult>);

/// The relay's end of one link.
struct ServerLink {
    relay: Relay,
    broker: MemoryBroker,
    session: ServerSession,
    link: (<MemoryLink as Link>::Sender, <MemoryLink as Link>::Receiver),
    subscription: Option<MemorySubscription>,
    /// Takes nothing before: what was given back can go to another link.
    pause: Instant,
    stored: (mpsc::UnboundedSender<Stored>, mpsc::UnboundedReceiver<Stored>),
    era: watch::Receiver<u32>,
    directory: watch::Receiver<VerifiedDirectory>,
    origin: Instant,
    ended: bool,
}

enum Event {
    Received(Result<Received, LinkError>),
    Writable,
    Delivery(dmr_transport::Delivery),
    Stored(Stored),
    Directory,
    Cut,
    Timeout,
}

impl ServerLink {
    async fn open(relay: Relay, link: MemoryLink, era: watch::Receiver<u32>) -> Self {
        let mut random = [0; 48];
        getrandom::fill(&mut random).unwrap();
        let session = SessionId::from_random_bytes(random[..16].try_into().unwrap());
        let nonce = Nonce(random[16..].try_into().unwrap());
        let broker = relay.broker();
        let store = broker.store().await.unwrap();
        let mut config = ServerSessionConfig::new(name("testnet"), name("relay"), session, store, nonce);
        config.credit = *relay.shared.credit.lock().unwrap();
        // Few, since tests let days pass.
        config.heartbeat = Duration::from_secs(600);
        let directory = relay.shared.directory.subscribe();
        config.directory_revision = directory.borrow().revision();
        let origin = Instant::now();
        let now = Now { elapsed: Duration::ZERO, wall: now() };
        Self {
            session: ServerSession::new(config, now),
            relay,
            broker,
            link: link.split(),
            subscription: None,
            pause: origin,
            stored: mpsc::unbounded_channel(),
            era,
            directory,
            origin,
            ended: false,
        }
    }

    fn now(&self) -> Now {
        Now { elapsed: self.origin.elapsed(), wall: now() }
    }

    async fn run(mut self) {
        loop {
            while let Some(output) = self.session.poll_output() {
                self.execute(output).await;
            }
            if self.ended {
                return;
            }
            let event = self.next().await;
            let now = self.now();
            match event {
                Event::Received(Ok(Received::Frame(frame))) => self.session.receive(&frame, now),
                Event::Received(_) => self.session.link_down(CloseReason::LinkLost),
                Event::Writable => match self.session.poll_transmit() {
                    Some(Transmit::Frame(frame)) => {
                        let queued = self.link.0.queue(frame).is_ok() && self.link.0.flush().await.is_ok();
                        if !queued {
                            self.session.link_down(CloseReason::LinkLost);
                        }
                    }
                    Some(Transmit::Close(reason)) => {
                        let _ = self.link.0.close(reason).await;
                        self.session.link_down(reason);
                    }
                    None => {}
                },
                Event::Delivery(delivery) => {
                    self.session.deliver(delivery.tag.0, delivery.attempt, delivery.envelope, now);
                }
                Event::Stored((ticket, results)) => self.session.published(ticket, results, Duration::ZERO),
                Event::Directory => self.send_directory(),
                Event::Cut => self.session.link_down(CloseReason::LinkLost),
                Event::Timeout => self.session.handle_timeout(now),
            }
        }
    }

    async fn next(&mut self) -> Event {
        let wants_transmit = self.session.wants_transmit();
        let demand = self.session.demand() > 0;
        let timeout = self.session.poll_timeout().map(|at| at.saturating_sub(self.origin.elapsed()));
        tokio::select! {
            received = self.link.1.receive() => Event::Received(received),
            _ = self.link.0.ready(), if wants_transmit => Event::Writable,
            delivery = next_delivery(&mut self.subscription, self.pause), if demand => Event::Delivery(delivery),
            Some(stored) = self.stored.1.recv() => Event::Stored(stored),
            Ok(()) = self.directory.changed() => Event::Directory,
            _ = self.era.changed() => Event::Cut,
            () = sleep(timeout.unwrap_or(Duration::MAX)), if timeout.is_some() => Event::Timeout,
        }
    }

    fn send_directory(&mut self) {
        let directory = self.directory.borrow_and_update().clone();
        let lie = u64::from(*self.relay.shared.lie.lock().unwrap());
        self.session.directory_changed(directory.revision() + lie, directory.bundle().clone());
    }

    async fn execute(&mut self, output: ServerOutput) {
        let (now, directory) = (self.now(), self.directory.borrow().clone());
        match output {
            ServerOutput::SignChallenge { .. } => self.session.challenge_signed(Bytes::new(), now),
            ServerOutput::CheckLogin { challenge, fields, proof } => {
                let login = verify_login(&challenge, &fields, &proof, &directory, now.wall);
                let login = login.map_err(|_| CloseReason::LoginRefused).map(|fields| Login {
                    participant: fields.participant,
                    instance: fields.instance,
                    directory_revision: fields.directory_revision,
                });
                self.session.login_checked(login, now);
            }
            ServerOutput::LoggedIn(_) => {}
            ServerOutput::SendDirectory => self.send_directory(),
            ServerOutput::CheckEnvelope { ticket, envelope } => {
                self.relay.shared.published.lock().unwrap().push(envelope.clone());
                let verdict = self.verdict(&envelope, &directory, now);
                self.session.envelope_checked(ticket, envelope, verdict);
            }
            ServerOutput::Publish { ticket, envelope } => {
                let (broker, stored) = (self.broker.clone(), self.stored.0.clone());
                tokio::spawn(async move {
                    let _ = stored.send((ticket, store(&broker, &envelope).await));
                });
            }
            ServerOutput::Subscribe { mailbox, prefetch } => {
                self.broker.declare(&[mailbox]).await.unwrap();
                self.subscription = Some(self.broker.subscribe(mailbox, prefetch).await.unwrap());
                self.session.subscribed();
            }
            ServerOutput::Settle { tag, disposition } => {
                let disposition = match disposition {
                    Disposed::Ack => Disposition::Ack,
                    Disposed::Requeue => Disposition::Requeue,
                    Disposed::DeadLetter(reason) => Disposition::DeadLetter(reason),
                };
                if let Some(who) = self.session.participant() {
                    self.relay.shared.settled.lock().unwrap().push((who, disposition));
                }
                if let Some(subscription) = &mut self.subscription {
                    subscription.settle(Tag(tag), disposition).await.unwrap();
                }
                if disposition == Disposition::Requeue {
                    self.pause = Instant::now() + Duration::from_millis(5);
                }
            }
            ServerOutput::Ended { .. } => self.ended = true,
        }
    }

    fn verdict(&self, envelope: &Envelope, directory: &VerifiedDirectory, now: Now) -> Result<(), Refusal> {
        let refusal = |reason| Refusal { reason, retry_after: Duration::from_millis(1) };
        if let Some(reason) = self.relay.shared.refusals.lock().unwrap().pop() {
            return Err(refusal(reason));
        }
        verify_envelope(envelope, directory, now.wall)
            .and_then(|_| check_recipients(envelope.header(), directory))
            .map_err(|error| refusal(error.reject_reason()))
    }
}

async fn next_delivery(subscription: &mut Option<MemorySubscription>, pause: Instant) -> dmr_transport::Delivery {
    tokio::time::sleep_until(pause).await;
    match subscription {
        Some(subscription) => subscription.next().await.unwrap(),
        None => std::future::pending().await,
    }
}

async fn store(broker: &MemoryBroker, envelope: &Envelope) -> Vec<RecipientResult> {
    let header = envelope.header();
    let mut results = Vec::new();
    for recipient in header.recipients.as_slice() {
        broker.declare(&[recipient.participant]).await.unwrap();
        let publication = Publication {
            mailbox: recipient.participant,
            sender: header.sender,
            id: header.id,
            expires: header.expires,
            envelope: envelope.bytes().clone(),
        };
        let reason = match broker.publish(publication).await {
            Ok(()) => None,
            Err(PublishError::Unroutable(_)) => Some(RejectReason::UnknownRecipient),
            Err(PublishError::Full(_)) => Some(RejectReason::MailboxFull),
            Err(PublishError::Undecided) => Some(RejectReason::Undecided),
            Err(_) => Some(RejectReason::Unavailable),
        };
        results.push(RecipientResult { participant: recipient.participant, reason });
    }
    results
}

/// A dead letter of this reason.
pub(crate) fn dead(reason: FailureReason) -> Disposition {
    Disposition::DeadLetter(reason)
}
