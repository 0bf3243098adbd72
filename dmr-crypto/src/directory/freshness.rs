//! How old a directory is, and what that means.

use std::time::Duration;

use dmr_core::time::Timestamp;

use super::VerifiedDirectory;

/// How far a directory is through its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Freshness {
    /// In the first half.
    Fresh,
    /// In the second half: its keeper should renew it, and operators are warned.
    Ageing,
    /// Expired less than [`VerifiedDirectory::GRACE`] ago: still used.
    Grace,
    /// Expired: nothing new is sealed under it; opening goes on.
    Expired,
}

impl Freshness {
    /// Whether new envelopes may be sealed.
    pub const fn allows_sealing(self) -> bool {
        !matches!(self, Self::Expired)
    }

    /// A stable lower-case word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Ageing => "ageing",
            Self::Grace => "grace",
            Self::Expired => "expired",
        }
    }
}

impl VerifiedDirectory {
    /// How long after its expiry a directory still serves for sealing: 24 hours.
    pub const GRACE: Duration = Duration::from_hours(24);

    /// How far it is through its life at `now`.
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        let (issued, expires) = (self.issued(), self.expires());
        let half = issued.plus(expires.since(issued) / 2);
        if now < half {
            Freshness::Fresh
        } else if now <= expires {
            Freshness::Ageing
        } else if now <= expires.plus(Self::GRACE) {
            Freshness::Grace
        } else {
            Freshness::Expired
        }
    }
}
