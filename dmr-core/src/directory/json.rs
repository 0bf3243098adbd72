//! The JSON form of directories and cards.

use serde::{Deserialize, Serialize};

use super::{Card, Directory, DirectoryError, KeyUse};
use crate::json::{self, JsonError};
use crate::limit;

impl Directory {
    /// The directory that `bytes` are the JSON of, checked as a whole: one thing wrong refuses everything.
    ///
    /// It says nothing about who wrote it: verify a signature over the same bytes first.
    ///
    /// # Errors
    /// [`DirectoryError`], naming the first thing that is wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DirectoryError> {
        let directory: Self = json::parse(within(bytes, limit::DIRECTORY)?)?;
        directory.check()?;
        Ok(directory)
    }

    /// The JSON of this directory: what is signed.
    ///
    /// # Errors
    /// [`DirectoryError`] when [`Directory::from_json`] would refuse it.
    pub fn to_json(&self) -> Result<Vec<u8>, DirectoryError> {
        self.check()?;
        let bytes = json::write(self)?;
        within(&bytes, limit::DIRECTORY)?;
        Ok(bytes)
    }
}

impl Card {
    /// Longest card, in bytes.
    pub const MAX_LEN: usize = 64 << 10;

    /// The card that `bytes` are the JSON of, with the checks of a directory's entry.
    ///
    /// # Errors
    /// [`DirectoryError`], naming the first thing that is wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DirectoryError> {
        let card: Self = json::parse(within(bytes, Self::MAX_LEN)?)?;
        card.check()?;
        Ok(card)
    }

    /// The JSON of this card.
    ///
    /// # Errors
    /// [`DirectoryError`] when [`Card::from_json`] would refuse it.
    pub fn to_json(&self) -> Result<Vec<u8>, DirectoryError> {
        self.check()?;
        let bytes = json::write(self)?;
        within(&bytes, Self::MAX_LEN)?;
        Ok(bytes)
    }
}

fn within(bytes: &[u8], limit: usize) -> Result<&[u8], DirectoryError> {
    if bytes.len() > limit { Err(DirectoryError::TooLong { len: bytes.len(), limit }) } else { Ok(bytes) }
}

impl From<JsonError> for DirectoryError {
    fn from(error: JsonError) -> Self {
        Self::Json(error.detail)
    }
}

/// One member of a key's `use` list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Purpose {
    Sign,
    Login,
}

impl TryFrom<Vec<Purpose>> for KeyUse {
    type Error = &'static str;
    fn try_from(purposes: Vec<Purpose>) -> Result<Self, Self::Error> {
        let mut usage = Self { sign: false, login: false };
        for purpose in purposes {
            let member = match purpose {
                Purpose::Sign => &mut usage.sign,
                Purpose::Login => &mut usage.login,
            };
            if std::mem::replace(member, true) {
                return Err("a use is named twice");
            }
        }
        if usage.sign || usage.login { Ok(usage) } else { Err("a key without a use") }
    }
}

