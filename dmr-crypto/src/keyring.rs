//! The keyring: a participant's identity keys and its sealing keys of several generations.

use std::time::Duration;

use dmr_core::directory::{Card, KeyUse, Participant, Status, Validity};
use dmr_core::header::Suite;
use dmr_core::id::{KeyId, Name, ParticipantId};
use dmr_core::limit::CLOCK_SKEW;
use dmr_core::time::Timestamp;

use crate::directory::{Owner, VerifiedDirectory};
use crate::identity::{IdentitySecret, RandomError};
use crate::sealing::SealingSecret;

/// Why a participant's own entry in the directory does not serve its keyring: it must not send, and must say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StandingError {
    /// The directory does not list this participant.
    #[error("the directory does not list {participant}")]
    NotListed {
        /// The keyring's participant.
        participant: ParticipantId,
    },
    /// It is suspended or removed.
    #[error("{participant} does not take part: {status:?}")]
    Inactive {
        /// The keyring's participant.
        participant: ParticipantId,
        /// What the directory says.
        status: Status,
    },
    /// None of the keyring's signing keys is listed, valid and not revoked.
    #[error("the directory lists no valid signing key of this keyring")]
    NoSigningKey,
    /// None of the keyring's login keys is listed, valid and not revoked.
    #[error("the directory lists no valid login key of this keyring")]
    NoLoginKey,
    /// None of the keyring's sealing keys is listed, valid and not revoked.
    #[error("the directory lists no valid sealing key of this keyring")]
    NoSealingKey,
}

/// An identity key of the keyring.
pub(crate) struct OwnIdentity {
    pub(crate) secret: IdentitySecret,
    pub(crate) usage: KeyUse,
    pub(crate) validity: Validity,
}

/// A participant's secret keys. Erased when dropped; `Debug` shows ids only.
pub struct Keyring {
    participant: ParticipantId,
    name: Name,
    identity: Vec<OwnIdentity>,
    sealing: Vec<SealingSecret>,
}

impl Keyring {
    /// Most identity keys, and most sealing keys.
    pub const MAX_KEYS: usize = 16;

    /// Fresh keys: one identity key for signing and login, and a sealing key for each suite up to `suite`, all with
    /// the same validity.
    ///
    /// # Errors
    /// [`RandomError`] when the system gives no randomness.
    pub fn generate(
        participant: ParticipantId,
        name: Name,
        suite: Suite,
        validity: Validity,
    ) -> Result<Self, RandomError> {
        let identity =
            OwnIdentity { secret: IdentitySecret::generate()?, usage: KeyUse { sign: true, login: true }, validity };
        let suites = [Suite::X25519, Suite::XWing].into_iter().filter(|each| *each <= suite);
        let sealing = suites.map(|suite| SealingSecret::generate(suite, validity)).collect::<Result<_, _>>()?;
        Ok(Self { participant, name, identity: vec![identity], sealing })
    }

    pub(crate) fn from_parts(
        participant: ParticipantId,
        name: Name,
        identity: Vec<OwnIdentity>,
        sealing: Vec<SealingSecret>,
    ) -> Self {
        Self { participant, name, identity, sealing }
    }

    /// Whose keys they are.
    pub fn participant(&self) -> ParticipantId {
        self.participant
    }

