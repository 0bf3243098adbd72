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
