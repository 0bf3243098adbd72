//! The login: whether a proof holds on this link, and whether it still does under a newer directory.

use dmr_core::directory::{Algorithm, Status};
use dmr_core::frame::{AuthFields, ChannelBinding};
use dmr_core::id::{KeyId, ParticipantId};
use dmr_core::reason::CloseReason;
use dmr_core::time::Timestamp;
use dmr_crypto::{LoginError, VerifiedDirectory, key_id, verify_login};

/// Why a login is refused. For the log; the wire says [`LoginRefused::close_reason`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LoginRefused {
    /// The proof does not hold.
    #[error(transparent)]
    Proof(#[from] LoginError),
    /// Only one side sees a TLS connection to bind to.
    #[error("the agent is {}, this side is {}", bound(*theirs), bound(*ours))]
    NoBinding {
        /// What the agent says.
        theirs: ChannelBinding,
        /// What this side sees.
        ours: ChannelBinding,
    },
    /// The login was made for another TLS connection: somebody sits in between.
    #[error("the login is bound to another tls connection")]
    OtherConnection,
}

impl LoginRefused {
    /// What the agent is told: the same for everything that would help a stranger guess.
    pub(crate) const fn close_reason(&self) -> CloseReason {
        match self {
            Self::NoBinding { .. } => CloseReason::NoChannelBinding,
            Self::Proof(_) | Self::OtherConnection => CloseReason::LoginRefused,
        }
    }
}

const fn bound(binding: ChannelBinding) -> &'static str {
    match binding {
        ChannelBinding::TlsExporter(_) => "bound to a tls connection",
        _ => "not bound to a tls connection",
    }
}

/// Checks a login on a link with this binding.
///
/// # Errors
/// [`LoginRefused`].
pub(crate) fn check(
    challenge: &[u8],
    fields: &[u8],
    proof: &[u8],
    binding: ChannelBinding,
    directory: &VerifiedDirectory,
    now: Timestamp,
) -> Result<AuthFields, LoginRefused> {
    let fields = verify_login(challenge, fields, proof, directory, now)?;
    match (fields.binding, binding) {
        (theirs, ours) if theirs == ours => Ok(fields),
        (ChannelBinding::TlsExporter(_), ChannelBinding::TlsExporter(_)) => Err(LoginRefused::OtherConnection),
        (theirs, ours) => Err(LoginRefused::NoBinding { theirs, ours }),
    }
}

/// Whether `participant`, logged in with `key`, could still log in with it.
pub(crate) fn still_holds(
    participant: ParticipantId,
    key: KeyId,
    directory: &VerifiedDirectory,
    now: Timestamp,
) -> bool {
    directory.participant(participant).is_some_and(|entry| {
        let mut keys = entry.identity_keys.iter();
        entry.status == Status::Active
            && !directory.is_revoked(key)
            && keys.any(|entry| {
                entry.usage.login && entry.validity.contains(now) && key_id(Algorithm::Ed25519, &entry.public) == key
            })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::network::{Network, VALID_FOR, now};

    #[test]
    fn a_login_holds_until_its_key_ends_or_its_participant_goes() {
        let mut network = Network::of(&["tax", "police"]);
        let (tax, key) = (network.id("tax"), network.keys("tax").any_login_key(now()).unwrap().id());
        let other = network.keys("police").any_login_key(now()).unwrap().id();
        assert!(still_holds(tax, key, &network.directory, now()));
        assert!(!still_holds(tax, other, &network.directory, now()));
        assert!(!still_holds(tax, key, &network.directory, now().plus(VALID_FOR + Duration::from_secs(1))));
        network.amend(|directory| {
            let entry = directory.participants.iter_mut().find(|entry| entry.id == tax).unwrap();
            entry.identity_keys.iter_mut().for_each(|key| key.usage.login = false);
        });
        assert!(!still_holds(tax, key, &network.directory, now()));
        network.set_status("police", Status::Suspended);
        assert!(!still_holds(network.id("police"), other, &network.directory, now()));
    }
}
