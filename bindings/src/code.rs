//! The table: one number for each name of an error.
//!
//! The hundreds are categories, so that a caller can act on a number it does not know. 981 to 989 are taken by errors that
//! are Python's own, in `python/dmr/aio/errors.py`.

use std::fmt;

use dmr_core::error_name::ErrorName;

use crate::category::Category;

/// The stable number of an error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u16);

macro_rules! table {
    ($($number:literal = $name:literal,)*) => {
        /// Every number with its name, ascending.
        pub const TABLE: &[(u16, &str)] = &[$(($number, $name)),*];
    };
}

table! {
    1 = "unknown",
    101 = "id.not-uuid",
    102 = "id.nil",
    103 = "id.not-name",
    104 = "id.not-hex",
    121 = "decode.too-long",
    122 = "decode.malformed",
    123 = "decode.trailing",
    124 = "decode.not-canonical",
    125 = "decode.invalid",
    141 = "encode.unsupported",
    142 = "encode.too-long",
    151 = "json.malformed",
    161 = "publish.full",
    162 = "publish.duplicate",
    163 = "publish.too-large",
    164 = "publish.stopped",
    201 = "directory.too-long",
    202 = "directory.json",
    203 = "directory.too-many",
    204 = "directory.no-revision",
    205 = "directory.no-lifetime",
    206 = "directory.bad-max-ttl",
    207 = "directory.repeated-participant",
    208 = "directory.repeated-name",
    209 = "directory.repeated-public-key",
    210 = "directory.empty-validity",
    211 = "directory.useless-key",
    212 = "directory.not-sealing",
    213 = "directory.wrong-length",
    214 = "directory.repeated-revocation",
    215 = "directory.unknown-in-policy",
    301 = "key.wrong-length",
    302 = "key.not-canonical",
    303 = "key.not-on-curve",
    304 = "key.small-order",
    305 = "key.wrong-algorithm",
    321 = "random.unavailable",
    331 = "key-file.too-long",
    332 = "key-file.malformed",
    333 = "key-file.wrong-kind",
    334 = "key-file.unknown-version",
    335 = "key-file.keys",
    401 = "jws.form",
    402 = "jws.header",
    403 = "jws.algorithm",
    404 = "jws.type",
    421 = "root.too-long",
    422 = "root.json",
    423 = "root.repeated-key",
    424 = "root.threshold",
    425 = "root.empty-validity",
    426 = "root.missing",
    427 = "root.too-many",
    428 = "root.wrong-network",
    429 = "root.version",
    430 = "root.repeated-signature",
    431 = "root.not-signed",
    432 = "root.bad-signature",
    451 = "refused.too-long",
    452 = "refused.form",
    453 = "refused.unknown-key",
    454 = "refused.bad-signature",
    455 = "refused.wrong-network",
    456 = "refused.outside-validity",
    457 = "refused.not-yet-issued",
    458 = "refused.key",
    459 = "refused.repeated-key",
    460 = "refused.sealing-key-not-signed",
    481 = "trust.root-rollback",
    482 = "trust.root-forked",
    483 = "trust.rollback",
    484 = "trust.forked",
    485 = "trust.expired",
    501 = "authority.wrong-role",
    502 = "authority.wrong-network",
    503 = "authority.name-taken",
    504 = "authority.unknown-name",
    505 = "authority.last-revision",
    521 = "standing.not-listed",
    522 = "standing.inactive",
    523 = "standing.no-signing-key",
    524 = "standing.no-login-key",
    525 = "standing.no-sealing-key",
    601 = "verify.wrong-network",
    602 = "verify.suite-too-low",
    603 = "verify.unknown-sender-key",
    604 = "verify.revoked-key",
    605 = "verify.sender-inactive",
    606 = "verify.bad-signature",
    607 = "verify.stale-directory",
    608 = "verify.directory-forked",
    609 = "verify.created-in-future",
    610 = "verify.bad-lifetime",
    611 = "verify.expired",
    612 = "verify.key-out-of-validity",
    613 = "verify.unknown-recipient",
    614 = "verify.recipient-inactive",
    615 = "verify.policy-refused",
    641 = "login.wrong-network",
    642 = "login.unsupported-version",
    643 = "login.unknown-key",
    644 = "login.revoked-key",
    645 = "login.key-out-of-validity",
    646 = "login.inactive",
    647 = "login.bad-proof",
    661 = "challenge.wrong-network",
    662 = "challenge.not-signed",
    663 = "challenge.unknown-key",
    664 = "challenge.bad-signature",
    701 = "seal.directory-expired",
    702 = "seal.directory-forked",
    703 = "seal.recipient-count",
    704 = "seal.repeated-recipient",
    705 = "seal.no-sealing-key",
    706 = "seal.no-common-suite",
    707 = "seal.bad-lifetime",
    708 = "seal.failed",
    741 = "open.not-recipient",
    742 = "open.unknown-key",
    743 = "open.key-out-of-validity",
    744 = "open.undecryptable",
    745 = "open.malformed",
    801 = "call.null",
    802 = "call.too-long",
    803 = "call.not-text",
    804 = "call.wrong-length",
    805 = "call.out-of-range",
    806 = "call.wrong-handle",
    807 = "call.panicked",
    808 = "call.out-of-turn",
    809 = "call.misaligned",
    901 = "unsealable.no-directory",
    902 = "unsealable.expired",
    903 = "unsealable.forked",
    904 = "unsealable.own-entry",
    921 = "send.unknown-recipient",
    922 = "send.recipient-inactive",
    923 = "send.policy-refused",
    924 = "send.recipients",
    925 = "send.lifetime",
    926 = "send.too-large",
    927 = "send.full",
    928 = "send.duplicate",
    929 = "send.rejected",
    930 = "send.expired",
    931 = "send.withdrawn",
    932 = "send.not-a-question",
    933 = "send.seal",
    934 = "send.stopped",
    961 = "login-refusal.unproven-server",
    962 = "login-refusal.no-login-key",
    963 = "login-refusal.no-channel-binding",
    964 = "login-refusal.no-randomness",
    965 = "login-refusal.malformed",
}

