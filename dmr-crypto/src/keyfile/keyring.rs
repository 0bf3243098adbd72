//! The key file of a participant.

use std::collections::BTreeSet;

use dmr_core::directory::{KeyUse, Validity};
use dmr_core::header::Suite;
use dmr_core::id::{Name, ParticipantId};
use dmr_core::json::{object, objects};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::{KeyFileError, KeyFileText, Kind, VERSION, check_version, parse, write};
use crate::identity::IdentitySecret;
use crate::keyring::{Keyring, OwnIdentity};
use crate::sealing::SealingSecret;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    version: u32,
    kind: Kind,
    id: ParticipantId,
    name: Name,
    #[serde(deserialize_with = "objects")]
    identity: Vec<Identity>,
    #[serde(deserialize_with = "objects")]
    sealing: Vec<Sealing>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Identity {
    seed: Secret,
    #[serde(rename = "use")]
    usage: KeyUse,
    #[serde(deserialize_with = "object")]
    validity: Validity,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sealing {
    suite: Suite,
    secret: Secret,
    #[serde(deserialize_with = "object")]
    validity: Validity,
}

impl Keyring {
    /// The text of its key file.
    ///
    /// # Errors
    /// [`KeyFileError::Keys`] when it has no JSON form, which it always has.
    pub fn to_key_file(&self) -> Result<KeyFileText, KeyFileError> {
        let identity = self.identity().iter().map(|key| Identity {
            seed: Secret(Zeroizing::new(*key.secret.seed())),
            usage: key.usage,
            validity: key.validity,
        });
        let sealing = self.sealing().iter().map(|key| Sealing {
            suite: key.suite(),
            secret: Secret(key.to_bytes()),
            validity: key.validity(),
        });
        let file = File {
            version: VERSION,
            kind: Kind::Participant,
            id: self.participant(),
            name: self.name().clone(),
            identity: identity.collect(),
            sealing: sealing.collect(),
        };
        write(&file, file.identity.len() + file.sealing.len())
    }

    /// The keyring in a key file.
    ///
    /// # Errors
    /// [`KeyFileError`], which quotes nothing of the text.
    pub fn from_key_file(text: &[u8]) -> Result<Self, KeyFileError> {
        let file: File = parse(text)?;
        check_version(file.version)?;
        if file.kind != Kind::Participant {
            return Err(KeyFileError::WrongKind);
        }
        let fits = |count: usize| (1..=Self::MAX_KEYS).contains(&count);
        if !fits(file.identity.len()) || !fits(file.sealing.len()) {
            return Err(KeyFileError::Keys);
        }
        let mut ids = BTreeSet::new();
        let lasts = |validity: Validity| validity.not_before < validity.not_after;
        let mut identity = Vec::with_capacity(file.identity.len());
        for Identity { seed, usage, validity } in file.identity {
            let secret = IdentitySecret::from_seed(&seed.0);
            if !lasts(validity) || !ids.insert(secret.id()) {
                return Err(KeyFileError::Keys);
            }
            identity.push(OwnIdentity { secret, usage, validity });
        }
        let mut sealing = Vec::with_capacity(file.sealing.len());
        for Sealing { suite, secret, validity } in file.sealing {
            let secret = SealingSecret::from_bytes(suite, &secret.0, validity).ok_or(KeyFileError::Keys)?;
            if !lasts(validity) || !ids.insert(secret.id()) {
                return Err(KeyFileError::Keys);
            }
            sealing.push(secret);
        }
        Ok(Self::from_parts(file.id, file.name, identity, sealing))
    }
}
