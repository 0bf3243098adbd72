//! A network for tests: its keeper, its participants, and its files in a directory of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dmr_core::content::{Content, Message};
use dmr_core::directory::{Directory, Status, Validity};
use dmr_core::envelope::Envelope;
use dmr_core::header::{Kind, Suite};
use dmr_core::id::{MessageId, Name, ParticipantId};
use dmr_core::time::Timestamp;
use dmr_crypto::authority::{self, AuthorityKey};
use dmr_crypto::{Keyring, RootPin, SealRequest, VerifiedDirectory, seal};

/// How long directories and keys are valid.
pub(crate) const VALID_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

pub(crate) struct Network {
    pub(crate) pin: RootPin,
    pub(crate) directory: VerifiedDirectory,
    keeper: AuthorityKey,
    members: BTreeMap<String, Keyring>,
    home: tempfile::TempDir,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::default().plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

pub(crate) fn fresh_id() -> MessageId {
    MessageId::from_custom_bytes(u128::from(NEXT_ID.fetch_add(1, Ordering::Relaxed)).to_be_bytes())
}

impl Network {
    /// The network `testnet` with these participants, its directory in a file.
    pub(crate) fn of(names: &[&str]) -> Self {
        let founding = authority::found(name("testnet"), now().minus(HOUR), VALID_FOR).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut network = Self {
            pin: founding.pin,
            directory: founding.directory,
            keeper: founding.directory_key,
            members: BTreeMap::new(),
            home,
        };
        std::fs::write(network.root_file(), network.pin.to_json().unwrap()).unwrap();
        names.iter().for_each(|name| network.make_member(name));
        let cards: Vec<_> = network.members.values().map(Keyring::card).collect();
        let signed = authority::add(&network.directory, &network.pin, &network.keeper, &cards, now(), VALID_FOR);
        network.directory = signed.unwrap();
        network.publish();
        network
    }

    fn make_member(&mut self, member: &str) {
        let validity = Validity { not_before: now().minus(HOUR), not_after: now().plus(VALID_FOR) };
        let id = ParticipantId::from_bytes([self.members.len() as u8 + 1; 16]).unwrap();
        let keys = Keyring::generate(id, name(member), Suite::X25519, validity).unwrap();
        self.members.insert(member.to_owned(), keys);
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn directory_file(&self) -> PathBuf {
        self.home().join("directory.jws")
    }

    pub(crate) fn root_file(&self) -> PathBuf {
        self.home().join("root.pub")
    }

    pub(crate) fn keys(&self, member: &str) -> &Keyring {
        &self.members[member]
    }

    pub(crate) fn id(&self, member: &str) -> ParticipantId {
        self.keys(member).participant()
    }

    /// Signs the next revision, changed so. It is in the file once it is published.
    pub(crate) fn amend(&mut self, change: impl FnOnce(&mut Directory)) {
        self.amend_at(now(), VALID_FOR, change);
    }

    pub(crate) fn amend_at(&mut self, at: Timestamp, valid_for: Duration, change: impl FnOnce(&mut Directory)) {
        let signed = authority::amend(&self.directory, &self.pin, &self.keeper, at, valid_for, |directory| {
            change(directory);
            Ok(())
        });
        self.directory = signed.unwrap();
    }

    pub(crate) fn set_status(&mut self, member: &str, status: Status) {
        let id = self.id(member);
        self.amend(|directory| {
            directory.participants.iter_mut().find(|entry| entry.id == id).unwrap().status = status;
        });
    }

    /// Puts the directory into its file, at once.
    pub(crate) fn publish(&self) {
        self.write_directory(self.directory.bundle());
    }

    pub(crate) fn write_directory(&self, bundle: &[u8]) {
        let new = self.home().join("new");
        std::fs::write(&new, bundle).unwrap();
        std::fs::rename(new, self.directory_file()).unwrap();
    }

    /// A question from one member to others, which expires in an hour.
    pub(crate) fn seal(&self, from: &str, to: &[&str]) -> Envelope {
        self.seal_text(from, to, "a question", HOUR)
    }

    pub(crate) fn seal_text(&self, from: &str, to: &[&str], text: &str, lives: Duration) -> Envelope {
        let recipients: Vec<_> = to.iter().map(|member| self.id(member)).collect();
        let content = Content::V1(Message {
            content_type: "text/plain".into(),
            conversation: None,
            sequence: None,
            room: None,
            in_reply_to: None,
            body: Bytes::copy_from_slice(text.as_bytes()),
        });
        let created = now();
        let request = SealRequest {
            id: fresh_id(),
            kind: Kind::QUESTION,
            recipients: &recipients,
            created,
            expires: created.plus(lives),
            content: &content,
        };
        seal(self.keys(from), &self.directory, request).unwrap().envelope
    }
}