impl ErrorCode {
    /// An error that this table does not know: one of a newer crate.
    pub const UNKNOWN: Self = Self(1);

    /// The number of this error.
    pub fn of(error: &impl ErrorName) -> Self {
        Self::from_name(error.error_name()).unwrap_or(Self::UNKNOWN)
    }

    /// The number of the error with this stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, known)| *known == name).map(|(number, _)| Self(*number))
    }

    /// The code with this number, if there is one.
    pub fn from_number(number: u16) -> Option<Self> {
        TABLE.binary_search_by_key(&number, |(known, _)| *known).ok().map(|_| Self(number))
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The stable name.
    pub fn name(self) -> &'static str {
        let position = TABLE.binary_search_by_key(&self.0, |(known, _)| *known);
        position.ok().and_then(|position| TABLE.get(position)).map_or("unknown", |(_, name)| name)
    }

    /// The C enumerator of this error in `enum dmr_status`: `DMR_` and the name in capitals.
    pub fn enumerator(self) -> String {
        format!("DMR_{}", self.name().replace(['.', '-'], "_").to_ascii_uppercase())
    }

    /// What kind of thing went wrong.
    pub const fn category(self) -> Category {
        match self.0 / 100 {
            2 => Category::Directory,
            3 => Category::Key,
            4 => Category::Trust,
            5 => Category::Authority,
            6 => Category::Verify,
            7 => Category::Seal,
            8 => Category::Call,
            9 => Category::Send,
            _ => Category::Input,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorCode({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dmr_core::error_name::ErrorName;
    use dmr_core::{codec, directory, exchange, id, json, session};
    use dmr_crypto::authority::AuthorityError;

    use super::*;

    /// Every name that an error of the crates can have. The compiler demands a name of every variant, in the crates.
    fn names() -> Vec<&'static str> {
        [
            id::IdError::NAMES,
            codec::DecodeError::NAMES,
            codec::EncodeError::NAMES,
            json::JsonError::NAMES,
            session::AgentPublishError::NAMES,
            directory::DirectoryError::NAMES,
            exchange::Unsealable::NAMES,
            exchange::SendError::NAMES,
            exchange::LoginRefusal::NAMES,
            dmr_crypto::KeyError::NAMES,
            dmr_crypto::RandomError::NAMES,
            dmr_crypto::KeyFileError::NAMES,
            dmr_crypto::JwsError::NAMES,
            dmr_crypto::RootError::NAMES,
            dmr_crypto::DirectoryRefused::NAMES,
            dmr_crypto::TrustError::NAMES,
            AuthorityError::NAMES,
            dmr_crypto::StandingError::NAMES,
            dmr_crypto::VerifyError::NAMES,
            dmr_crypto::LoginError::NAMES,
            dmr_crypto::ChallengeError::NAMES,
            dmr_crypto::SealError::NAMES,
            dmr_crypto::OpenError::NAMES,
            crate::CallError::NAMES,
        ]
        .concat()
    }

    #[test]
    fn every_error_of_the_crates_has_a_number_of_its_own_and_no_number_is_idle() {
        let names = names();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len(), "two errors share a name");
        let listed: BTreeSet<&str> = TABLE.iter().skip(1).map(|(_, name)| *name).collect();
        assert_eq!(listed, distinct);
        assert_eq!(listed.len(), TABLE.len() - 1, "a name stands twice in the table");
    }

    /// The names of all public error types in a crate's sources.
    fn error_types(sources: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(sources).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                error_types(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let after = text.split("thiserror::Error").skip(1).filter_map(|rest| rest.split_once("\npub "));
                let names = after.filter_map(|(_, item)| item.split([' ', '{', ';', '(']).nth(1));
                found.extend(names.map(str::to_owned));
            }
        }
    }

    #[test]
    fn no_error_type_of_the_crates_is_without_names() {
        let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for (crate_name, at_least) in [("dmr-core", 5), ("dmr-crypto", 14)] {
            let sources = workspace.join(crate_name).join("src");
            let named = std::fs::read_to_string(sources.join("error_name.rs")).unwrap();
            let mut found = Vec::new();
            error_types(&sources, &mut found);
            assert!(found.len() >= at_least, "{crate_name}: {found:?}");
            for error in found {
                let implemented = [format!("error_names!({error},"), format!("impl ErrorName for {error} ")];
                assert!(implemented.iter().any(|text| named.contains(text)), "{crate_name}: {error} has no names");
            }
        }
    }

    #[test]
    fn numbers_ascend_so_that_none_stands_twice() {
        assert!(TABLE.is_sorted_by(|(a, _), (b, _)| a < b));
    }

    #[test]
    fn an_error_inside_another_has_its_own_number() {
        let refused = dmr_crypto::VerifyError::BadSignature;
        assert_eq!(ErrorCode::of(&dmr_crypto::OpenError::Refused(refused)), ErrorCode::of(&refused));
        assert_eq!(ErrorCode::of(&refused).name(), "verify.bad-signature");
        assert_eq!(ErrorCode::of(&refused).category(), Category::Verify);
    }

    #[test]
    fn every_error_has_an_enumerator_of_its_own_and_every_category_an_exception_of_its_own() {
        let codes = TABLE.iter().filter_map(|(number, _)| ErrorCode::from_number(*number));
        let enumerators: BTreeSet<String> = codes.map(ErrorCode::enumerator).collect();
        assert_eq!(enumerators.len(), TABLE.len());
        assert!(enumerators.contains("DMR_VERIFY_BAD_SIGNATURE"));
        let exceptions: BTreeSet<&str> = Category::ALL.iter().map(|category| category.exception()).collect();
        assert_eq!(exceptions.len(), Category::ALL.len());
    }

    #[test]
    fn an_unknown_number_is_no_code() {
        assert_eq!(ErrorCode::from_number(65_535), None);
        assert_eq!(ErrorCode::from_name("no.such"), None);
        assert_eq!(ErrorCode::UNKNOWN.name(), "unknown");
    }
}
