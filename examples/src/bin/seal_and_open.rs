//! Seals a message for one recipient, opens it again, and tries to cheat: the cryptography alone, without any network.
//!
//! ```text
//! cargo run -p dmr-examples --bin seal_and_open
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dmr_core::content::{Content, Message};
use dmr_core::directory::Validity;
use dmr_core::envelope::Envelope;
use dmr_core::header::{Kind, Suite};
use dmr_core::id::MessageId;
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, SealRequest, VerifiedDirectory, authority, open, seal, verify_envelope};

const DAY: Duration = Duration::from_hours(24);

fn main() -> Result<(), Box<dyn Error>> {
    // Nothing in dmr-crypto reads a clock: the time is an argument everywhere.
    let now = Timestamp(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?);

    // Each institution makes its own keys and hands out a card with the public ones.
    let validity = Validity { not_before: now, not_after: now.plus(90 * DAY) };
    let tax =
        Keyring::generate("0193a5c8-7e1d-7cc2-8f4e-000000000001".parse()?, "tax".parse()?, Suite::XWing, validity)?;
    let police =
        Keyring::generate("0193a5c8-7e1d-7cc2-8f4e-000000000002".parse()?, "police".parse()?, Suite::XWing, validity)?;

    // The network's keeper founds it, adds both cards, and signs the result. Sealing takes no other list of keys.
    let network = authority::found("demo".parse()?, now, 30 * DAY)?;
    let cards = [tax.card(), police.card()];
    let bundle = authority::add(&network.directory, &network.pin, &network.directory_key, &cards, now, 30 * DAY)?;
    let directory = VerifiedDirectory::verify(bundle.bundle(), &network.pin, now)?;
    println!(
        "directory   revision {} with {} participants",
        directory.revision(),
        directory.directory().participants.len()
    );

    let content = Content::V1(Message {
        content_type: "text/plain".into(),
        conversation: None,
        sequence: None,
        room: None,
        in_reply_to: None,
        body: Bytes::from_static(b"Is report 2026-00417 registered with you?"),
    });
    let request = SealRequest {
        id: MessageId::from_random_bytes([7; 16]),
        kind: Kind::QUESTION,
        recipients: &[police.participant()],
        created: now,
        expires: now.plus(DAY),
        content: &content,
    };
    let sealed = seal(&tax, &directory, request)?;
    let bytes = sealed.envelope.bytes();
    println!("sealed      {} bytes, suite {:?}, digest {}", bytes.len(), sealed.envelope.header().suite, sealed.digest);

    // A relay needs no secret to check who signed it, and has none to open it with.
    let facts = verify_envelope(&sealed.envelope, &directory, now)?;
    println!("verified    message {} is signed by {}", facts.id, facts.sender);

    let opened = open(&police, &directory, &Envelope::decode(bytes.clone())?, now)?;
    let Content::V1(message) = opened.content else { return Err("a content of a later version".into()) };
    println!("opened      {:?}", String::from_utf8_lossy(&message.body));

    // Nobody else can open it, and no bit of it can change.
    let refused = open(&tax, &directory, &sealed.envelope, now).err().ok_or("the sender could open it")?;
    println!("not for tax {refused}");
    let mut tampered = bytes.to_vec();
    let middle = tampered.len() / 2;
    tampered.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
    let tampered = Envelope::decode(tampered.into())?;
    let refused = open(&police, &directory, &tampered, now).err().ok_or("a changed envelope was opened")?;
    println!("tampered    {refused}");
    Ok(())
}
