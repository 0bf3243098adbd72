//! The peer in Rust, which is the reference: `dmr-crypto` itself, asked by the same lines as the others.

use std::collections::BTreeMap;

use dmr_core::content::{Content, Message};
use dmr_core::envelope::Envelope;
use dmr_core::error_name::ErrorName;
use dmr_core::header::Kind;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, RootPin, SealRequest, VerifiedDirectory, open, seal};
use dmr_tests::failure::{Doing as _, Outcome};

use crate::stage::{Stage, hex, unhex};

/// What is no request.
const OUT_OF_RANGE: &str = "call.out-of-range";

/// The peer, within this process.
pub(crate) struct Reference {
    pin: RootPin,
    bundle: Vec<u8>,
    verified: BTreeMap<u64, VerifiedDirectory>,
    keyrings: BTreeMap<String, Keyring>,
    sealed: u64,
}

/// An answer, or the stable name of an error.
type Said<T> = Result<T, &'static str>;

fn named(error: impl ErrorName) -> &'static str {
    error.error_name()
}

fn number<T: std::str::FromStr>(word: &str) -> Said<T> {
    word.parse().map_err(|_| OUT_OF_RANGE)
}

impl Reference {
    pub(crate) fn new(stage: &Stage) -> Outcome<Self> {
        let pin = std::fs::read(stage.pin()).doing("the pin")?;
        let pin = RootPin::from_json(&pin).doing("the pin")?;
        let bundle = std::fs::read(stage.bundle()).doing("the directory")?;
        Ok(Self { pin, bundle, verified: BTreeMap::new(), keyrings: BTreeMap::new(), sealed: 0 })
    }

    /// What it answers to a line.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let said = match words[..] {
            ["seal", key, now, expires, kind, recipients, content_type, body] => {
                self.seal([key, now, expires, kind, recipients, content_type, body])
            }
            ["open", key, now, envelope] => self.open(key, now, envelope),
            _ => Err(OUT_OF_RANGE),
        };
        said.map_or_else(|name| format!("error {name}"), |answer| format!("ok {answer}"))
    }

    /// The directory as it is verified at this time, and the keys in this file.
    fn prepared(&mut self, key: &str, now: u64) -> Said<(&Keyring, &VerifiedDirectory)> {
        if !self.keyrings.contains_key(key) {
            let text = std::fs::read(key).map_err(|_| OUT_OF_RANGE)?;
            self.keyrings.insert(key.to_owned(), Keyring::from_key_file(&text).map_err(named)?);
        }
        if !self.verified.contains_key(&now) {
            let verified = VerifiedDirectory::verify(&self.bundle, &self.pin, Timestamp(now)).map_err(named)?;
            self.verified.insert(now, verified);
        }
        self.keyrings.get(key).zip(self.verified.get(&now)).ok_or("unknown")
    }

    fn seal(&mut self, [key, now, expires, kind, recipients, content_type, body]: [&str; 7]) -> Said<String> {
        let recipients: Vec<ParticipantId> =
            recipients.split(',').map(str::parse).collect::<Result<_, _>>().map_err(named)?;
        let body = unhex(body).ok_or(OUT_OF_RANGE)?.into();
        let content_type = content_type.into();
        let (conversation, sequence, room, in_reply_to) = (None, None, None, None);
        let content = Content::V1(Message { content_type, conversation, sequence, room, in_reply_to, body });
        self.sealed += 1;
        let id = MessageId::from_custom_bytes(u128::from(self.sealed).to_be_bytes());
        let (created, expires, kind) = (number(now)?, Timestamp(number(expires)?), Kind(number(kind)?));
        let (keyring, directory) = self.prepared(key, created)?;
        let recipients = recipients.as_slice();
        let request = SealRequest { id, kind, recipients, created: Timestamp(created), expires, content: &content };
        Ok(hex(seal(keyring, directory, request).map_err(named)?.envelope.bytes()))
    }

    fn open(&mut self, key: &str, now: &str, envelope: &str) -> Said<String> {
        let (envelope, now) = (unhex(envelope).ok_or(OUT_OF_RANGE)?, number(now)?);
        let (keyring, directory) = self.prepared(key, now)?;
        let envelope = Envelope::decode(envelope.into()).map_err(named)?;
        let opened = open(keyring, directory, &envelope, Timestamp(now)).map_err(named)?;
        let Content::V1(message) = opened.content else { return Err("unknown") };
        let kind = envelope.header().kind.0;
        Ok(format!("{} {} {kind} {} {}", opened.id, opened.sender, message.content_type, hex(&message.body)))
    }
}
