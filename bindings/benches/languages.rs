//! Seal and open in Rust, through the C library and from Python, in turns of one run, so that the machine's noise hits
//! all alike. Prints medians in microseconds and the median of each turn's ratio to Rust. Beside them, what else Python
//! offers, which neither signs nor knows a directory.
//!
//! ```text
//! cargo bench -p dmr-bindings
//! ```
//!
//! It builds the C library and compiles `bench.c` itself. Python is that of the tests' environment, with the wheel in
//! it, which `cargo test -p dmr-tests --test bindings python` makes; or another one, named in `DMR_PYTHON`.

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

/// Turns; odd, so that the median is one of them.
const TURNS: usize = 151;
/// Times in each turn at 1 KiB: few, so that neighbours in time are close. At 64 KiB half of it.
const COUNT: usize = 12;
/// What 1 KiB may take as a multiple of Rust.
const C_BOUND: f64 = 1.03;
const PYTHON_BOUND: f64 = 1.10;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn well(command: &mut Command) {
    let status = command.status().expect("a command that starts");
    assert!(status.success(), "{command:?}: {status}");
}

/// A child that is asked row by row.
struct Language {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Language {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
            println!("{command:?}: {error}; see the head of bindings/benches/languages.rs");
            std::process::exit(1)
        });
        let (asked, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, asked, answers }
    }

    /// The program `bench.c` with the shared library as it is shipped.
    fn c() -> Self {
        let target = workspace().join("target/bindings-c");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--release", "--locked", "--quiet", "--package", "dmr-bindings", "--lib"]);
        well(build.args(["--features", "c", "--target-dir"]).arg(&target).current_dir(workspace()));
        let library = target.join("release/libdmr.so");
        // The name that the library bears and programs ask for.
        std::fs::copy(&library, target.join("release/libdmr.so.0")).expect("the shared library");
        let (program, here) = (target.join("bench"), Path::new(env!("CARGO_MANIFEST_DIR")));
        let mut compile = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compile.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program);
        compile.arg("-I").arg(here.join("include")).arg(here.join("benches/bench.c")).arg(&library);
        well(compile.arg(format!("-Wl,-rpath,{}", target.join("release").display())));
        Self::start(&mut Command::new(program))
    }

    fn python() -> Self {
        let environment = workspace().join("target/bindings-venv/bin/python");
        let program = std::env::var_os("DMR_PYTHON").map_or(environment, PathBuf::from);
        Self::start(Command::new(program).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/bench.py")))
    }

    /// Microseconds for one of `count` times.
    fn time(&mut self, row: &str, count: usize) -> f64 {
        writeln!(self.asked, "{row} {count}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        each(Duration::from_nanos(answer.trim().parse().expect("nanoseconds")), count)
    }

    fn end(self) {
        drop(self.asked);
        let mut child = self.child;
        assert!(child.wait().unwrap().success());
    }
}

#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn each(span: Duration, count: usize) -> f64 {
    span.as_secs_f64() * 1e6 / count as f64
}

/// The native side: two participants and a directory.
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
    fn new(suite: Suite, size: usize) -> Self {
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
        Self { sender, recipient, directory, body: vec![0; size] }
    }

    /// What the other languages do, without what their borders cost: the body is copied once, into the message.
    fn both(&self) -> Bytes {
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
        let envelope = Envelope::decode(sealed.envelope.bytes().clone()).unwrap();
        let opened = open(&self.recipient, &self.directory, &envelope, now()).unwrap();
        let message = if let Content::V1(message) = opened.content { Some(message) } else { None };
        message.expect("a message of this version").body
    }

    fn time(&self, count: usize) -> f64 {
        let begun = Instant::now();
        for _ in 0..count {
            black_box(self.both());
        }
        each(begun.elapsed(), count)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What one turn took.
struct Turn {
    c: f64,
    python: f64,
    /// Rust right beside C, and right beside Python.
    native: [f64; 2],
}

/// Measured turns of one row. Each language has Rust for a neighbour, before it in one turn and after it in the next,
/// so that a machine that becomes slower or faster favours nobody.
fn turns(network: &Network, c: &mut Language, python: &mut Language, row: &str, count: usize) -> Vec<Turn> {
    let turn = |number: usize| {
        let before = network.time(count);
        let (in_c, in_python) = if number.is_multiple_of(2) {
            let in_c = c.time(row, count);
            (in_c, python.time(row, count))
        } else {
            let in_python = python.time(row, count);
            (c.time(row, count), in_python)
        };
        let after = network.time(count);
        let native = if number.is_multiple_of(2) { [before, after] } else { [after, before] };
        Turn { c: in_c, python: in_python, native }
    };
    // The first ones do not count: keys are parsed and memory is mapped at their first use.
    (0..TURNS + 3).map(turn).skip(3).collect()
}

fn main() {
    let (mut c, mut python) = (Language::c(), Language::python());
    let mut within = true;
    println!("seal and open, one recipient: medians of {TURNS} turns, in microseconds; ratios of neighbours in time");
    println!("  suite   body       Rust      C  ratio   Python  ratio");
    for (size, count) in [(1024, COUNT), (65536, COUNT / 2)] {
        for (suite, number) in [("x25519", Suite::X25519), ("x-wing", Suite::XWing)] {
            let network = Network::new(number, size);
            let turns = turns(&network, &mut c, &mut python, &format!("{suite}-{size}"), count);
            let of = |pick: fn(&Turn) -> f64| median(turns.iter().map(pick).collect());
            let native = median(turns.iter().flat_map(|turn| turn.native).collect());
            let (in_c, in_python) = (of(|turn| turn.c), of(|turn| turn.python));
            let (c_ratio, python_ratio) = (of(|turn| turn.c / turn.native[0]), of(|turn| turn.python / turn.native[1]));
            within &= size > 1024 || (c_ratio <= C_BOUND && python_ratio <= PYTHON_BOUND);
            println!(
                "  {suite}  {:>2} KiB  {native:>7.1} {in_c:>7.1}  {c_ratio:.3}  {in_python:>7.1}  {python_ratio:.3}",
                size / 1024
            );
        }
    }
    println!("beside them in Python, without a signature, a directory or a policy");
    for (row, what) in [
        ("sealed-box", "PyNaCl's SealedBox"),
        ("hpke-x25519", "cryptography's HPKE, X25519"),
        ("hpke-x-wing", "cryptography's HPKE, X-Wing"),
    ] {
        let of = |python: &mut Language, size: usize, count| {
            median((0..TURNS).map(|_| python.time(&format!("{row}-{size}"), count)).collect())
        };
        let (short, long) = (of(&mut python, 1024, COUNT), of(&mut python, 65536, COUNT / 2));
        println!("  {what:<28} 1 KiB {short:>7.1}   64 KiB {long:>7.1}");
    }
    c.end();
    python.end();
    let verdict = if within { "met" } else { "NOT met" };
    println!("floors at 1 KiB, C {C_BOUND:.2} and Python {PYTHON_BOUND:.2} times Rust: {verdict}");
}