impl From<KeyUse> for Vec<Purpose> {
    fn from(usage: KeyUse) -> Self {
        let purposes = [(usage.sign, Purpose::Sign), (usage.login, Purpose::Login)];
        purposes.into_iter().filter_map(|(has, purpose)| has.then_some(purpose)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::directory::{Algorithm, IdentityKey, Participant, Permission, SealingKey, Status, Validity};
    use crate::header::Suite;
    use crate::id::{Name, ParticipantId};
    use crate::time::Timestamp;

    const VALIDITY: Validity = Validity { not_before: Timestamp(1), not_after: Timestamp(2) };

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn participant(called: &str, number: u8) -> Participant {
        let usage = KeyUse { sign: true, login: false };
        Participant {
            id: ParticipantId::from_custom_bytes([number; 16]),
            name: name(called),
            status: Status::Active,
            identity_keys: vec![IdentityKey { public: [number; 32], usage, validity: VALIDITY }],
            sealing_keys: vec![SealingKey {
                algorithm: Algorithm::X25519,
                public: vec![number + 100; 32],
                validity: VALIDITY,
                signature: [9; 64],
            }],
            groups: vec![],
            services: vec![],
        }
    }

    fn directory() -> Directory {
        Directory {
            network: name("test"),
            revision: 3,
            issued: Timestamp(10),
            expires: Timestamp(20),
            previous: Some(crate::id::Digest([7; 32])),
            participants: vec![participant("tax", 1), participant("police", 2), participant("press", 3)],
            servers: vec![],
            revoked: vec![],
            suite_floor: Suite::XWing,
            max_ttl: Duration::from_secs(3600),
            policy: vec![],
        }
    }

    #[test]
    fn a_directory_and_a_card_survive_their_json() {
        let directory = directory();
        assert_eq!(Directory::from_json(&directory.to_json().unwrap()), Ok(directory.clone()));
        let card = Card::Participant(participant("tax", 1));
        let json = card.to_json().unwrap();
        assert!(json.starts_with(br#"{"participant":{"id":"01010101-0101-8101-8101-010101010101","name":"tax","#));
        assert_eq!(Card::from_json(&json), Ok(card));
    }

    #[test]
    fn a_card_is_one_participant_or_one_server_and_nothing_else() {
        let server = r#"{"name":"relay","identityKeys":[]}"#;
        assert!(Card::from_json(format!(r#"{{"server":{server}}}"#).as_bytes()).is_ok());
        for bad in [
            format!(r#"{{"server":{server},"server":{server}}}"#),
            format!(r#"{{"server":{server},"more":1}}"#),
            format!(r#"{{"relay":{server}}}"#),
            r#"{"server":["relay",[]]}"#.to_owned(),
            r#"{"server":{"name":"relay"}}"#.to_owned(),
            server.to_owned(),
            "[]".to_owned(),
        ] {
            assert!(matches!(Card::from_json(bad.as_bytes()), Err(DirectoryError::Json(_))), "{bad}");
        }
        let long = vec![b' '; Card::MAX_LEN + 1];
        let too_long = DirectoryError::TooLong { len: Card::MAX_LEN + 1, limit: Card::MAX_LEN };
        assert_eq!(Card::from_json(&long), Err(too_long));
    }

    #[test]
    fn what_would_be_refused_is_not_written() {
        let mut repeated = directory();
        repeated.participants[1].identity_keys = repeated.participants[0].identity_keys.clone();
        assert_eq!(repeated.to_json(), Err(DirectoryError::RepeatedPublicKey(name("police"))));
        let mut useless = participant("tax", 1);
        useless.identity_keys[0].usage = KeyUse { sign: false, login: false };
        assert_eq!(Card::Participant(useless).to_json(), Err(DirectoryError::UselessKey(name("tax"))));
    }

    #[test]
    fn a_policy_permits_what_it_names_and_an_empty_list_stands_for_everyone() {
        let (tax, police, press) = (name("tax"), name("police"), name("press"));
        let mut directory = directory();
        assert!(directory.allows(&press, &tax), "no policy, no restriction");
        directory.policy = vec![
            Permission { from: vec![tax.clone()], to: vec![police.clone()] },
            Permission { from: vec![police.clone()], to: vec![] },
        ];
        assert!(directory.allows(&tax, &police) && directory.allows(&police, &press));
        assert!(!directory.allows(&tax, &press) && !directory.allows(&press, &police));
        assert!(!directory.allows(&press, &press));
    }

    #[test]
    fn participants_are_found_by_id_and_by_name() {
        let directory = directory();
        let police = &directory.participants[1];
        assert_eq!(directory.participant(police.id), Some(police));
        assert_eq!(directory.participant_by_name(&police.name), Some(police));
        assert_eq!(directory.participant_by_name(&name("nobody")), None);
        assert_eq!(directory.server(&name("nobody")), None);
    }
}
