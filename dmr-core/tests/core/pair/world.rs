//! What stands around the two sessions of a pair: a broker, a cryptography that fits in five lines, and names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::frame::{AuthFields, ChannelBinding, RecipientResult, VERSION};
use dmr_core::header::{Header, Kind, Recipient, Recipients, Suite};
use dmr_core::id::{
    Digest, InstanceId, KeyCommitment, KeyId, MessageId, Name, Nonce, ParticipantId, SessionId, StoreId,
};
use dmr_core::reason::{FailureReason, RejectReason};
use dmr_core::session::Disposed;
use dmr_core::time::{Now, Timestamp};

/// When every test begins, on the wall clock.
pub(super) const BEGIN: Timestamp = Timestamp(1_800_000_000_000);
/// Lifetime of the envelopes made here, in milliseconds.
pub(super) const LIFETIME: u64 = 3_600_000;

pub(super) fn name(name: &str) -> Name {
    name.parse().unwrap()
}

/// The participant whose agent the pair's agent is.
pub(super) fn police() -> ParticipantId {
    ParticipantId::from_bytes([0xa; 16]).unwrap()
}

/// A participant that is not here; its mailbox fills.
pub(super) fn tax_authority() -> ParticipantId {
    ParticipantId::from_bytes([0xb; 16]).unwrap()
}

pub(super) fn instance() -> InstanceId {
    InstanceId::from_bytes([0xc; 16]).unwrap()
}

pub(super) fn message(number: u64) -> MessageId {
    MessageId::from_bytes(u128::from(number + 1).to_be_bytes()).unwrap()
}

/// The number that [`message`] made the id of; ids from elsewhere have the highest.
pub(super) fn number(id: MessageId) -> u64 {
    u64::try_from(u128::from_be_bytes(*id.as_bytes()) - 1).unwrap_or(u64::MAX)
}

/// Stands for a signature: changes when any byte does, and anyone can make it.
fn mark(parts: &[&[u8]]) -> [u8; 64] {
    let bytes = parts.iter().flat_map(|part| part.iter());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5)
    });
    hash.to_be_bytes().repeat(8).try_into().unwrap()
}

/// The login that the pair's agent signs.
pub(super) fn login(challenge: &[u8], directory_revision: u64) -> (Bytes, Bytes) {
    let fields = AuthFields {
        network: name("pair"),
        participant: police(),
        key: KeyId([1; 16]),
        version: VERSION,
        nonce: Nonce([2; 32]),
        instance: instance(),
        binding: ChannelBinding::None,
        directory_revision,
    };
    let fields = fields.encode().unwrap();
    let proof = Bytes::copy_from_slice(&mark(&[challenge, &fields]));
    (fields, proof)
}

pub(super) fn is_proof(challenge: &[u8], fields: &[u8], proof: &[u8]) -> bool {
    proof == mark(&[challenge, fields])
}

/// An envelope with a body of `len` bytes.
pub(super) fn envelope(
    number: u64,
    sender: ParticipantId,
    recipients: &[ParticipantId],
    len: usize,
    now: Now,
) -> Bytes {
    let header = header(number, sender, recipients, now);
    sealed(&header, len)
}

pub(super) fn header(number: u64, sender: ParticipantId, recipients: &[ParticipantId], now: Now) -> Header {
    let recipients = recipients.iter().map(|who| Recipient { participant: *who, key: KeyId([3; 16]) }).collect();
    Header {
        suite: Suite::X25519,
        network: name("pair"),
        id: message(number),
        sender,
        sender_key: KeyId([4; 16]),
        recipients: Recipients::new(recipients).unwrap(),
        kind: Kind::QUESTION,
        created: now.wall,
        expires: Timestamp(now.wall.0 + LIFETIME),
        directory_revision: 1,
        directory_digest: Digest([5; 32]),
        key_commitment: KeyCommitment([6; 32]),
    }
}

pub(super) fn sealed(header: &Header, len: usize) -> Bytes {
    let wrap = Wrap { enc: vec![7; 32].into(), ct: vec![8; 48].into() };
    let wraps = vec![wrap; header.recipients.as_slice().len()];
    let (header, body) = (header.encode().unwrap(), vec![9; len]);
    Envelope::encode(&header, &wraps, &body, &mark(&[&header, &body])).unwrap().bytes().clone()
}

