//! What a sequence of calls has to call with: handles, live and freed, and everything that calls have handed out.

use std::ptr::null_mut;

use dmr::c::*;
use dmr_core::frame::{Challenge, DeliveryTag, ServerFrame, Welcome};
use dmr_core::id::{MessageId, Nonce, SessionId, StoreId};
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};

/// When the sequence happens, in milliseconds since 1970.
pub const NOW: u64 = 1_790_000_000_000;
pub const DAY: u64 = 24 * 60 * 60 * 1000;

/// The input, read as choices. Once it has ended every choice is zero.
pub struct Choices<'a>(pub &'a [u8]);

impl Choices<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// A number that is small, large, or at an edge.
    pub fn number(&mut self) -> u64 {
        let byte = u64::from(self.byte());
        match byte % 8 {
            0 => u64::MAX,
            1 => u64::MAX - byte,
            2 => 0,
            3 => u64::from(u32::MAX),
            4 => byte << 32,
            _ => byte,
        }
    }

    fn some(&mut self) -> Vec<u8> {
        let len = self.below(64).min(self.0.len());
        let (some, rest) = self.0.split_at(len);
        self.0 = rest;
        some.to_vec()
    }
}

/// Everything that calls have handed out. Freed handles stay in their lists.
#[derive(Default)]
pub struct World {
    pub keys: Vec<*mut dmr_keys>,
    pub directories: Vec<*mut dmr_directory>,
    pub trusts: Vec<*mut dmr_trust>,
    pub authorities: Vec<*mut dmr_authority>,
    pub sessions: Vec<*mut dmr_session>,
    pub ids: Vec<[u8; 16]>,
    pub texts: Vec<Vec<u8>>,
    pub deliveries: Vec<u64>,
    pub wall: u64,
    pub elapsed: u64,
}

/// One of a list, or null, or a handle that was made up.
pub fn one_of<T>(choices: &mut Choices<'_>, list: &[*mut T]) -> *mut T {
    match choices.byte() {
        255 => null_mut(),
        254 => std::ptr::without_provenance_mut(usize::from(choices.byte()) << 4),
        byte => {
            list.get(list.len().wrapping_sub(1 + usize::from(byte) % list.len().max(1))).copied().unwrap_or(null_mut())
        }
    }
}

impl World {
    pub fn new() -> Self {
        Self { wall: NOW, elapsed: 1_000, ids: vec![[1; 16], [2; 16]], ..Self::default() }
    }

    /// Bytes: some that a call has handed out, as they are, cut or bent; or some of the input's.
    pub fn bytes(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        let kind = choices.below(8);
        if kind == 0 || self.texts.is_empty() {
            return choices.some();
        }
        let mut bytes = self.texts[self.texts.len() - 1 - choices.below(self.texts.len())].clone();
        let place = usize::from(choices.byte()) * bytes.len() / 256;
        match kind {
            1 => bytes.truncate(place),
            2 => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << (place % 8)),
            _ => {}
        }
        bytes
    }

    pub fn id(&self, choices: &mut Choices<'_>) -> dmr_id {
        let bytes = self.ids.get(choices.below(self.ids.len() + 1)).copied().unwrap_or([0; 16]);
        dmr_id { bytes }
    }

    /// A frame of a server's that holds to the protocol more or less.
    pub fn frame(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        let message = |world: &Self, choices: &mut Choices<'_>| {
            MessageId::from_bytes(world.id(choices).bytes).unwrap_or(MessageId::from_custom_bytes([9; 16]))
        };
        let frame = match choices.below(11) {
            0 | 1 => {
                let challenge = Challenge {
                    network: "test".parse().unwrap(),
                    server: "relay".parse().unwrap(),
                    version_min: 1,
                    version_max: 1,
                    max_envelope: 1 << 20,
                    nonce: Nonce([7; 32]),
                    binds_channel: choices.below(2) == 0,
                    directory_revision: choices.number(),
                    server_key: None,
                };
                let challenge = challenge.encode().unwrap();
                ServerFrame::Challenge { challenge, signature: choices.some().into() }
            }
            2 | 3 => ServerFrame::Welcome(Welcome {
                session: SessionId::from_custom_bytes([3; 16]),
                store: StoreId::from_custom_bytes([choices.byte(); 16]),
                credit: u16::from(choices.byte()),
                heartbeat_ms: 15_000,
                max_envelope: 1 << 20,
            }),
            4 => ServerFrame::Confirm { ids: vec![message(self, choices)] },
            5 => ServerFrame::Reject {
                id: message(self, choices),
                reason: RejectReason::from_number(u16::from(choices.byte()) * 4),
                retry_after_ms: u32::from(choices.byte()),
                recipients: Vec::new(),
            },
            6 => ServerFrame::Deliver {
                tag: DeliveryTag(u64::from(choices.byte())),
                attempt: 1,
                envelope: self.bytes(choices).into(),
            },
            7 => {
                let part = self.bytes(choices);
                let total = u32::try_from(part.len()).unwrap();
                ServerFrame::Directory { revision: choices.number(), total, offset: 0, part: part.into() }
            }
            8 => ServerFrame::Notice { id: message(self, choices), reason: FailureReason::Expired },
            9 => ServerFrame::Drain { retry_after_ms: u32::from(choices.byte()) },
            _ => ServerFrame::Refused { reason: CloseReason::LoginRefused },
        };
        frame.encode().map(|frame| frame.to_vec()).unwrap_or_default()
    }

    /// Keeps a copy of what a call has handed out; the lists are bounded.
    pub fn keep(&mut self, bytes: &dmr_bytes) {
        if !bytes.data.is_null() && self.texts.len() < 64 && bytes.len < 1 << 20 {
            // SAFETY: the library has handed out this many.
            self.texts.push(unsafe { std::slice::from_raw_parts(bytes.data, bytes.len) }.to_vec());
        }
    }

    pub fn keep_id(&mut self, id: dmr_id) {
        if self.ids.len() < 32 {
            self.ids.push(id.bytes);
        }
    }

    /// Frees every handle that is not freed.
    pub fn end(&mut self) {
        fn all<T>(list: &mut Vec<*mut T>, free: unsafe extern "C" fn(*mut *mut T) -> dmr_status) {
            for mut handle in list.drain(..) {
                // SAFETY: a place that holds a handle, whatever handle.
                let status = unsafe { free(&raw mut handle) };
                assert!(status == 0 || status == 806, "{status}");
            }
        }
        all(&mut self.sessions, dmr_session_free);
        all(&mut self.authorities, dmr_authority_free);
        all(&mut self.trusts, dmr_trust_free);
        all(&mut self.directories, dmr_directory_free);
        all(&mut self.keys, dmr_keys_free);
    }
}