    /// The participant's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    pub(crate) fn identity(&self) -> &[OwnIdentity] {
        &self.identity
    }

    /// The sealing keys, oldest first.
    pub fn sealing(&self) -> &[SealingSecret] {
        &self.sealing
    }

    /// Adds a sealing key of a new generation; the older ones go on opening. Returns `false`, and drops the key,
    /// when the keyring holds [`Keyring::MAX_KEYS`] already.
    #[must_use]
    pub fn add_sealing_key(&mut self, key: SealingSecret) -> bool {
        let fits = self.sealing.len() < Self::MAX_KEYS;
        if fits {
            self.sealing.push(key);
        }
        fits
    }

    /// Adds an identity key. Returns `false`, and drops the key, when the keyring holds [`Keyring::MAX_KEYS`] already.
    #[must_use]
    pub fn add_identity_key(&mut self, secret: IdentitySecret, usage: KeyUse, validity: Validity) -> bool {
        let fits = self.identity.len() < Self::MAX_KEYS;
        if fits {
            self.identity.push(OwnIdentity { secret, usage, validity });
        }
        fits
    }

    /// Erases the sealing secrets that nothing can be sealed to any more and nothing in flight needs: those whose
    /// validity ended more than `max_ttl` and twice the clock skew ago. Returns how many.
    pub fn erase_expired(&mut self, now: Timestamp, max_ttl: Duration) -> usize {
        let before = self.sealing.len();
        self.sealing.retain(|key| now <= key.validity().not_after.plus(max_ttl).plus(CLOCK_SKEW * 2));
        before - self.sealing.len()
    }

    /// The sealing key with this id.
    pub(crate) fn sealing_key(&self, id: KeyId) -> Option<&SealingSecret> {
        self.sealing.iter().find(|key| key.id() == id)
    }

    /// The public card: what the directory's keeper is handed. Sealing keys are signed by the first signing key.
    pub fn card(&self) -> Card {
        let signer = self.identity.iter().find(|key| key.usage.sign);
        let sealing = self.sealing.iter();
        Card::Participant(Participant {
            id: self.participant,
            name: self.name.clone(),
            status: Status::Active,
            identity_keys: self.identity.iter().map(|key| key.secret.entry(key.usage, key.validity)).collect(),
            sealing_keys: signer
                .map(|signer| sealing.map(|key| key.entry(self.participant, &signer.secret)).collect())
                .unwrap_or_default(),
            groups: Vec::new(),
            services: Vec::new(),
        })
    }

    /// The newest key that may prove a login now.
    ///
    /// # Errors
    /// [`StandingError::NoLoginKey`] when the directory accepts none of this keyring's.
    pub fn login_key(&self, directory: &VerifiedDirectory, now: Timestamp) -> Result<&IdentitySecret, StandingError> {
        self.newest(directory, now, |usage| usage.login).ok_or(StandingError::NoLoginKey)
    }

    /// The newest key that may sign envelopes now.
    ///
    /// # Errors
    /// [`StandingError::NoSigningKey`] when the directory accepts none of this keyring's.
    pub fn signing_key(&self, directory: &VerifiedDirectory, now: Timestamp) -> Result<&IdentitySecret, StandingError> {
        self.newest(directory, now, |usage| usage.sign).ok_or(StandingError::NoSigningKey)
    }

    /// Every login key, those valid now first, and of these the newest: where the directory that the server has is not
    /// the one that is known here, another of them may be the one it accepts.
    pub fn login_keys(&self, now: Timestamp) -> Vec<&IdentitySecret> {
        let mut login: Vec<_> = self.identity.iter().filter(|key| key.usage.login).collect();
        login.sort_by_key(|key| std::cmp::Reverse((key.validity.contains(now), key.validity.not_before)));
        login.into_iter().map(|key| &key.secret).collect()
    }

    /// Any login key, the newest valid one first: for the first login, before there is a directory.
    pub fn any_login_key(&self, now: Timestamp) -> Option<&IdentitySecret> {
        let login = self.identity.iter().filter(|key| key.usage.login);
        login.max_by_key(|key| (key.validity.contains(now), key.validity.not_before)).map(|key| &key.secret)
    }

    fn newest(
        &self,
        directory: &VerifiedDirectory,
        now: Timestamp,
        serves: impl Fn(KeyUse) -> bool,
    ) -> Option<&IdentitySecret> {
        let accepted = |key: &&OwnIdentity| {
            let known = directory.index().identity_key(key.secret.id());
            known.is_some_and(|known| {
                known.owner == Owner::Participant(self.participant)
                    && serves(known.usage)
                    && known.validity.contains(now)
                    && !directory.is_revoked(known.key.id())
            })
        };
        let newest = self.identity.iter().filter(accepted).max_by_key(|key| key.validity.not_before);
        newest.map(|key| &key.secret)
    }

    /// Whether the participant's own entry lets it send and receive with this keyring.
    ///
    /// # Errors
    /// [`StandingError`]: it must stop sending, and say so.
    pub fn standing(&self, directory: &VerifiedDirectory, now: Timestamp) -> Result<(), StandingError> {
        let participant = self.participant;
        let entry = directory.participant(participant).ok_or(StandingError::NotListed { participant })?;
        if entry.status != Status::Active {
            return Err(StandingError::Inactive { participant, status: entry.status });
        }
        self.signing_key(directory, now)?;
        self.login_key(directory, now)?;
        let listed = directory.index().sealing_keys(participant).iter();
        let mut usable = listed.filter(|key| key.validity.contains(now) && !directory.is_revoked(key.id));
        if usable.any(|key| self.sealing_key(key.id).is_some()) { Ok(()) } else { Err(StandingError::NoSealingKey) }
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let identity: Vec<_> = self.identity.iter().map(|key| key.secret.id()).collect();
        f.debug_struct("Keyring")
            .field("participant", &self.participant)
            .field("name", &self.name)
            .field("identity", &identity)
            .field("sealing", &self.sealing)
            .finish()
    }
}
