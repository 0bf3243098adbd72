//! Chance as the author: thousands of steps drawn from a seed, with links cut and frames mutated, and what must hold.
//!
//! The agent publishes to itself and to the tax authority. The sessions assert their own invariants, the harness that the
//! outbox holds what it must; here it is asserted that nothing is delivered that was not published, and that in the
//! end every message was delivered, or is still kept, or its program was told why not. A failure names its seed.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::Settlement;
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_core::session::{AgentState, Refusal, Transmit};
use proptest::prelude::*;

use super::harness::{Hold, Pair};
use super::world::{self, police, tax_authority};
use crate::decode::values;

/// What one step does.
#[derive(Debug, Clone)]
enum Chance {
    Run,
    Step(u8),
    Advance(u16),
    Publish { to_self: bool, keep: bool, len: u16 },
    Withdraw(u64),
    Cut,
    CutForAgent,
    CutForServer,
    Drain,
    Close(u16),
    Reconnect,
    RestartBroker,
    Fetch,
    Directory(u16),
    Hold(u8),
    Release(u8),
    Writes { agent: bool, server: bool },
    Settle(u8),
    Refuse(u8),
    Mutate { to_agent: bool, at: u16, byte: u8 },
    Repeat { to_agent: bool },
}

const HOLDS: [Hold; 8] = [
    Hold::Dial,
    Hold::SignChallenge,
    Hold::Sign,
    Hold::CheckLogin,
    Hold::CheckEnvelope,
    Hold::Publish,
    Hold::Subscribe,
    Hold::Handle,
];

/// A step on a network that loses links but changes no bytes.
fn honest() -> impl Strategy<Value = Chance> {
    prop_oneof![
        8 => Just(Chance::Run),
        8 => any::<u8>().prop_map(Chance::Step),
        8 => (0_u16..2_000).prop_map(Chance::Advance),
        2 => (0_u16..60_000).prop_map(Chance::Advance),
        12 => (any::<bool>(), prop::bool::weighted(0.8), 0_u16..2_000)
            .prop_map(|(to_self, keep, len)| Chance::Publish { to_self, keep, len }),
        1 => (0_u64..400).prop_map(Chance::Withdraw),
        2 => Just(Chance::Cut),
        1 => Just(Chance::CutForAgent),
        1 => Just(Chance::CutForServer),
        1 => Just(Chance::Drain),
        1 => (3_000_u16..3_012).prop_map(Chance::Close),
        1 => Just(Chance::Reconnect),
        1 => Just(Chance::RestartBroker),
        1 => Just(Chance::Fetch),
        1 => any::<u16>().prop_map(Chance::Directory),
        2 => any::<u8>().prop_map(Chance::Hold),
        4 => any::<u8>().prop_map(Chance::Release),
        2 => any::<(bool, bool)>().prop_map(|(agent, server)| Chance::Writes { agent, server }),
        2 => any::<u8>().prop_map(Chance::Settle),
        2 => any::<u8>().prop_map(Chance::Refuse),
    ]
}

/// A step on a network that also changes and repeats frames.
fn hostile() -> impl Strategy<Value = Chance> {
    prop_oneof![
        12 => honest(),
        2 => (any::<bool>(), any::<u16>(), any::<u8>())
            .prop_map(|(to_agent, at, byte)| Chance::Mutate { to_agent, at, byte }),
        1 => any::<bool>().prop_map(|to_agent| Chance::Repeat { to_agent }),
    ]
}

/// A pair, and what was published on it.
struct Story {
    pair: Pair,
    next: u64,
    to_self: BTreeSet<u64>,
    to_other: BTreeSet<u64>,
    /// Given back, expired or withdrawn: the program knows.
    ended: BTreeSet<u64>,
}

impl Story {
    fn new() -> Self {
        let mut config = Pair::agent_config(2);
        (config.prefetch, config.outbox_messages) = (Some(4), 60);
        let mut pair = Pair::with(config);
        pair.server.credit = 5;
        Self { pair, next: 0, to_self: BTreeSet::new(), to_other: BTreeSet::new(), ended: BTreeSet::new() }
    }

