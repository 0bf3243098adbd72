//! Sealing keys and the wrapping of one content key to one of them: HPKE in base mode (RFC 9180).

use std::convert::Infallible;
use std::fmt;
use std::sync::OnceLock;

use dmr_core::directory::{Algorithm, SealingKey, Validity};
use dmr_core::envelope::Wrap;
use dmr_core::header::Suite;
use dmr_core::id::{KeyId, ParticipantId};
use dmr_core::limit::WRAP_CT;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256, XWing};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};
use rand_core::{TryCryptoRng, TryRng};
use zeroize::{Zeroize, Zeroizing};

use crate::digest::{key_id, sealing_signed};
use crate::identity::{IdentitySecret, RandomError, random};

/// The key of one envelope's content, erased when dropped.
pub(crate) type ContentKey = Zeroizing<[u8; 32]>;

/// The randomness of one wrap: drawn beforehand, because HPKE cannot report that the system has none.
pub(crate) struct WrapSeed {
    bytes: Zeroizing<[u8; 64]>,
    used: usize,
    overdrawn: bool,
}

impl WrapSeed {
    /// Fresh from the system.
    pub(crate) fn draw() -> Result<Self, RandomError> {
        Ok(Self::new(random()?))
    }

    pub(crate) fn new(bytes: Zeroizing<[u8; 64]>) -> Self {
        Self { bytes, used: 0, overdrawn: false }
    }
}

impl TryRng for WrapSeed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        let end = self.used.saturating_add(into.len());
        match self.bytes.get(self.used..end) {
            Some(bytes) => into.copy_from_slice(bytes),
            None => self.overdrawn = true,
        }
        self.used = end;
        Ok(())
    }
}

impl TryCryptoRng for WrapSeed {}

/// A public sealing key in the form that HPKE computes with.
enum HpkePublicKey {
    X25519(<X25519HkdfSha256 as Kem>::PublicKey),
    XWing(Box<<XWing as Kem>::PublicKey>),
}

/// A checked public sealing key of the directory, parsed when the first envelope is sealed to it.
pub(crate) struct LazyPublicKey {
    algorithm: Algorithm,
    bytes: Box<[u8]>,
    parsed: OnceLock<Option<HpkePublicKey>>,
}

impl LazyPublicKey {
    pub(crate) fn new(algorithm: Algorithm, bytes: &[u8]) -> Self {
        Self { algorithm, bytes: bytes.into(), parsed: OnceLock::new() }
    }

    fn parsed(&self) -> Option<&HpkePublicKey> {
        let parse = || match self.algorithm {
            Algorithm::X25519 => Deserializable::from_bytes(&self.bytes).ok().map(HpkePublicKey::X25519),
            Algorithm::XWing => {
                Deserializable::from_bytes(&self.bytes).ok().map(|key| HpkePublicKey::XWing(Box::new(key)))
            }
            Algorithm::Ed25519 => None,
        };
        self.parsed.get_or_init(parse).as_ref()
    }

    /// `content_key`, wrapped to this key; `None` when HPKE refuses, which a checked key gives no cause for.
    pub(crate) fn wrap(&self, info: &[u8], content_key: &[u8; 32], mut seed: WrapSeed) -> Option<Wrap> {
        let wrap = match self.parsed()? {
            HpkePublicKey::X25519(key) => wrap_to::<X25519HkdfSha256>(key, info, content_key, &mut seed)?,
            HpkePublicKey::XWing(key) => wrap_to::<XWing>(key, info, content_key, &mut seed)?,
        };
        (!seed.overdrawn).then_some(wrap)
    }
}

fn wrap_to<K: Kem>(key: &K::PublicKey, info: &[u8], content_key: &[u8; 32], seed: &mut WrapSeed) -> Option<Wrap> {
    let (enc, ct) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, K>(
        &OpModeS::Base,
        key,
        info,
        content_key,
        b"",
        seed,
    )
    .ok()?;
    Some(Wrap { enc: enc.to_bytes().to_vec().into(), ct: ct.into() })
}

fn unwrap_with<K: Kem>(key: &K::PrivateKey, info: &[u8], wrap: &Wrap) -> Option<ContentKey> {
    let enc = K::EncappedKey::from_bytes(&wrap.enc).ok()?;
    let opened =
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, K>(&OpModeR::Base, key, &enc, info, &wrap.ct, b"");
    let opened = Zeroizing::new(opened.ok()?);
    let mut content_key = Zeroizing::new([0; 32]);
    if opened.len() != content_key.len() {
        return None;
    }
    content_key.copy_from_slice(&opened);
    Some(content_key)
}

