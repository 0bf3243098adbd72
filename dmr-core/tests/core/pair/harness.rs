//! The pair: an agent session, the server sessions it talks to, and everything they ask for, on a virtual clock.
//!
//! Nothing happens by itself: [`Pair::run`] does all there is to do at this moment, [`Pair::advance`] lets time pass
//! and honours every timer on the way, [`Pair::hold`] keeps back one kind of answer so that a script can stop in any
//! state. What sessions tell is kept as short lines for scripts to compare.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::Settlement;
use dmr_core::id::{InstanceId, Nonce, ParticipantId, SessionId};
use dmr_core::reason::CloseReason;
use dmr_core::session::{
    AgentPublication, AgentPublishError, AgentSession, AgentSessionConfig, AgentState, DeliveryId, Refusal,
    ServerSession, ServerSessionConfig, ServerState, Transmit,
};
use dmr_core::time::{Now, Timestamp};

use super::coverage::record;
use super::driver::Due;
use super::world::{self, Broker, message, name, police, tax_authority};

/// Kinds of answers that can be kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    Dial,
    SignChallenge,
    Sign,
    CheckLogin,
    CheckEnvelope,
    Publish,
    Subscribe,
    Handle,
}

/// One link, from the server's side. The agent is at the other end of the newest at most.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) session: ServerSession,
    pub(super) to_server: VecDeque<Transmit>,
    pub(super) to_agent: VecDeque<Transmit>,
    pub(super) prefetch: Option<u16>,
}

/// Both sessions and their world.
pub(super) struct Pair {
    pub(super) now: Now,
    pub(super) agent: AgentSession,
    pub(super) links: Vec<Link>,
    /// The link that the agent holds.
    pub(super) current: Option<usize>,
    pub(super) broker: Broker,
    /// What the next server session is made with.
    pub(super) server: ServerSessionConfig,
    /// The server's verdict on every login, when it is not by the proof.
    pub(super) login_verdict: Option<CloseReason>,
    /// The agent's refusal of every challenge.
    pub(super) distrust: Option<CloseReason>,
    /// The server's refusal of every envelope.
    pub(super) refusal: Option<Refusal>,
    /// How the agent's program settles deliveries.
    pub(super) settlement: Settlement,
    /// Servers that cannot be dialled.
    pub(super) unreachable: BTreeSet<usize>,
    /// Servers that were dialled, in order.
    pub(super) dialled: Vec<usize>,
    /// Directory in use at the servers.
    pub(super) directory: (u64, Bytes),
    /// Revision of the directory that the agent says it has.
    pub(super) agent_revision: u64,
    /// Whether each side's link can take frames.
    pub(super) agent_writes: bool,
    pub(super) server_writes: bool,
    /// Whether frames arrive.
    pub(super) agent_hears: bool,
    pub(super) server_hears: bool,
    /// The latest session of each instance, as a server keeps it.
    pub(super) registry: BTreeMap<InstanceId, SessionId>,
    /// What was published and must still be in the outbox.
    pub(super) live: BTreeSet<u64>,
    /// Published with `keep: false`.
    pub(super) unkept: BTreeSet<u64>,
    pub(super) delivered: Vec<u64>,
    pub(super) holds: BTreeSet<Hold>,
    pub(super) due: VecDeque<Due>,
    pub(super) told: Vec<String>,
    pub(super) server_told: Vec<String>,
    /// Names of the frames that crossed, by direction.
    pub(super) from_agent: Vec<&'static str>,
    pub(super) from_server: Vec<&'static str>,
}

impl Pair {
    /// An agent with one server and every default, about to dial.
    pub(super) fn new() -> Self {
        Self::with(Self::agent_config(1))
    }

    pub(super) fn agent_config(servers: usize) -> AgentSessionConfig {
        AgentSessionConfig::new(name("pair"), police(), world::instance(), vec![None; servers], 42)
    }

