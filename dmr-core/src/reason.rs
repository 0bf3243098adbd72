//! Stable numbers for why a publish, a login, a link or a message failed.
//!
//! Numbers are never reused. An unknown number from a newer peer is kept and shown, and is treated by its range.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident, $unknown:literal { $($(#[$vdoc:meta])* $variant:ident = $number:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A number that this version does not name.
            Other(u16),
        }

        impl $name {
            /// Every reason that has a name.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The number on the wire.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// The reason with this number.
            pub const fn from_number(number: u16) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// A stable lower-case word for metrics, logs and APIs.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(_) => $unknown,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Other(number) => write!(f, "{} {number}", $unknown),
                    named => f.write_str(named.as_str()),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u16(self.number())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                u16::deserialize(deserializer).map(Self::from_number)
            }
        }
    };
}

reasons! {
    /// Why a server did not take a publish. 1–499: final for these bytes; 500 and above: the same bytes may be tried again.
    RejectReason, "reject" {
        /// The header's sender is not the participant of this session.
        SenderMismatch = 1, "sender-mismatch";
        /// The envelope belongs to another network.
        WrongNetwork = 2, "wrong-network";
        /// The signature is not the sender's.
        BadSignature = 3, "bad-signature";
        /// The directory knows no such key of the sender, or it is revoked or out of its validity.
        UnknownSenderKey = 4, "unknown-sender-key";
        /// It has expired.
        Expired = 5, "expired";
        /// It was created in the future, or lives longer than the directory allows.
        BadLifetime = 6, "bad-lifetime";
        /// The directory knows no such recipient.
        UnknownRecipient = 7, "unknown-recipient";
        /// A recipient is suspended or removed.
        RecipientInactive = 8, "recipient-inactive";
        /// The directory's policy does not let this sender write to this recipient.
        PolicyRefused = 9, "policy-refused";
        /// Larger than this server takes.
        TooLarge = 10, "too-large";
        /// The suite is below the directory's floor.
        SuiteTooLow = 11, "suite-too-low";
        /// Too many messages or bytes from this participant; slow down.
        RateLimited = 500, "rate-limited";
        /// A recipient's mailbox is full.
        MailboxFull = 501, "mailbox-full";
        /// The broker cannot take it now.
        Unavailable = 502, "unavailable";
        /// The broker did not say in time; it may or may not be stored.
        Undecided = 503, "undecided";
        /// The server is draining.
        Draining = 504, "draining";
        /// The sealing directory is newer than the server's, or the server's has expired.
        StaleDirectory = 505, "stale-directory";
    }
}

impl RejectReason {
    /// Whether the same bytes may be published again later.
    pub const fn is_retryable(self) -> bool {
        self.number() >= 500
    }
}

reasons! {
    /// Why a link was closed, as a WebSocket close code. 3000–3499: connect again; 3500–3999: connecting again at
    /// once would end the same way, so an agent waits much longer.
    CloseReason, "close" {
        /// The server is going away.
        Draining = 3000, "draining";
        /// A newer link of the same instance took over.
        Superseded = 3001, "superseded";
        /// Nothing was heard for two heartbeats.
        HeartbeatMissed = 3002, "heartbeat-missed";
        /// The login did not finish in time.
        LoginTimeout = 3003, "login-timeout";
        /// The peer did not read fast enough.
        SlowPeer = 3004, "slow-peer";
        /// The broker is not reachable.
        Unavailable = 3005, "unavailable";
        /// Too many connections, in all, from this address or of this participant.
        TooManyConnections = 3006, "too-many-connections";
        /// A directory revision changed what this link's login rests on; log in again.
        DirectoryChanged = 3007, "directory-changed";
        /// A delivery was not settled in time.
        SettleTimeout = 3008, "settle-timeout";
        /// The link broke without a close.
        LinkLost = 3009, "link-lost";
        /// The link could not be opened.
        ConnectFailed = 3010, "connect-failed";
        /// The agent is shutting down.
        Shutdown = 3011, "shutdown";
        /// A frame that is not allowed in this state.
        ProtocolViolation = 3500, "protocol-violation";
        /// A frame or an envelope that cannot be decoded.
        Malformed = 3501, "malformed";
        /// A frame longer than allowed.
        FrameTooLarge = 3502, "frame-too-large";
        /// No common protocol version.
        UnsupportedVersion = 3503, "unsupported-version";
        /// The other side serves another network.
        WrongNetwork = 3504, "wrong-network";
        /// The login was refused. The server's log says why; the wire does not.
        LoginRefused = 3505, "login-refused";
        /// More publishes or deliveries than the credit.
        CreditExceeded = 3506, "credit-exceeded";
        /// The server is not the one this agent was configured with.
        WrongServer = 3507, "wrong-server";
        /// The two sides cannot agree on a channel binding.
        NoChannelBinding = 3508, "no-channel-binding";
    }
}

impl CloseReason {
    /// Whether an agent connects again after an ordinary backoff. `false` means: much later.
    pub const fn is_retryable(self) -> bool {
        self.number() < 3500
    }
}

reasons! {
    /// Why an accepted message will never be delivered, or why a recipient refused it.
    FailureReason, "failure" {
        /// Nobody took it before it expired.
        Expired = 1, "expired";
        /// The recipient's service refused it.
        Refused = 2, "refused";
        /// The recipient's service could not be reached in all attempts.
        Undeliverable = 3, "undeliverable";
        /// It could be opened and is not what it says it is.
        Malformed = 4, "malformed";
        /// It could not be opened or verified.
        Rejected = 5, "rejected";
        /// Its id was used before for something else.
        Replayed = 6, "replayed";
        /// It is sealed to a key the recipient does not hold.
        UnknownKey = 7, "unknown-key";
        /// The sender or the recipient was removed or its key revoked.
        Revoked = 8, "revoked";
        /// The server rejected it for good; the reject reason says why.
        NotAccepted = 9, "not-accepted";
        /// The mailbox dropped it at its bound.
        MailboxOverflow = 10, "mailbox-overflow";
        /// It answers no question of its recipient's.
        Unsolicited = 11, "unsolicited";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back_to_its_reason() {
        for reason in RejectReason::ALL {
            assert_eq!(RejectReason::from_number(reason.number()), *reason);
        }
        for reason in CloseReason::ALL {
            assert_eq!(CloseReason::from_number(reason.number()), *reason);
            assert!((3000..4000).contains(&reason.number()));
        }
        for reason in FailureReason::ALL {
            assert_eq!(FailureReason::from_number(reason.number()), *reason);
        }
    }

    #[test]
    fn an_unknown_number_is_kept_and_judged_by_its_range() {
        assert!(RejectReason::from_number(900).is_retryable());
        assert!(!RejectReason::from_number(400).is_retryable());
        assert!(CloseReason::from_number(3400).is_retryable());
        assert!(!CloseReason::from_number(3999).is_retryable());
        assert_eq!(FailureReason::from_number(77).number(), 77);
    }
}