/// What a wrap is bound to: `"DMR/1 wrap" ‖ 0x00 ‖ suite ‖ key id ‖ SHA-256(header)`.
pub(crate) fn wrap_info(suite: Suite, key: KeyId, header_hash: &[u8; 32]) -> Vec<u8> {
    [b"DMR/1 wrap\0".as_slice(), &suite.number().to_be_bytes(), key.as_bytes(), header_hash].concat()
}

/// In a place of its own: a secret that moved would leave a copy behind that nobody erases.
enum HpkeSecret {
    X25519(Box<<X25519HkdfSha256 as Kem>::PrivateKey>),
    XWing(Box<<XWing as Kem>::PrivateKey>),
}

/// The secret half of a sealing key. Erased when dropped; shown by its id only.
pub struct SealingSecret {
    secret: HpkeSecret,
    public: Vec<u8>,
    id: KeyId,
    validity: Validity,
}

impl SealingSecret {
    /// A fresh key for `suite`.
    ///
    /// # Errors
    /// [`RandomError`] when the system gives no randomness.
    pub fn generate(suite: Suite, validity: Validity) -> Result<Self, RandomError> {
        Self::from_bytes(suite, &*random()?, validity).ok_or(RandomError)
    }

    /// The key of these 32 bytes: an X25519 scalar (clamped), or an X-Wing seed.
    pub(crate) fn from_bytes(suite: Suite, bytes: &[u8; 32], validity: Validity) -> Option<Self> {
        let (algorithm, secret, public) = match suite {
            Suite::X25519 => {
                let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(bytes).ok()?;
                let public = X25519HkdfSha256::sk_to_pk(&secret).to_bytes().to_vec();
                (Algorithm::X25519, HpkeSecret::X25519(Box::new(secret)), public)
            }
            Suite::XWing => {
                let secret = <XWing as Kem>::PrivateKey::from_bytes(bytes).ok()?;
                let public = XWing::sk_to_pk(&secret).to_bytes().to_vec();
                (Algorithm::XWing, HpkeSecret::XWing(Box::new(secret)), public)
            }
        };
        let id = key_id(algorithm, &public);
        Some(Self { secret, public, id, validity })
    }

    /// The 32 bytes, for the key file alone.
    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        match &self.secret {
            HpkeSecret::X25519(secret) => secret.write_exact(bytes.as_mut_slice()),
            HpkeSecret::XWing(secret) => secret.write_exact(bytes.as_mut_slice()),
        }
        bytes
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The suite it serves.
    pub fn suite(&self) -> Suite {
        match self.secret {
            HpkeSecret::X25519(_) => Suite::X25519,
            HpkeSecret::XWing(_) => Suite::XWing,
        }
    }

    /// When it may be sealed to.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The public entry of this key in a directory, signed by `identity`.
    pub fn entry(&self, participant: ParticipantId, identity: &IdentitySecret) -> SealingKey {
        let algorithm = match self.suite() {
            Suite::X25519 => Algorithm::X25519,
            Suite::XWing => Algorithm::XWing,
        };
        let signature = identity.sign(&sealing_signed(participant, algorithm, self.validity, &self.public));
        SealingKey { algorithm, public: self.public.clone(), validity: self.validity, signature }
    }

    /// The content key in `wrap`; `None` when it is not wrapped to this key with this `info`.
    pub(crate) fn unwrap(&self, suite: Suite, info: &[u8], wrap: &Wrap) -> Option<ContentKey> {
        if wrap.enc.len() != suite.enc_len() || wrap.ct.len() != WRAP_CT {
            return None;
        }
        match (&self.secret, suite) {
            (HpkeSecret::X25519(secret), Suite::X25519) => unwrap_with::<X25519HkdfSha256>(secret, info, wrap),
            (HpkeSecret::XWing(secret), Suite::XWing) => unwrap_with::<XWing>(secret, info, wrap),
            _ => None,
        }
    }
}

impl fmt::Debug for SealingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingSecret({})", self.id)
    }
}

impl Drop for SealingSecret {
    fn drop(&mut self) {
        // The secret erases itself; its public half is erased too, so that nothing ties the memory to the key.
        self.public.zeroize();
    }
}