    pub(super) fn with(config: AgentSessionConfig) -> Self {
        let now = Now { elapsed: Duration::ZERO, wall: world::BEGIN };
        let broker = Broker::new();
        let session = SessionId::from_bytes([1; 16]).unwrap();
        let server = ServerSessionConfig::new(name("pair"), name("relay"), session, broker.store, Nonce([1; 32]));
        Self {
            now,
            agent: AgentSession::new(config, now),
            links: Vec::new(),
            current: None,
            broker,
            server,
            login_verdict: None,
            distrust: None,
            refusal: None,
            settlement: Settlement::Ack,
            unreachable: BTreeSet::new(),
            dialled: Vec::new(),
            directory: (0, Bytes::new()),
            agent_revision: 0,
            agent_writes: true,
            server_writes: true,
            agent_hears: true,
            server_hears: true,
            registry: BTreeMap::new(),
            live: BTreeSet::new(),
            unkept: BTreeSet::new(),
            delivered: Vec::new(),
            holds: BTreeSet::new(),
            due: VecDeque::new(),
            told: Vec::new(),
            server_told: Vec::new(),
            from_agent: Vec::new(),
            from_server: Vec::new(),
        }
    }

    /// A pair that has logged in, with nothing left to do and nothing told.
    pub(super) fn ready() -> Self {
        Self::ready_with(Self::agent_config(1))
    }

    pub(super) fn ready_with(config: AgentSessionConfig) -> Self {
        let mut pair = Self::with(config);
        pair.run();
        assert_eq!(pair.told(), ["ready"]);
        assert_eq!((pair.agent.state(), pair.server_state()), (AgentState::Ready, ServerState::Ready));
        pair.forget_frames();
        pair
    }

    /// Keeps back the answers of this kind until [`Self::release`].
    pub(super) fn hold(&mut self, hold: Hold) {
        self.holds.insert(hold);
    }

    pub(super) fn release(&mut self, hold: Hold) {
        self.holds.remove(&hold);
        self.run();
    }