/// Whether the sender's stand-in signature holds.
pub(super) fn is_signed(envelope: &Envelope) -> bool {
    *envelope.signature() == mark(&[envelope.header_bytes(), envelope.body()])
}

#[derive(Debug, Clone)]
struct Stored {
    attempt: u32,
    envelope: Bytes,
}

/// Mailboxes, deliveries that are out, and dead letters.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) store: StoreId,
    /// Mailboxes that take nothing, and why.
    pub(super) refusals: BTreeMap<ParticipantId, RejectReason>,
    pub(super) dead: Vec<(u64, FailureReason)>,
    /// Numbers of the messages that were acknowledged.
    pub(super) acknowledged: Vec<u64>,
    mailboxes: BTreeMap<ParticipantId, VecDeque<Stored>>,
    out: BTreeMap<u64, (SessionId, ParticipantId, Stored)>,
    last_tag: u64,
}

impl Broker {
    pub(super) fn new() -> Self {
        Self {
            store: StoreId::from_bytes([1; 16]).unwrap(),
            refusals: BTreeMap::new(),
            dead: Vec::new(),
            acknowledged: Vec::new(),
            mailboxes: BTreeMap::new(),
            out: BTreeMap::new(),
            last_tag: 0,
        }
    }

    /// Forgets everything, as the memory broker does; the store id says so.
    pub(super) fn restart(&mut self) {
        self.mailboxes.clear();
        self.out.clear();
        let store = u128::from_be_bytes(*self.store.as_bytes()) + 1;
        self.store = StoreId::from_bytes(store.to_be_bytes()).unwrap();
    }

    pub(super) fn publish(&mut self, envelope: &Envelope) -> Vec<RecipientResult> {
        let recipients: BTreeSet<_> =
            envelope.header().recipients.as_slice().iter().map(|recipient| recipient.participant).collect();
        recipients
            .into_iter()
            .map(|participant| {
                let reason = self.refusals.get(&participant).copied();
                if reason.is_none() {
                    self.put(participant, envelope.bytes().clone());
                }
                RecipientResult { participant, reason }
            })
            .collect()
    }

    pub(super) fn put(&mut self, mailbox: ParticipantId, envelope: Bytes) {
        self.mailboxes.entry(mailbox).or_default().push_back(Stored { attempt: 1, envelope });
    }

    /// Messages that wait in a mailbox, by number.
    pub(super) fn waiting(&self, mailbox: ParticipantId) -> Vec<u64> {
        let waiting = self.mailboxes.get(&mailbox).into_iter().flatten();
        waiting.map(|stored| number_of(&stored.envelope)).collect()
    }

    /// Deliveries that are out and not settled.
    pub(super) fn out(&self) -> usize {
        self.out.len()
    }

    pub(super) fn take(&mut self, session: SessionId, mailbox: ParticipantId) -> Option<(u64, u32, Bytes)> {
        let stored = self.mailboxes.get_mut(&mailbox)?.pop_front()?;
        self.last_tag += 1;
        self.out.insert(self.last_tag, (session, mailbox, stored.clone()));
        Some((self.last_tag, stored.attempt, stored.envelope))
    }

    pub(super) fn settle(&mut self, tag: u64, disposition: Disposed) {
        let Some((_, mailbox, stored)) = self.out.remove(&tag) else { return };
        match disposition {
            Disposed::Ack => self.acknowledged.push(number_of(&stored.envelope)),
            Disposed::Requeue => self.give_back(mailbox, stored),
            Disposed::DeadLetter(reason) => self.dead.push((number_of(&stored.envelope), reason)),
        }
    }

    /// The link is gone: what it had not settled goes back, in order.
    pub(super) fn unsubscribe(&mut self, session: SessionId) {
        while let Some(tag) = self.out.iter().rev().find(|(_, out)| out.0 == session).map(|(tag, _)| *tag) {
            self.settle(tag, Disposed::Requeue);
        }
    }

    fn give_back(&mut self, mailbox: ParticipantId, stored: Stored) {
        let again = Stored { attempt: stored.attempt + 1, ..stored };
        self.mailboxes.entry(mailbox).or_default().push_front(again);
    }
}

fn number_of(envelope: &Bytes) -> u64 {
    number(Envelope::decode(envelope.clone()).unwrap().header().id)
}