    fn act(&mut self, chance: Chance) {
        let pair = &mut self.pair;
        let now = pair.now;
        match chance {
            Chance::Run => pair.run(),
            Chance::Step(steps) => {
                let _ = (0..steps).all(|_| pair.step());
            }
            Chance::Advance(millis) => pair.advance(Duration::from_millis(millis.into())),
            Chance::Publish { to_self, keep, len } => {
                let to = if to_self { police() } else { tax_authority() };
                let envelope = world::envelope(self.next, police(), &[to], len.into(), now);
                if pair.publish_bytes(self.next, envelope, keep).is_ok() {
                    if to_self { &mut self.to_self } else { &mut self.to_other }.insert(self.next);
                    self.next += 1;
                }
            }
            Chance::Withdraw(number) => {
                if pair.agent.withdraw(world::message(number)) {
                    pair.live.remove(&number);
                    self.ended.insert(number);
                }
            }
            Chance::Cut => pair.cut(),
            Chance::CutForAgent => pair.cut_for_agent(),
            Chance::CutForServer if !pair.links.is_empty() => pair.cut_for_server(pair.links.len() - 1),
            Chance::Drain if !pair.links.is_empty() => {
                pair.server("drain", |server| server.drain(Duration::from_secs(3), now));
            }
            Chance::Close(reason) if !pair.links.is_empty() => {
                pair.server("close", |server| server.close(CloseReason::from_number(reason)));
            }
            Chance::Reconnect => {
                pair.agent("reconnect", |agent| agent.reconnect(CloseReason::DirectoryChanged, now));
            }
            Chance::RestartBroker => {
                // A server whose broker has restarted closes its links: their welcome named another store.
                pair.broker.restart();
                for link in 0..pair.links.len() {
                    pair.server_at(link, "close", |server| server.close(CloseReason::Unavailable));
                }
            }
            Chance::Fetch => pair.agent("fetch", |agent| agent.fetch_directory(now)),
            Chance::Directory(len) => {
                let document = Bytes::from(vec![b'd'; usize::from(len) * 16 + 1]);
                pair.directory = (pair.directory.0 + 1, document.clone());
                let revision = pair.directory.0;
                for link in 0..pair.links.len() {
                    let document = document.clone();
                    pair.server_at(link, "directory", |server| server.directory_changed(revision, document));
                }
            }
            Chance::Hold(hold) => pair.hold(HOLDS[usize::from(hold) % HOLDS.len()]),
            Chance::Release(hold) => pair.release(HOLDS[usize::from(hold) % HOLDS.len()]),
            Chance::Writes { agent, server } => (pair.agent_writes, pair.server_writes) = (agent, server),
            Chance::Settle(how) => {
                pair.settlement = match how % 4 {
                    0 => Settlement::Retry { after_ms: u32::from(how) * 20 },
                    _ => Settlement::Ack,
                };
            }
            Chance::Refuse(why) => {
                let retry_after = Duration::from_millis(u64::from(why) * 30);
                let passing = [RejectReason::Unavailable, RejectReason::Undecided, RejectReason::RateLimited];
                let refusal = |reason| Refusal { reason, retry_after };
                pair.refusal = passing.get(usize::from(why) % 8).copied().map(refusal);
            }
            Chance::Mutate { to_agent, at, byte } => {
                if let Some(Transmit::Frame(frame)) = self.first_frame(to_agent) {
                    let mut bytes = frame.to_vec();
                    let at = usize::from(at) % bytes.len();
                    bytes[at] = byte;
                    *frame = bytes.into();
                }
            }
            Chance::Repeat { to_agent } => {
                if let Some(Transmit::Frame(frame)) = self.first_frame(to_agent).cloned() {
                    match to_agent {
                        true => self.pair.inject_to_agent(frame),
                        false => self.pair.inject_to_server(frame),
                    }
                }
            }
            Chance::CutForServer | Chance::Drain | Chance::Close(_) => {}
        }
        self.listen();
    }

    /// The next frame to arrive, waiting a little for one.
    fn first_frame(&mut self, to_agent: bool) -> Option<&mut Transmit> {
        for _ in 0..30 {
            let link = &self.pair.links[self.pair.current?];
            if !if to_agent { &link.to_agent } else { &link.to_server }.is_empty() || !self.pair.step() {
                break;
            }
        }
        let link = &mut self.pair.links[self.pair.current?];
        if to_agent { link.to_agent.front_mut() } else { link.to_server.front_mut() }
    }

    /// A delivery to the agent's own mailbox stands for its receipt.
    fn listen(&mut self) {
        for number in std::mem::take(&mut self.pair.delivered) {
            assert!(self.to_self.contains(&number), "message {number} was delivered and never published to here");
            if self.pair.settlement == Settlement::Ack {
                self.pair.receipt(number);
                self.ended.insert(number);
            }
        }
        for line in self.pair.told() {
            let number = |rest: &str| rest.split(' ').next().unwrap().parse::<u64>().unwrap();
            if let Some(rest) = line.strip_prefix("rejected ").or(line.strip_prefix("expired ")) {
                self.ended.insert(number(rest));
            }
        }
    }