    /// What the agent session told since the last call.
    pub(super) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    /// What the server sessions told since the last call.
    pub(super) fn server_told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.server_told)
    }

    pub(super) fn forget_frames(&mut self) {
        self.from_agent.clear();
        self.from_server.clear();
        self.server_told.clear();
    }

    /// State of the session on the newest link.
    pub(super) fn server_state(&self) -> ServerState {
        self.links.last().unwrap().session.state()
    }

    /// Does everything there is to do at this moment.
    pub(super) fn run(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 100_000, "a loop that time does not break");
        }
    }

    /// Runs until the agent is in `state`; fails when there is nothing left to do before.
    pub(super) fn run_to(&mut self, state: AgentState) {
        while self.agent.state() != state {
            assert!(self.step(), "stopped at {:?} before {state:?}", self.agent.state());
        }
    }

    /// Lets `span` pass, running whatever is due on the way.
    pub(super) fn advance(&mut self, span: Duration) {
        let end = self.now.plus(span);
        let mut still = 0;
        loop {
            self.run();
            let servers = self.links.iter().filter_map(|link| link.session.poll_timeout());
            let next = servers.chain(self.agent.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= end.elapsed) else { break };
            still = if next > self.now.elapsed { 0 } else { still + 1 };
            assert!(still < 100, "a timer that does not move: agent {:?}", self.agent.state());
            self.now = self.now.plus(next.saturating_sub(self.now.elapsed));
            self.time_out();
        }
        self.now = self.now.plus(end.elapsed.saturating_sub(self.now.elapsed));
        self.time_out();
        self.run();
    }

    fn time_out(&mut self) {
        let now = self.now;
        self.agent("time", |agent| agent.handle_timeout(now));
        for link in 0..self.links.len() {
            self.server_at(link, "time", |server| server.handle_timeout(now));
        }
    }

    /// Calls the agent session and records what it did.
    pub(super) fn agent<R>(&mut self, input: &str, call: impl FnOnce(&mut AgentSession) -> R) -> R {
        let from = self.agent.state();
        let result = call(&mut self.agent);
        record("agent", from, input, self.agent.state());
        self.check();
        result
    }

    /// Calls the server session on the newest link and records what it did.
    pub(super) fn server<R>(&mut self, input: &str, call: impl FnOnce(&mut ServerSession) -> R) -> R {
        self.server_at(self.links.len() - 1, input, call)
    }

    pub(super) fn server_at<R>(&mut self, link: usize, input: &str, call: impl FnOnce(&mut ServerSession) -> R) -> R {
        let session = &mut self.links[link].session;
        let from = session.state();
        let result = call(session);
        record("server", from, input, session.state());
        result
    }

    /// What must hold after every input, beyond what the sessions assert themselves.
    fn check(&self) {
        assert!(self.agent.unsettled() <= 64 || self.agent.unsettled() <= 1024);
        for link in &self.links {
            assert!(link.session.unconfirmed() <= usize::from(self.server.credit));
        }
    }

    /// The outbox holds exactly what it must. Only when no output waits.
    pub(super) fn check_outbox(&self) {
        assert_eq!(self.agent.outbox().messages, self.live.len(), "outbox and {:?}", self.live);
    }

    /// Publishes message `number` to the tax authority.
    pub(super) fn publish(&mut self, number: u64) -> Result<(), AgentPublishError> {
        self.publish_to(number, &[tax_authority()])
    }

    pub(super) fn publish_to(&mut self, number: u64, to: &[ParticipantId]) -> Result<(), AgentPublishError> {
        let envelope = world::envelope(number, police(), to, 100, self.now);
        self.publish_bytes(number, envelope, true)
    }

    pub(super) fn publish_bytes(&mut self, number: u64, envelope: Bytes, keep: bool) -> Result<(), AgentPublishError> {
        let (now, expires) = (self.now, Timestamp(self.now.wall.0 + world::LIFETIME));
        let publication = AgentPublication { id: message(number), envelope, expires, keep };
        let taken = self.agent("publish", |agent| agent.publish(publication, now));
        if taken.is_ok() {
            self.live.insert(number);
            if !keep {
                self.unkept.insert(number);
            }
        }
        taken
    }

    /// A signed receipt for message `number` came.
    pub(super) fn receipt(&mut self, number: u64) {
        self.agent("receipted", |agent| agent.receipted(message(number)));
        self.live.remove(&number);
    }

    /// Puts message `number` from the tax authority into the agent's mailbox.
    pub(super) fn put(&mut self, number: u64) {
        let envelope = world::envelope(number, tax_authority(), &[police()], 100, self.now);
        self.broker.put(police(), envelope);
    }

    /// The link breaks, and both ends notice.
    pub(super) fn cut(&mut self) {
        if let Some(link) = self.current {
            self.cut_for_server(link);
        }
        self.cut_for_agent();
    }

    /// Only the agent notices.
    pub(super) fn cut_for_agent(&mut self) {
        let now = self.now;
        self.current = None;
        self.agent("link down", |agent| agent.link_down(CloseReason::LinkLost, now));
    }

    /// Only the server notices.
    pub(super) fn cut_for_server(&mut self, link: usize) {
        self.links[link].to_server.clear();
        self.links[link].to_agent.clear();
        self.server_at(link, "link down", |server| server.link_down(CloseReason::LinkLost));
    }

    /// The delivery that the program has and has not settled.
    pub(super) fn held_delivery(&self) -> DeliveryId {
        let held = |due: &Due| if let Due::Handle(delivery, _) = due { Some(*delivery) } else { None };
        self.due.iter().find_map(held).unwrap()
    }

    /// Hands the agent bytes as if they had come over its link.
    pub(super) fn inject_to_agent(&mut self, bytes: impl Into<Bytes>) {
        let link = self.current.unwrap();
        self.links[link].to_agent.push_back(Transmit::Frame(bytes.into()));
    }

    pub(super) fn inject_to_server(&mut self, bytes: impl Into<Bytes>) {
        let link = self.current.unwrap();
        self.links[link].to_server.push_back(Transmit::Frame(bytes.into()));
    }
}
