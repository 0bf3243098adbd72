//! What a directory says, for people.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};

use dmr_core::directory::{
    Algorithm, DirectoryError, IdentityKey, Participant, Permission, SealingKey, Status, Validity,
};
use dmr_core::id::Name;
use dmr_core::limit;
use dmr_core::time::Timestamp;
use dmr_crypto::{DirectoryRefused, Freshness, RootPin, VerifiedDirectory, key_id};
use dmr_transport::service::state_file::{self, StateFileError};

/// Why a directory file has no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] StateFileError),
    /// There is no such file.
    #[error("{}: no such file", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It does not verify.
    #[error("{}: refused: {error}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why it is refused.
        error: DirectoryRefused,
    },
    /// It verifies, and has expired.
    #[error("expired at {0}")]
    Expired(Moment),
    /// It has no JSON form.
    #[error(transparent)]
    Json(#[from] DirectoryError),
    /// The report cannot be written.
    #[error("{0}")]
    Output(#[from] io::Error),
}

/// The directory in a file, if it verifies under the root.
///
/// # Errors
/// [`ReportError`].
pub fn read(file: &Path, pin: &RootPin, now: Timestamp) -> Result<VerifiedDirectory, ReportError> {
    let bundle = state_file::read(file, limit::DIRECTORY)?;
    let bundle = bundle.ok_or_else(|| ReportError::Missing { path: file.to_owned() })?;
    let refused = |error| ReportError::Refused { path: file.to_owned(), error };
    VerifiedDirectory::verify(&bundle, pin, now).map_err(refused)
}

/// Whether the directory can be used at `now`.
///
/// # Errors
/// [`ReportError::Expired`].
pub fn verdict(directory: &VerifiedDirectory, now: Timestamp) -> Result<Freshness, ReportError> {
    match directory.freshness(now) {
        Freshness::Grace | Freshness::Expired => Err(ReportError::Expired(Moment(directory.expires()))),
        fresh => Ok(fresh),
    }
}

/// A directory as a table.
#[derive(Debug)]
pub struct Table<'a> {
    /// The directory.
    pub directory: &'a VerifiedDirectory,
    /// The present time, which its freshness is judged by.
    pub now: Timestamp,
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let directory = self.directory;
        let content = directory.directory();
        writeln!(f, "network    {}", directory.network())?;
        writeln!(f, "revision   {}   digest {}", directory.revision(), directory.digest())?;
        writeln!(f, "signed by  {}   root version {}", directory.signed_by(), directory.root_version())?;
        writeln!(f, "issued     {}", Moment(directory.issued()))?;
        writeln!(f, "expires    {}   {}", Moment(directory.expires()), directory.freshness(self.now).as_str())?;
        writeln!(
            f,
            "suites     {} and above   longest life of a message {:?}",
            content.suite_floor.number(),
            content.max_ttl
        )?;
        for participant in &content.participants {
            write_participant(f, participant)?;
        }
        for server in &content.servers {
            writeln!(f, "\nserver {}", server.name)?;
            server.identity_keys.iter().try_for_each(|key| write_identity_key(f, key))?;
        }
        for revoked in &content.revoked {
            writeln!(f, "\nrevoked {} since {}", revoked.key, Moment(revoked.since))?;
        }
        writeln!(f)?;
        if content.policy.is_empty() {
            writeln!(f, "policy     everyone may write to everyone")?;
        }
        content.policy.iter().try_for_each(|permission| write_permission(f, permission))
    }
}

fn write_participant(f: &mut Formatter<'_>, participant: &Participant) -> fmt::Result {
    let status = match participant.status {
        Status::Active => "active",
        Status::Suspended => "suspended",
        Status::Removed => "removed",
    };
    writeln!(f, "\n{}   {}   {status}", participant.name, participant.id)?;
    participant.identity_keys.iter().try_for_each(|key| write_identity_key(f, key))?;
    participant.sealing_keys.iter().try_for_each(|key| write_sealing_key(f, key))
}

fn write_identity_key(f: &mut Formatter<'_>, key: &IdentityKey) -> fmt::Result {
    let usage = match (key.usage.sign, key.usage.login) {
        (true, true) => "sign, login",
        (true, false) => "sign",
        (false, true) => "login",
        (false, false) => "nothing",
    };
    let id = key_id(Algorithm::Ed25519, &key.public);
    writeln!(f, "  identity  {id}   {usage}   {}", Span(key.validity))
}

fn write_sealing_key(f: &mut Formatter<'_>, key: &SealingKey) -> fmt::Result {
    let algorithm = match key.algorithm {
        Algorithm::X25519 => "X25519",
        Algorithm::XWing => "X-Wing",
        Algorithm::Ed25519 => "Ed25519",
    };
    writeln!(f, "  sealing   {}   {algorithm}   {}", key_id(key.algorithm, &key.public), Span(key.validity))
}

fn write_permission(f: &mut Formatter<'_>, permission: &Permission) -> fmt::Result {
    let names = |names: &[Name]| match names {
        [] => "everyone".to_owned(),
        names => names.iter().map(Name::as_str).collect::<Vec<_>>().join(", "),
    };
    writeln!(f, "policy     {} may write to {}", names(&permission.from), names(&permission.to))
}

struct Span(Validity);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", Moment(self.0.not_before), Moment(self.0.not_after))
    }
}

/// A moment as a person reads it: UTC, to the second (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl Display for Moment {
    /// The civil date of a day number, by Howard Hinnant's algorithm `civil_from_days`: years of 400-year eras that
    /// begin in March.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0.0 / 1_000;
        let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = 400 * era + year_of_era + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_dates() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_000, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00Z"),
            (1_795_248_000_000, "2026-11-21T08:00:00Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ];
        for (millis, text) in cases {
            assert_eq!(Moment(Timestamp(millis)).to_string(), text);
        }
    }
}
