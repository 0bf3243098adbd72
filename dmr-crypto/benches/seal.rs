//! Seal, open and verify beside the sum of their bare primitives, measured in turns in the same run so that noise
//! hits both alike. Prints medians in microseconds and their ratio; the floor is 1.10 at 1 KiB.
//!
//! `cargo bench -p dmr-crypto`, or with a part of a row's name to run only the rows that contain it.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::expect_used, reason = "a program that prints or fails")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use dmr_core::content::{Content, Message};
use dmr_core::directory::{Algorithm, Validity};
use dmr_core::envelope::Envelope;
use dmr_core::header::{Kind, Suite};
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, SealRequest, VerifiedDirectory, authority, open, seal, verify_envelope};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256, XWing};
use hpke::{OpModeR, OpModeS};
use rand_core::UnwrapErr;
use sha2::{Digest, Sha256};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const FLOOR: f64 = 1.10;
/// Wall time of one row at most, and turns of one row at least and at most.
const ROW_TIME: Duration = Duration::from_millis(1500);
const TURNS: std::ops::RangeInclusive<usize> = 31..=3001;

/// A sender, its recipients, and a directory that lists them all.
struct Network {
    directory: VerifiedDirectory,
    sender: Keyring,
    recipients: Vec<Keyring>,
    ids: Vec<ParticipantId>,
}

fn participant(number: u8) -> ParticipantId {
    ParticipantId::from_custom_bytes([number + 1; 16])
}

impl Network {
    fn new(suite: Suite, recipients: u8) -> Self {
        let day = Duration::from_hours(24);
        let validity = Validity { not_before: NOW.minus(day), not_after: NOW.plus(day * 365) };
        let keyring = |number: u8| {
            let name = format!("p{number}").parse().unwrap();
            Keyring::generate(participant(number), name, suite, validity).unwrap()
        };
        let (sender, recipients) = (keyring(0), (1..=recipients).map(keyring).collect::<Vec<_>>());
        let cards: Vec<_> = std::iter::once(&sender).chain(&recipients).map(Keyring::card).collect();
        let founding = authority::found("bench".parse().unwrap(), NOW, day * 30).unwrap();
        let (pin, key) = (&founding.pin, &founding.directory_key);
        let directory = authority::add(&founding.directory, pin, key, &cards, NOW, day * 30).unwrap();
        let ids = recipients.iter().map(Keyring::participant).collect();
        Self { directory, sender, recipients, ids }
    }

    fn seal(&self, content: &Content) -> Envelope {
        let request = SealRequest {
            id: MessageId::from_custom_bytes([7; 16]),
            kind: Kind::QUESTION,
            recipients: &self.ids,
            created: NOW,
            expires: NOW.plus(Duration::from_secs(3600)),
            content,
        };
        seal(&self.sender, &self.directory, request).unwrap().envelope
    }
}

/// The primitives of one envelope, bare: keys parsed beforehand, buffers of the right size, nothing decoded.
struct Primitives<K: Kem> {
    recipients: Vec<(K::PrivateKey, K::PublicKey)>,
    signing: SigningKey,
    verifying: VerifyingKey,
    header: Vec<u8>,
    wraps: Vec<(K::EncappedKey, Vec<u8>)>,
    wrap_bytes: usize,
    padded: Vec<u8>,
    sealed: Vec<u8>,
    signature: Signature,
}

const CONTENT_KEY: [u8; 32] = [9; 32];
const INFO: [u8; 61] = [1; 61];

impl<K: Kem> Primitives<K> {
    fn new(envelope: &Envelope) -> Self {
        let mut rng = UnwrapErr(getrandom::SysRng);
        let count = envelope.wraps().len();
        let recipients: Vec<_> = (0..count).map(|_| K::gen_keypair_with_rng(&mut rng)).collect();
        let wraps = recipients.iter().map(|(_, public)| Self::wrap(public)).collect();
        let signing = SigningKey::from_bytes(&CONTENT_KEY);
        let padded = vec![0; envelope.body().len() - 16];
        let mut sealed = padded.clone();
        Self::cipher().encrypt_in_place(&[0; 12].into(), b"", &mut sealed).unwrap();
        Self {
            recipients,
            verifying: signing.verifying_key(),
            signature: signing.sign(&[0; 113]),
            signing,
            header: envelope.header_bytes().to_vec(),
            wraps,
            wrap_bytes: envelope.header().suite.enc_len() + 48,
            padded,
            sealed,
        }
    }

