//! Stable names of errors: what logs, metrics, APIs and the other languages' bindings call them.
//!
//! A name is `kind.variant` in lower case. Names are never changed and never reused; an error that only wraps another
//! has the other's name.

use crate::codec::{DecodeError, EncodeError};
use crate::directory::DirectoryError;
use crate::exchange::{LoginRefusal, SendError, Unsealable};
use crate::id::IdError;
use crate::json::JsonError;
use crate::session::AgentPublishError;

/// An error whose every variant has a stable name.
pub trait ErrorName {
    /// Every name that is this type's own, in the order of its variants.
    const NAMES: &'static [&'static str];

    /// The stable name of this error.
    fn error_name(&self) -> &'static str;
}

/// Implements [`ErrorName`] for an enum in the crate that defines it, where the compiler demands every variant:
/// `own` variants by their names, `wraps` variants by the name of what they hold.
#[macro_export]
macro_rules! error_names {
    ($error:ty, $kind:literal, own { $($variant:ident = $name:literal,)* } wraps { $($outer:ident,)* }) => {
        impl $crate::error_name::ErrorName for $error {
            const NAMES: &'static [&'static str] = &[$(concat!($kind, ".", $name)),*];

            fn error_name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => concat!($kind, ".", $name),)*
                    $(Self::$outer(inner) => $crate::error_name::ErrorName::error_name(inner),)*
                }
            }
        }
    };
}

error_names!(IdError, "id", own {
    NotUuid = "not-uuid",
    Nil = "nil",
    NotName = "not-name",
    NotHex = "not-hex",
} wraps {});

error_names!(DecodeError, "decode", own {
    TooLong = "too-long",
    Malformed = "malformed",
    Trailing = "trailing",
    NotCanonical = "not-canonical",
    Invalid = "invalid",
} wraps {});

error_names!(EncodeError, "encode", own {
    Unsupported = "unsupported",
    TooLong = "too-long",
} wraps {});

error_names!(DirectoryError, "directory", own {
    TooLong = "too-long",
    Json = "json",
    TooMany = "too-many",
    NoRevision = "no-revision",
    NoLifetime = "no-lifetime",
    BadMaxTtl = "bad-max-ttl",
    RepeatedParticipant = "repeated-participant",
    RepeatedName = "repeated-name",
    RepeatedPublicKey = "repeated-public-key",
    EmptyValidity = "empty-validity",
    UselessKey = "useless-key",
    NotSealing = "not-sealing",
    WrongLength = "wrong-length",
    RepeatedRevocation = "repeated-revocation",
    UnknownInPolicy = "unknown-in-policy",
} wraps {});

error_names!(AgentPublishError, "publish", own {
    Full = "full",
    Duplicate = "duplicate",
    TooLarge = "too-large",
    Stopped = "stopped",
} wraps {});

error_names!(Unsealable, "unsealable", own {
    NoDirectory = "no-directory",
    Expired = "expired",
    Forked = "forked",
    OwnEntry = "own-entry",
} wraps {});

error_names!(SendError, "send", own {
    UnknownRecipient = "unknown-recipient",
    RecipientInactive = "recipient-inactive",
    PolicyRefused = "policy-refused",
    Recipients = "recipients",
    Lifetime = "lifetime",
    TooLarge = "too-large",
    Full = "full",
    Duplicate = "duplicate",
    Rejected = "rejected",
    Expired = "expired",
    Withdrawn = "withdrawn",
    NotAQuestion = "not-a-question",
    Seal = "seal",
    Stopped = "stopped",
} wraps {
    Unsealable,
});

error_names!(LoginRefusal, "login-refusal", own {
    UnprovenServer = "unproven-server",
    NoLoginKey = "no-login-key",
    NoChannelBinding = "no-channel-binding",
    NoRandomness = "no-randomness",
    Malformed = "malformed",
} wraps {});

impl ErrorName for JsonError {
    const NAMES: &'static [&'static str] = &["json.malformed"];

    fn error_name(&self) -> &'static str {
        "json.malformed"
    }
}
