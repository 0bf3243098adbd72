//! A network in memory, with keys that come from names: the same in every run, and forgeable on purpose.

use std::time::Duration;

use dmr_core::content::{Content, Message};
use dmr_core::directory::{Card, Directory, Validity};
use dmr_core::header::{Kind, Suite};
use dmr_core::id::{MessageId, Name, ParticipantId};
use dmr_core::time::Timestamp;
use dmr_crypto::authority::{self, AuthorityError, AuthorityKey};
use dmr_crypto::{Keyring, RootPin, SealRequest, Sealed, VerifiedDirectory, seal};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

use crate::documents::{self, base64};

/// The present of these tests.
pub(crate) const NOW: Timestamp = Timestamp(1_790_000_000_000);
/// How long directories are signed for.
pub(crate) const VALID_FOR: Duration = Duration::from_hours(30 * 24);
/// From when to when keys are valid.
pub(crate) const VALIDITY: Validity =
    Validity { not_before: Timestamp(NOW.0 - 86_400_000), not_after: Timestamp(NOW.0 + 365 * 86_400_000) };

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// 32 bytes that belong to a label.
pub(crate) fn seed(label: &str) -> [u8; 32] {
    Sha256::digest(["DMR test seed ", label].concat()).into()
}

pub(crate) fn id(of: &str) -> ParticipantId {
    ParticipantId::from_custom_bytes(seed(&format!("{of} id"))[..16].try_into().unwrap())
}

pub(crate) fn message_id(number: u64) -> MessageId {
    MessageId::from_custom_bytes(seed(&format!("message {number}"))[..16].try_into().unwrap())
}

/// The secret signing key of a participant, for forgers.
pub(crate) fn signing_key(of: &str) -> SigningKey {
    SigningKey::from_bytes(&seed(&format!("{of} identity")))
}

/// The key file of a participant with a sealing key for each of `suites`, all with this validity.
pub(crate) fn key_file(of: &str, suites: &[u16], validity: Validity) -> String {
    let validity = format!(r#"{{"notBefore":{},"notAfter":{}}}"#, validity.not_before.0, validity.not_after.0);
    let sealing = suites.iter().map(|suite| {
        let secret = base64(&seed(&format!("{of} sealing {suite}")));
        format!(r#"{{"suite":{suite},"secret":"{secret}","validity":{validity}}}"#)
    });
    format!(
        r#"{{"version":1,"kind":"participant","id":"{}","name":"{of}",
            "identity":[{{"seed":"{}","use":["sign","login"],"validity":{validity}}}],"sealing":[{}]}}"#,
        id(of),
        base64(&seed(&format!("{of} identity"))),
        sealing.collect::<Vec<_>>().join(","),
    )
}

pub(crate) fn keyring_with(of: &str, suites: &[u16], validity: Validity) -> Keyring {
    Keyring::from_key_file(key_file(of, suites, validity).as_bytes()).unwrap()
}

/// The keyring of a participant with a sealing key for each suite up to `suite`.
pub(crate) fn keyring(of: &str, suite: Suite) -> Keyring {
    let suites = [1, 2];
    keyring_with(of, &suites[..usize::from(suite.number())], VALIDITY)
}

/// The key that signs this network's directories, or its root documents.
pub(crate) fn authority_key(kind: &str) -> AuthorityKey {
    let file = format!(
        r#"{{"version":1,"kind":"{kind}","network":"test","seed":"{}"}}"#,
        base64(&seed(&format!("{kind} key")))
    );
    AuthorityKey::from_key_file(file.as_bytes()).unwrap()
}

/// A network called `test` and its keeper.
pub(crate) struct World {
    pub(crate) pin: RootPin,
    pub(crate) key: AuthorityKey,
    pub(crate) directory: VerifiedDirectory,
}

impl World {
    /// A network without participants.
    pub(crate) fn empty() -> Self {
        let bundle = documents::bundle(&documents::first_directory());
        let pin = documents::pin(&["root key"], 1);
        let directory = VerifiedDirectory::verify(bundle.as_bytes(), &pin, NOW).unwrap();
        Self { pin, key: authority_key("directory"), directory }
    }

    /// A network with these participants, who all support suites up to `suite`.
    pub(crate) fn of(names: &[&str], suite: Suite) -> Self {
        let mut world = Self::empty();
        let cards: Vec<Card> = names.iter().map(|name| keyring(name, suite).card()).collect();
        world.add(&cards);
        world
    }

    pub(crate) fn add(&mut self, cards: &[Card]) {
        self.directory = authority::add(&self.directory, &self.pin, &self.key, cards, NOW, VALID_FOR).unwrap();
    }

    /// The next revision, changed by `change`.
    pub(crate) fn next(&self, change: impl FnOnce(&mut Directory)) -> VerifiedDirectory {
        self.try_next(change).unwrap()
    }

    pub(crate) fn try_next(&self, change: impl FnOnce(&mut Directory)) -> Result<VerifiedDirectory, AuthorityError> {
        authority::amend(&self.directory, &self.pin, &self.key, NOW, VALID_FOR, |directory| {
            change(directory);
            Ok(())
        })
    }

    /// Adopts the next revision.
    pub(crate) fn amend(&mut self, change: impl FnOnce(&mut Directory)) {
        self.directory = self.next(change);
    }
}

/// A content that a canary would recognise.
pub(crate) fn content(text: &str) -> Content {
    Content::V1(Message {
        content_type: "text/plain".into(),
        conversation: None,
        sequence: None,
        room: None,
        in_reply_to: None,
        body: text.as_bytes().to_vec().into(),
    })
}

/// A question from `sender` to `recipients`, for an hour.
pub(crate) fn sealed(world: &World, sender: &Keyring, recipients: &[&str], text: &str) -> Sealed {
    let recipients: Vec<_> = recipients.iter().map(|recipient| id(recipient)).collect();
    let content = content(text);
    let request = SealRequest {
        id: message_id(1),
        kind: Kind::QUESTION,
        recipients: &recipients,
        created: NOW,
        expires: NOW.plus(Duration::from_hours(1)),
        content: &content,
    };
    seal(sender, &world.directory, request).unwrap()
}
