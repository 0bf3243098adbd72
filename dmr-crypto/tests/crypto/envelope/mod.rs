//! What an envelope withstands, and what sealing does.

mod acceptance;
mod sealing;
mod tampering;

use std::time::Duration;

use dmr_core::envelope::Envelope;
use dmr_core::header::{Kind, Suite};
use dmr_crypto::{Keyring, OpenError, SealError, SealRequest, VerifyError, open, seal};

use crate::world::{NOW, World, content, id, keyring, message_id};

pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) const SKEW: Duration = Duration::from_secs(120);

/// Tax and police, and a third party, at suite 2.
pub(crate) fn world() -> World {
    World::of(&["tax", "police", "press"], Suite::XWing)
}

pub(crate) fn tax() -> Keyring {
    keyring("tax", Suite::XWing)
}

pub(crate) fn police() -> Keyring {
    keyring("police", Suite::XWing)
}

pub(crate) fn open_as(world: &World, who: &Keyring, envelope: &Envelope) -> Result<String, OpenError> {
    open(who, &world.directory, envelope, NOW).map(|opened| {
        let dmr_core::content::Content::V1(message) = opened.content else { panic!("another content") };
        String::from_utf8(message.body.to_vec()).unwrap()
    })
}

pub(crate) fn refused(error: VerifyError) -> Result<String, OpenError> {
    Err(OpenError::Refused(error))
}

pub(crate) fn try_seal(world: &World, sender: &Keyring, recipients: &[&str]) -> Result<(), SealError> {
    let recipients: Vec<_> = recipients.iter().map(|recipient| id(recipient)).collect();
    let content = content("a question");
    let request = SealRequest {
        id: message_id(1),
        kind: Kind::QUESTION,
        recipients: &recipients,
        created: NOW,
        expires: NOW.plus(HOUR),
        content: &content,
    };
    seal(sender, &world.directory, request).map(|_| ())
}
