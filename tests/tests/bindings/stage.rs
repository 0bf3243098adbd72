//! A network in files, with enough participants for the largest envelope in either suite.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dmr_core::directory::{Card, Validity};
use dmr_core::header::Suite;
use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, authority};
use dmr_tests::draws::Draws;
use dmr_tests::failure::{Doing as _, Outcome};
use tempfile::TempDir;

/// The present of these tests.
pub(crate) const NOW: u64 = 1_790_000_000_000;
/// When what is sealed now expires.
pub(crate) const EXPIRES: u64 = NOW + 3_600_000;
/// Most recipients of one envelope.
pub(crate) const MOST: usize = 64;

/// A participant: its id and its key file.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: ParticipantId,
    pub(crate) keys: PathBuf,
}

/// The files. Everybody has keys that the system drew.
pub(crate) struct Stage {
    directory: TempDir,
    /// Has keys of both suites and seals.
    pub(crate) sender: Person,
    /// Has keys of both suites, and is never a recipient here.
    pub(crate) stranger: Person,
    /// Have keys of suite 1 only.
    old: Vec<Person>,
    /// Have keys of both suites.
    new: Vec<Person>,
}

impl Stage {
    pub(crate) fn new() -> Outcome<Self> {
        let directory = tempfile::tempdir().doing("a temporary directory")?;
        let mut cards: Vec<Card> = Vec::new();
        let mut person = |number: usize, suite: Suite| -> Outcome<Person> {
            let mut bytes = [0; 16];
            bytes[8..].copy_from_slice(&number.to_be_bytes());
            let id = ParticipantId::from_random_bytes(bytes);
            let validity = Validity { not_before: Timestamp(NOW - 86_400_000), not_after: Timestamp(NOW * 2) };
            let name = format!("office-{number}").parse().doing("a name")?;
            let keyring = Keyring::generate(id, name, suite, validity).doing("making keys")?;
            let keys = directory.path().join(format!("{number}.key"));
            std::fs::write(&keys, &*keyring.to_key_file().doing("a key file")?).doing(keys.display())?;
            cards.push(keyring.card());
            Ok(Person { id, keys })
        };
        let (sender, stranger) = (person(1, Suite::XWing)?, person(2, Suite::XWing)?);
        let old = (100..100 + MOST).map(|number| person(number, Suite::X25519)).collect::<Outcome<Vec<_>>>()?;
        let new = (200..200 + MOST).map(|number| person(number, Suite::XWing)).collect::<Outcome<Vec<_>>>()?;
        let (now, valid_for) = (Timestamp(NOW), Duration::from_hours(30 * 24));
        let network = authority::found("test".parse().doing("a name")?, now, valid_for).doing("founding")?;
        let verified = authority::add(&network.directory, &network.pin, &network.directory_key, &cards, now, valid_for);
        let verified = verified.doing("the directory")?;
        let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).doing(name);
        write("root.pub", &network.pin.to_json().doing("the pin")?)?;
        write("directory.jws", verified.bundle())?;
        Ok(Self { sender, stranger, old, new, directory })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn pin(&self) -> PathBuf {
        self.path().join("root.pub")
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.path().join("directory.jws")
    }

    /// So many participants with whom the suite is this one, in any order.
    pub(crate) fn recipients(&self, draws: &mut Draws, suite: u16, count: usize) -> Vec<Person> {
        draws.some(if suite == 1 { &self.old } else { &self.new }, count)
    }
}

/// A request to seal this body as a question.
pub(crate) fn seal_line(sender: &Person, recipients: &[Person], content_type: &str, body: &[u8]) -> String {
    let ids: Vec<String> = recipients.iter().map(|person| person.id.to_string()).collect();
    format!("seal {} {NOW} {EXPIRES} 1 {} {content_type} {}", sender.keys.display(), ids.join(","), hex(body))
}

/// A request to open this envelope, in hexadecimal.
pub(crate) fn open_line(recipient: &Person, now: u64, envelope: &str) -> String {
    format!("open {} {now} {envelope}", recipient.keys.display())
}

/// Bytes as the peers' protocol has them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The bytes of a word of the peers' protocol; `None` when it is no hexadecimal.
pub(crate) fn unhex(word: &str) -> Option<Vec<u8>> {
    if word == "-" {
        return Some(Vec::new());
    }
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = word.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}
