//! What programs in C, C++ and for Node seal, Rust opens, and the reverse.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends where something is not as it must be"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use dmr_core::content::{Content, Message};
use dmr_core::directory::Validity;
use dmr_core::envelope::Envelope;
use dmr_core::header::{Kind, Suite};
use dmr_core::id::MessageId;
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, SealRequest, VerifiedDirectory, authority, open, seal};
use dmr_tests::bindings::{c_library, node};
use dmr_tests::failure::Outcome;
use dmr_tests::programs::workspace;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const DAY: Duration = Duration::from_hours(24);

/// A network of four, of which the first seals, in files that a peer reads.
struct Office {
    _files: tempfile::TempDir,
    keyrings: Vec<Keyring>,
    key_files: Vec<PathBuf>,
    directory: VerifiedDirectory,
    pin_file: PathBuf,
    directory_file: PathBuf,
}

impl Office {
    fn new(suite: Suite) -> Self {
        let files = tempfile::tempdir().unwrap();
        let validity = Validity { not_before: NOW, not_after: NOW.plus(90 * DAY) };
        let names = ["tax", "police", "press", "post"];
        let keyrings: Vec<_> = names
            .iter()
            .zip(1..)
            .map(|(name, number)| {
                let id = dmr_core::id::ParticipantId::from_custom_bytes([number; 16]);
                Keyring::generate(id, name.parse().unwrap(), suite, validity).unwrap()
            })
            .collect();
        let network = authority::found("test".parse().unwrap(), NOW, 30 * DAY).unwrap();
        let cards: Vec<_> = keyrings.iter().map(Keyring::card).collect();
        let key = &network.directory_key;
        let directory = authority::add(&network.directory, &network.pin, key, &cards, NOW, 30 * DAY).unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = files.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let key_files = keyrings.iter().map(|keys| write(keys.name().as_str(), &keys.to_key_file().unwrap())).collect();
        let pin_file = write("pin", &network.pin.to_json().unwrap());
        let directory_file = write("directory", directory.bundle());
        Self { _files: files, keyrings, key_files, directory, pin_file, directory_file }
    }
}

/// A peer that runs.
struct Peer {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (asked, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, asked, answers: BufReader::new(answers) }
    }

    fn ask(&mut self, line: &str) -> Vec<String> {
        writeln!(self.asked, "{line}").unwrap();
        self.asked.flush().unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.split_whitespace().map(str::to_owned).collect()
    }

    fn end(mut self) {
        drop(self.asked);
        assert!(self.child.wait().unwrap().success());
    }
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() { "-".to_owned() } else { bytes.iter().map(|byte| format!("{byte:02x}")).collect() }
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn bodies() -> impl Iterator<Item = (usize, Vec<u8>)> {
    let body = |len: usize| (0_u8..=250).cycle().take(len).collect();
    [0, 1, 40, 1_000, 70_000].into_iter().zip(1..).map(move |(len, at)| ((at - 1) % 3 + 1, body(len)))
}

fn rust_opens_what_it_seals(peer: &mut Peer, office: &Office) {
    for (recipients, body) in bodies() {
        let to = &office.keyrings[1..=recipients];
        let ids: Vec<_> = to.iter().map(|keys| keys.participant().to_string()).collect();
        let (key, now, expires) = (office.key_files[0].display(), NOW.0, NOW.plus(DAY).0);
        let line = format!("seal {key} {now} {expires} 4 {} text/plain {}", ids.join(","), hex(&body));
        let answer = peer.ask(&line);
        assert_eq!(answer[0], "ok", "{answer:?}");
        let envelope = Envelope::decode(unhex(&answer[1]).into()).unwrap();
        for keys in to {
            let opened = open(keys, &office.directory, &envelope, NOW).unwrap();
            let Content::V1(message) = opened.content else { panic!("a later version") };
            assert_eq!((message.content_type.as_str(), &message.body[..]), ("text/plain", &body[..]));
            assert_eq!(opened.sender, office.keyrings[0].participant());
        }
    }
}

fn it_opens_what_rust_seals(peer: &mut Peer, office: &Office) {
    for (recipients, body) in bodies() {
        let to: Vec<_> = office.keyrings[1..=recipients].iter().map(Keyring::participant).collect();
        let content = Content::V1(Message {
            content_type: "application/json".into(),
            conversation: None,
            sequence: None,
            room: None,
            in_reply_to: None,
            body: Bytes::from(body.clone()),
        });
        let (id, kind, expires) = (MessageId::from_random_bytes([7; 16]), Kind::QUESTION, NOW.plus(DAY));
        let request = SealRequest { id, kind, recipients: &to, created: NOW, expires, content: &content };
        let sealed = seal(&office.keyrings[0], &office.directory, request).unwrap();
        let mut bytes = sealed.envelope.bytes().to_vec();
        for key in &office.key_files[1..=recipients] {
            let answer = peer.ask(&format!("open {} {} {}", key.display(), NOW.0, hex(&bytes)));
            let sender = office.keyrings[0].participant().to_string();
            assert_eq!(answer, ["ok", &id.to_string(), &sender, "1", "application/json", &hex(&body)]);
        }
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let answer = peer.ask(&format!("open {} {} {}", office.key_files[1].display(), NOW.0, hex(&bytes)));
        assert_eq!(answer, ["error", "verify.bad-signature"]);
    }
    assert_eq!(peer.ask("open sesame"), ["error", "call.out-of-range"]);
    assert_eq!(peer.ask(&format!("open {} 5 zz", office.key_files[1].display())), ["error", "call.out-of-range"]);
}

fn exchange(peer: impl Fn(&Path, &Path) -> Outcome<Command>) -> Outcome {
    for suite in [Suite::X25519, Suite::XWing] {
        let office = Office::new(suite);
        let mut peer = Peer::start(peer(&office.pin_file, &office.directory_file)?);
        rust_opens_what_it_seals(&mut peer, &office);
        it_opens_what_rust_seals(&mut peer, &office);
        peer.end();
    }
    Ok(())
}

#[test]
fn a_program_in_c_and_rust_open_what_the_other_seals() -> Outcome {
    exchange(c_library::peer)
}

#[test]
fn a_program_in_cpp_and_rust_open_what_the_other_seals() -> Outcome {
    let program = c_library::compile("peer", &[workspace().join("tests/peers/peer.c")], "g++", &["-x", "c++"])?;
    exchange(|pin, directory| {
        let mut command = Command::new(&program);
        command.args([pin, directory]);
        Ok(command)
    })
}

#[test]
fn a_program_for_node_and_rust_open_what_the_other_seals() -> Outcome {
    exchange(node::peer)
}