    fn cipher() -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&CONTENT_KEY.into())
    }

    fn wrap(public: &K::PublicKey) -> (K::EncappedKey, Vec<u8>) {
        hpke::single_shot_seal_with_rng::<hpke::aead::ChaCha20Poly1305, HkdfSha256, K>(
            &OpModeS::Base,
            public,
            &INFO,
            &CONTENT_KEY,
            b"",
            &mut UnwrapErr(getrandom::SysRng),
        )
        .unwrap()
    }

    /// The two derivations from a content key: the commitment and the body key.
    fn derive() {
        for info in [&b"commit"[..], &[0; 43]] {
            let mut out = [0; 32];
            Hkdf::<Sha256>::new(None, black_box(&CONTENT_KEY)).expand(info, &mut out).unwrap();
            black_box(out);
        }
    }

    /// The hashes of one envelope: header, each wrap and their list, body, and the signed bytes.
    fn hash(&self) {
        black_box(Sha256::digest(black_box(&self.header)));
        let mut list = Sha256::new();
        for _ in &self.wraps {
            let wrap = [0; 1120 + 48];
            list.update(Sha256::digest(wrap.get(..self.wrap_bytes).unwrap()));
        }
        black_box(list.finalize());
        black_box(Sha256::digest(black_box(&self.sealed)));
        black_box(Sha256::digest(black_box(&[0; 113])));
    }

    fn seal(&self) {
        for (_, public) in &self.recipients {
            black_box(Self::wrap(public));
        }
        Self::derive();
        let mut body = Vec::with_capacity(self.padded.len() + 16);
        body.extend_from_slice(&self.padded);
        Self::cipher().encrypt_in_place(&[0; 12].into(), b"", &mut body).unwrap();
        black_box(&body);
        self.hash();
        black_box(self.signing.sign(black_box(&[0; 113])));
    }

    fn verify(&self) {
        self.hash();
        self.verifying.verify_strict(black_box(&[0; 113]), &self.signature).unwrap();
    }

    fn open(&self) {
        self.verify();
        let ((secret, _), (enc, ct)) = self.recipients.first().zip(self.wraps.first()).unwrap();
        let opened = hpke::single_shot_open::<hpke::aead::ChaCha20Poly1305, HkdfSha256, K>(
            &OpModeR::Base,
            secret,
            enc,
            &INFO,
            ct,
            b"",
        );
        black_box(opened.unwrap());
        Self::derive();
        let mut body = self.sealed.clone();
        Self::cipher().decrypt_in_place(&[0; 12].into(), b"", &mut body).unwrap();
        black_box(&body);
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).expect("at least one turn").as_secs_f64() * 1e6
}

/// Runs both in turns and prints a row; returns the ratio of the medians.
fn row(name: &str, ours: impl Fn(), bare: impl Fn()) -> f64 {
    let (mut our_times, mut bare_times) = (Vec::new(), Vec::new());
    ours();
    bare();
    let start = Instant::now();
    while our_times.len() < *TURNS.end() && (our_times.len() < *TURNS.start() || start.elapsed() < ROW_TIME) {
        our_times.push(timed(&ours));
        bare_times.push(timed(&bare));
    }
    let turns = our_times.len();
    let (ours, bare) = (median(our_times), median(bare_times));
    println!("{name:<34} {ours:>10.1} {bare:>10.1} {:>7.3} {turns:>6}", ours / bare);
    ours / bare
}

fn rows<K: Kem>(suite: Suite, count: u8, size: usize, wanted: &str, over: &mut Vec<String>) {
    let label = match suite {
        Suite::X25519 => "x25519",
        Suite::XWing => "x-wing",
    };
    let name = |what: &str| format!("{what} {label} {count:>2} recipients {size:>8} B");
    if !["seal", "open", "verify"].iter().any(|what| name(what).contains(wanted)) {
        return;
    }
    let network = Network::new(suite, count);
    let body: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
    let content = Content::V1(Message {
        content_type: "application/json".into(),
        conversation: None,
        sequence: None,
        room: None,
        in_reply_to: None,
        body: body.into(),
    });
    let envelope = network.seal(&content);
    let bare = Primitives::<K>::new(&envelope);
    let keyring = network.recipients.first().unwrap();
    let mut run = |what: &str, ours: &dyn Fn(), bare: &dyn Fn()| {
        let name = name(what);
        if name.contains(wanted) && row(&name, ours, bare) > FLOOR && size == 1024 && what != "verify" {
            over.push(name);
        }
    };
    run("seal", &|| drop(black_box(network.seal(&content))), &|| bare.seal());
    run("open", &|| drop(black_box(open(keyring, &network.directory, &envelope, NOW).unwrap())), &|| bare.open());
    run(
        "verify",
        &|| {
            black_box(verify_envelope(&envelope, &network.directory, NOW).unwrap());
        },
        &|| bare.verify(),
    );
}

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    assert_eq!(Algorithm::XWing.public_len(), 1216);
    println!("{:<34} {:>10} {:>10} {:>7} {:>6}", "median µs", "dmr-crypto", "primitives", "ratio", "turns");
    let mut over = Vec::new();
    for size in [256, 1024, 32 << 10, (1 << 20) - 64] {
        for count in [1, 16] {
            rows::<X25519HkdfSha256>(Suite::X25519, count, size, &wanted, &mut over);
            rows::<XWing>(Suite::XWing, count, size, &wanted, &mut over);
        }
    }
    match over.as_slice() {
        [] => println!("floor: seal and open at 1 KiB take at most {FLOOR:.2} times their primitives"),
        over => println!("above the floor of {FLOOR:.2}: {}", over.join("; ")),
    }
}
