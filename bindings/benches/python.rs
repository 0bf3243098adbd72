//! Seal and open at 1 KiB in Python beside the same in Rust, measured in turns in one run so that noise hits both
//! alike. Prints medians in microseconds and their ratio; the bound is 1.10. Beside them, what else Python offers,
//! which neither signs nor knows a directory.
//!
//! `cargo bench -p dmr-bindings --bench python`, after the tests have made their environment, or with the Python to measure
//! in `DMR_PYTHON`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a program that prints or fails")]

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dmr_core::content::{Content, Message};
use dmr_core::directory::Validity;
use dmr_core::envelope::Envelope;
use dmr_core::header::{Kind, Suite};
use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, SealRequest, VerifiedDirectory, authority, fresh_message_id, open, seal};

const TURNS: usize = 41;
const COUNT: usize = 40;
const BOUND: f64 = 1.10;

/// The Python process, asked row by row.
struct Python {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let environment = here.parent().unwrap().join("target/bindings-venv/bin/python");
        let program = std::env::var_os("DMR_PYTHON").map_or(environment, PathBuf::from);
        let mut command = Command::new(&program);
        command.arg(here.join("benches/python.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            let hint = "`cargo test -p dmr-tests --test bindings python` makes it";
            println!("{}: {error}; {hint}", program.display());
            std::process::exit(1)
        });
        let (asked, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, asked, answers }
    }

    /// Microseconds for one time, over [`COUNT`] times.
    fn time(&mut self, row: &str) -> f64 {
        writeln!(self.asked, "{row} {COUNT}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        each(Duration::from_nanos(answer.trim().parse().expect("nanoseconds from Python")))
    }

    fn end(self) {
        drop(self.asked);
        let mut child = self.child;
        assert!(child.wait().unwrap().success());
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of 40")]
fn each(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6 / COUNT as f64
}

struct Network {
    sender: Keyring,
    recipient: Keyring,
    directory: VerifiedDirectory,
    body: Vec<u8>,
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap())
}

impl Network {
    fn new(suite: Suite) -> Self {
        let (now, day) = (now(), Duration::from_hours(24));
        let validity = Validity { not_before: now, not_after: now.plus(day * 365) };
        let keyring = |number: u8, name: &str| {
            let id = ParticipantId::from_custom_bytes([number; 16]);
            Keyring::generate(id, name.parse().unwrap(), suite, validity).unwrap()
        };
        let (sender, recipient) = (keyring(1, "tax"), keyring(2, "police"));
        let founding = authority::found("bench".parse().unwrap(), now, day * 30).unwrap();
        let (pin, key, cards) = (&founding.pin, &founding.directory_key, [sender.card(), recipient.card()]);
        let directory = authority::add(&founding.directory, pin, key, &cards, now, day * 30).unwrap();
        Self { sender, recipient, directory, body: vec![0; 1024] }
    }

    /// What the Python side does, with the same buffers copied: out of the envelope, into it, out of it.
    fn both(&self) -> Vec<u8> {
        let created = now();
        let content = Content::V1(Message {
            content_type: "text/plain".into(),
            conversation: None,
            sequence: None,
            room: None,
            in_reply_to: None,
            body: Bytes::copy_from_slice(&self.body),
        });
        let request = SealRequest {
            id: fresh_message_id(created).unwrap(),
            kind: Kind::QUESTION,
            recipients: &[self.recipient.participant()],
            created,
            expires: created.plus(Duration::from_hours(24)),
            content: &content,
        };
        let sealed = seal(&self.sender, &self.directory, request).unwrap();
        let sent = sealed.envelope.bytes().to_vec();
        let envelope = Envelope::decode(sent.into()).unwrap();
        let Content::V1(message) = open(&self.recipient, &self.directory, &envelope, now()).unwrap().content else {
            return Vec::new();
        };
        message.body.to_vec()
    }

    fn time(&self) -> f64 {
        let begun = Instant::now();
        for _ in 0..COUNT {
            black_box(self.both());
        }
        each(begun.elapsed())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let mut python = Python::start();
    let mut within = true;
    println!("seal and open, 1 KiB, one recipient; medians of {TURNS} turns of {COUNT}, in microseconds");
    for (row, suite) in [("x25519", Suite::X25519), ("x-wing", Suite::XWing)] {
        let network = Network::new(suite);
        // Both once before it counts: keys are parsed at their first use.
        python.time(row);
        network.time();
        let turns: Vec<(f64, f64)> = (0..TURNS).map(|_| (network.time(), python.time(row))).collect();
        let (native, foreign) = turns.iter().copied().unzip();
        let ratio = median(turns.iter().map(|(native, foreign)| foreign / native).collect());
        let (native, foreign) = (median(native), median(foreign));
        within &= ratio <= BOUND;
        println!("  {row:<11} Rust {native:>7.1}   Python {foreign:>7.1}   ratio {ratio:.3}, {BOUND:.2} allowed");
    }
    for (row, what) in [("sealed-box", "PyNaCl's SealedBox"), ("hpke", "cryptography's HPKE, suite 1")] {
        let turns = (0..TURNS).map(|_| python.time(row)).collect();
        println!("  {row:<11} {:>7.1}   {what}: no signature, no directory", median(turns));
    }
    python.end();
    println!("{}", if within { "within the bound" } else { "NOT within the bound" });
}
