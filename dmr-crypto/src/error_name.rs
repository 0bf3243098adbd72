//! The stable names of this crate's errors.

#[cfg(feature = "sign")]
use dmr_core::error_name::ErrorName;
use dmr_core::error_names;

use crate::{ChallengeError, DirectoryRefused, JwsError, KeyError, LoginError, RootError, TrustError, VerifyError};
#[cfg(feature = "sign")]
use crate::{KeyFileError, RandomError, authority::AuthorityError};
#[cfg(feature = "seal")]
use crate::{OpenError, SealError, StandingError};

error_names!(KeyError, "key", own {
    WrongLength = "wrong-length",
    NotCanonical = "not-canonical",
    NotOnCurve = "not-on-curve",
    SmallOrder = "small-order",
    WrongAlgorithm = "wrong-algorithm",
} wraps {});

error_names!(JwsError, "jws", own {
    Form = "form",
    Header = "header",
    Algorithm = "algorithm",
    Type = "type",
} wraps {});

error_names!(RootError, "root", own {
    TooLong = "too-long",
    Json = "json",
    RepeatedKey = "repeated-key",
    Threshold = "threshold",
    EmptyValidity = "empty-validity",
    Missing = "missing",
    TooMany = "too-many",
    WrongNetwork = "wrong-network",
    Version = "version",
    RepeatedSignature = "repeated-signature",
    NotSigned = "not-signed",
    BadSignature = "bad-signature",
} wraps { Jws, Key, });

error_names!(DirectoryRefused, "refused", own {
    TooLong = "too-long",
    Form = "form",
    UnknownKey = "unknown-key",
    BadSignature = "bad-signature",
    WrongNetwork = "wrong-network",
    OutsideValidity = "outside-validity",
    NotYetIssued = "not-yet-issued",
    Key = "key",
    RepeatedKey = "repeated-key",
    SealingKeyNotSigned = "sealing-key-not-signed",
} wraps { Root, Jws, Directory, });

error_names!(TrustError, "trust", own {
    RootRollback = "root-rollback",
    RootForked = "root-forked",
    Rollback = "rollback",
    Forked = "forked",
    Expired = "expired",
} wraps { Refused, });

error_names!(VerifyError, "verify", own {
    WrongNetwork = "wrong-network",
    SuiteTooLow = "suite-too-low",
    UnknownSenderKey = "unknown-sender-key",
    RevokedKey = "revoked-key",
    SenderInactive = "sender-inactive",
    BadSignature = "bad-signature",
    StaleDirectory = "stale-directory",
    DirectoryForked = "directory-forked",
    CreatedInFuture = "created-in-future",
    BadLifetime = "bad-lifetime",
    Expired = "expired",
    KeyOutOfValidity = "key-out-of-validity",
    UnknownRecipient = "unknown-recipient",
    RecipientInactive = "recipient-inactive",
    PolicyRefused = "policy-refused",
} wraps {});

error_names!(LoginError, "login", own {
    WrongNetwork = "wrong-network",
    UnsupportedVersion = "unsupported-version",
    UnknownKey = "unknown-key",
    RevokedKey = "revoked-key",
    KeyOutOfValidity = "key-out-of-validity",
    Inactive = "inactive",
    BadProof = "bad-proof",
} wraps { Malformed, });

error_names!(ChallengeError, "challenge", own {
    WrongNetwork = "wrong-network",
    NotSigned = "not-signed",
    UnknownKey = "unknown-key",
    BadSignature = "bad-signature",
} wraps { Malformed, });

#[cfg(feature = "sign")]
error_names!(KeyFileError, "key-file", own {
    TooLong = "too-long",
    Malformed = "malformed",
    WrongKind = "wrong-kind",
    UnknownVersion = "unknown-version",
    Keys = "keys",
} wraps {});

#[cfg(feature = "sign")]
error_names!(AuthorityError, "authority", own {
    WrongRole = "wrong-role",
    WrongNetwork = "wrong-network",
    NameTaken = "name-taken",
    UnknownName = "unknown-name",
    LastRevision = "last-revision",
} wraps { Random, Directory, Root, Refused, });

#[cfg(feature = "sign")]
impl ErrorName for RandomError {
    const NAMES: &'static [&'static str] = &["random.unavailable"];

    fn error_name(&self) -> &'static str {
        "random.unavailable"
    }
}

#[cfg(feature = "seal")]
error_names!(StandingError, "standing", own {
    NotListed = "not-listed",
    Inactive = "inactive",
    NoSigningKey = "no-signing-key",
    NoLoginKey = "no-login-key",
    NoSealingKey = "no-sealing-key",
} wraps {});

#[cfg(feature = "seal")]
error_names!(SealError, "seal", own {
    DirectoryExpired = "directory-expired",
    DirectoryForked = "directory-forked",
    RecipientCount = "recipient-count",
    RepeatedRecipient = "repeated-recipient",
    NoSealingKey = "no-sealing-key",
    NoCommonSuite = "no-common-suite",
    BadLifetime = "bad-lifetime",
    Failed = "failed",
} wraps { Standing, Recipient, Content, Random, });

#[cfg(feature = "seal")]
error_names!(OpenError, "open", own {
    NotRecipient = "not-recipient",
    UnknownKey = "unknown-key",
    KeyOutOfValidity = "key-out-of-validity",
    Undecryptable = "undecryptable",
    Malformed = "malformed",
} wraps { Refused, });
