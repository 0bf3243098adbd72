//! What encoding and decoding cost, beside copying the same bytes once.
//!
//! `cargo bench -p dmr-core` prints one line per operation and size: the median time, and how many times the copy
//! (allocation included) of the same frame or envelope it takes. Medians over batches; no threshold is asserted here.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program that prints what it measured and stops on a fault"
)]

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::frame::{AgentFrame, DeliveryTag, ServerFrame, Settlement};
use dmr_core::header::{Header, Kind, Recipient, Recipients, Suite};
use dmr_core::id::{Digest, KeyCommitment, KeyId, MessageId, ParticipantId};
use dmr_core::time::Timestamp;

/// Body lengths that envelopes are measured at.
const SIZES: [usize; 4] = [256, 1 << 10, 32 << 10, 1 << 20];
/// Batches per median.
const BATCHES: usize = 101;
/// How long one batch should take, so that reading the clock does not show.
const BATCH: Duration = Duration::from_micros(400);

fn main() {
    // `cargo test` and `cargo bench` pass options of the usual harness; there is nothing to choose here.
    println!("{:<28} {:>9} {:>12} {:>8}", "operation", "bytes", "median", "× copy");
    for recipients in [1, 64] {
        let header = header(recipients);
        let bytes = header.encode().expect("a valid header");
        let copy = copied(&bytes);
        report(&format!("header encode, {recipients} to"), &bytes, copy, || header.encode().expect("valid"));
        report(&format!("header decode, {recipients} to"), &bytes, copy, || Header::decode(&bytes).expect("valid"));
    }
    for size in SIZES {
        let envelope = envelope(size);
        let publish = AgentFrame::Publish { envelope: envelope.bytes().clone() };
        let deliver = ServerFrame::Deliver { tag: DeliveryTag(70_000), attempt: 1, envelope: envelope.bytes().clone() };
        let (published, delivered) = (publish.encode().expect("valid"), deliver.encode().expect("valid"));
        let copy = copied(&published);
        println!("{:<28} {:>9} {:>9} ns", "copy", published.len(), copy.as_nanos());
        report("envelope decode", envelope.bytes(), copy, || {
            Envelope::decode(envelope.bytes().clone()).expect("valid")
        });
        report("publish encode", &published, copy, || publish.encode().expect("valid"));
        report("publish decode", &published, copy, || AgentFrame::decode(&published).expect("valid"));
        report("publish decode shared", &published, copy, || AgentFrame::decode_shared(&published).expect("valid"));
        report("deliver encode", &delivered, copy, || deliver.encode().expect("valid"));
        report("deliver decode", &delivered, copy, || ServerFrame::decode(&delivered).expect("valid"));
        report("deliver decode shared", &delivered, copy, || ServerFrame::decode_shared(&delivered).expect("valid"));
    }
    let settle = AgentFrame::Settle { tag: DeliveryTag(70_000), settlement: Settlement::Ack };
    let settled = settle.encode().expect("valid");
    let copy = copied(&settled);
    report("settle encode", &settled, copy, || settle.encode().expect("valid"));
    report("settle decode", &settled, copy, || AgentFrame::decode(&settled).expect("valid"));
}

fn copied(bytes: &Bytes) -> Duration {
    median(|| Bytes::copy_from_slice(black_box(bytes)))
}

fn report<T>(operation: &str, bytes: &Bytes, copy: Duration, run: impl FnMut() -> T) {
    let median = median(run);
    let ratio = median.as_secs_f64() / copy.as_secs_f64();
    println!("{operation:<28} {:>9} {:>9} ns {ratio:>7.2}", bytes.len(), median.as_nanos());
}

/// The median time of one call.
fn median<T>(mut run: impl FnMut() -> T) -> Duration {
    let mut calls = 1_u32;
    while time(calls, &mut run) < BATCH {
        calls = calls.saturating_mul(2);
    }
    let mut batches: Vec<Duration> = (0..BATCHES).map(|_| time(calls, &mut run) / calls).collect();
    batches.sort_unstable();
    batches.get(BATCHES / 2).copied().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time<T>(calls: u32, run: &mut impl FnMut() -> T) -> Duration {
    let start = std::time::Instant::now();
    for _ in 0..calls {
        black_box(run());
    }
    start.elapsed()
}

fn header(recipients: u8) -> Header {
    let recipient = |number: u8| Recipient {
        participant: ParticipantId::from_custom_bytes([number; 16]),
        key: KeyId([number; 16]),
    };
    Header {
        suite: Suite::X25519,
        network: "buerokratt".parse().expect("a name"),
        id: MessageId::from_custom_bytes([1; 16]),
        sender: ParticipantId::from_custom_bytes([2; 16]),
        sender_key: KeyId([3; 16]),
        recipients: Recipients::new((0..recipients).map(recipient).collect()).expect("1 to 64 recipients"),
        kind: Kind::QUESTION,
        created: Timestamp(1_760_000_000_000),
        expires: Timestamp(1_760_000_900_000),
        directory_revision: 17,
        directory_digest: Digest([4; 32]),
        key_commitment: KeyCommitment([5; 32]),
    }
}

fn envelope(body: usize) -> Envelope {
    let wrap = Wrap { enc: vec![6; 32].into(), ct: vec![7; 48].into() };
    let header = header(1).encode().expect("a valid header");
    Envelope::encode(&header, &[wrap], &vec![8; body], &[9; 64]).expect("a valid envelope")
}