    /// Everything works from here on, and time passes.
    fn heal(&mut self) {
        let pair = &mut self.pair;
        (pair.agent_writes, pair.server_writes) = (true, true);
        (pair.refusal, pair.settlement) = (None, Settlement::Ack);
        for hold in HOLDS {
            pair.release(hold);
        }
        // Old sessions notice their heartbeat, overdue deliveries come back, refusals are over.
        for _ in 0..60 {
            self.pair.advance(Duration::from_secs(20));
            self.listen();
        }
    }
}

/// A network that loses links and changes no bytes: every message arrives or is given back.
fn every_message_arrives_or_is_given_back(chances: Vec<Chance>) {
    let mut story = Story::new();
    chances.into_iter().for_each(|chance| story.act(chance));
    story.heal();
    let pair = &story.pair;
    assert_eq!(pair.agent.state(), AgentState::Ready);
    assert_eq!(pair.agent.outbox().unconfirmed, 0);
    assert_eq!((pair.broker.out(), pair.broker.waiting(police())), (0, vec![]));
    let waiting: BTreeSet<_> = pair.broker.waiting(tax_authority()).into_iter().collect();
    // What need not be kept may be lost with the broker's memory; everything else is stored, or its end is known.
    let known = |number: &u64| story.ended.contains(number) || pair.unkept.contains(number);
    for number in &story.to_other {
        assert!(waiting.contains(number) || known(number), "message {number} is nowhere");
    }
    for number in &story.to_self {
        assert!(known(number), "message {number} did not arrive");
    }
    assert!(pair.broker.dead.is_empty());
}

/// A network that changes and repeats frames too: links break, and no message is forgotten.
fn links_break_and_nothing_else(chances: Vec<Chance>) {
    let mut story = Story::new();
    chances.into_iter().for_each(|chance| story.act(chance));
    story.heal();
    let pair = &story.pair;
    assert_eq!(pair.agent.state(), AgentState::Ready);
    // A forged settle or confirm may lose a copy at the broker, never the one that is kept.
    for number in story.to_self.iter().chain(&story.to_other) {
        let known = pair.live.contains(number) || story.ended.contains(number) || pair.unkept.contains(number);
        assert!(known, "message {number} is nowhere");
    }
    assert!(pair.broker.dead.iter().all(|(_, reason)| *reason != FailureReason::Refused));
}

/// Any bytes as a sequence of frames to sessions that are logged in: a first byte chooses the side and how much time
/// passes, the next how many bytes the frame has. For fuzz targets.
pub(crate) fn any_frames(mut bytes: &[u8]) {
    let mut pair = Pair::ready();
    pair.hold(Hold::Handle);
    pair.hold(Hold::Publish);
    pair.put(1);
    pair.publish(2).unwrap();
    pair.run();
    while let [how, len, rest @ ..] = bytes {
        let (frame, rest) = rest.split_at(rest.len().min(usize::from(*len)));
        bytes = rest;
        if pair.current.is_none() {
            pair.advance(Duration::from_secs(90));
            assert_eq!(pair.agent.state(), AgentState::Ready);
        }
        match how % 2 {
            0 => pair.inject_to_agent(frame.to_vec()),
            _ => pair.inject_to_server(frame.to_vec()),
        }
        pair.advance(Duration::from_millis(u64::from(*how) * 10));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_to_the_links_every_message_arrives_or_is_given_back(
        chances in prop::collection::vec(honest(), 1..400),
    ) {
        every_message_arrives_or_is_given_back(chances);
    }

    #[test]
    fn mutated_and_repeated_frames_break_links_and_nothing_else(
        chances in prop::collection::vec(hostile(), 1..400),
    ) {
        links_break_and_nothing_else(chances);
    }

    #[test]
    fn frames_that_nobody_would_send_break_links_and_nothing_else(
        frames in prop::collection::vec(
            (any::<u8>(), prop_oneof![values::agent_frame().prop_map(|frame| frame.encode().unwrap()),
                                      values::server_frame().prop_map(|frame| frame.encode().unwrap())]),
            1..30,
        ),
    ) {
        let frames = frames.into_iter().filter(|(_, frame)| frame.len() < 256);
        let bytes: Vec<u8> = frames
            .flat_map(|(how, frame)| [vec![how, u8::try_from(frame.len()).unwrap()], frame.to_vec()].concat())
            .collect();
        any_frames(&bytes);
    }

    #[test]
    fn noise_on_the_link_breaks_it_and_nothing_else(bytes in prop::collection::vec(0_u8..12, 0..400)) {
        any_frames(&bytes);
    }
}
