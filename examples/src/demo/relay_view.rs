//! What the server saw: header fields and lengths, and the proof that the text was not in it.

use dmr_core::envelope::Envelope;
use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use dmr_tests::failure::{Failure, Outcome};
use dmr_tests::proxy::Direction;

use super::passage::Passage;
use super::screen::Screen;
use super::stage::{POLICE, Stage, TAX};

/// Shortest piece of a text that is searched for. Shorter ones could be in random bytes by chance.
const PIECE: usize = 8;

/// Shows every envelope that went past, the header of the first in full.
///
/// # Errors
/// [`Failure`] when nothing went past.
pub fn show(screen: &Screen, stage: &Stage, passages: &[Passage]) -> Outcome {
    screen.title("What the server saw")?;
    let first = passages.first().ok_or_else(|| Failure::new("no envelope went past"))?;
    let names = Names::of(stage)?;
    screen.note("All it can decode of the question, without any key:")?;
    header(screen, &first.envelope, &names)?;
    screen.line("")?;
    screen.note("Every envelope on both links, in order:")?;
    for passage in passages {
        let header = passage.envelope.header();
        let way = match passage.direction {
            Direction::ToServer => format!("{:<13} → server", passage.office),
            Direction::ToAgent => format!("server → {:<13}", passage.office),
        };
        let (sender, to) = (names.name(header.sender), recipients(&passage.envelope, &names));
        let (len, body) = (passage.envelope.bytes().len(), passage.envelope.body().len());
        let kind = header.kind.to_string();
        screen.line(format_args!("{way:<24} {kind:<9} {sender} for {to}, {len} bytes, {body} of them ciphertext"))?;
    }
    Ok(())
}

fn header(screen: &Screen, envelope: &Envelope, names: &Names) -> Outcome {
    let header = envelope.header();
    screen.field("message id", header.id)?;
    screen.field("kind", header.kind)?;
    screen.field("network", &header.network)?;
    screen.field("sender", format_args!("{} ({})", header.sender, names.name(header.sender)))?;
    screen.field("sender's key", header.sender_key)?;
    for recipient in header.recipients.as_slice() {
        let name = names.name(recipient.participant);
        screen.field("recipient", format_args!("{} ({name}), key {}", recipient.participant, recipient.key))?;
    }
    screen.field("suite", format_args!("{} ({:?})", header.suite.number(), header.suite))?;
    screen.field("created", moment(header.created))?;
    screen.field("expires", moment(header.expires))?;
    screen.field("directory", format_args!("revision {}", header.directory_revision))?;
    screen.field("wrapped keys", envelope.wraps().len())?;
    screen.field(
        "ciphertext",
        format_args!("{} bytes: the content, padded, so that its length tells little", envelope.body().len()),
    )?;
    let start: String = envelope.body().iter().take(24).map(|byte| format!("{byte:02x}")).collect();
    screen.field("", format_args!("{start}…"))
}

/// Looks for the texts in every frame that went past, and for what must be there: the same search finds that.
///
/// # Errors
/// [`Failure`] when a piece of a text is there, or the search does not find what must be there.
pub fn prove_absent(screen: &Screen, stage: &Stage, texts: &[&str], passages: &[Passage]) -> Outcome {
    let frames = [&stage.tax, &stage.police].map(|office| office.wire.sightings()).concat();
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.iter().copied()).collect();
    for text in texts {
        if let Some(piece) = text.as_bytes().windows(PIECE).find(|piece| contains(&bytes, piece)) {
            let piece = String::from_utf8_lossy(piece).into_owned();
            return Err(Failure::new(format!("{piece:?} of a message went over the wire in the clear")));
        }
    }
    let ciphertext = passages.first().map(|passage| passage.envelope.body().clone()).unwrap_or_default();
    let network = stage.network.name().as_bytes();
    if ciphertext.is_empty() || !contains(&bytes, &ciphertext) || !contains(&bytes, network) {
        return Err(Failure::new("the search does not even find the ciphertext that went past"));
    }
    let (frames, bytes) = (frames.len(), bytes.len());
    screen.good(format_args!(
        "No {PIECE} bytes in a row of the texts are in the {frames} frames ({bytes} bytes) of both links."
    ))?;
    screen.note("  The same search finds the ciphertext and the network's name, which must be there.")
}

/// Whether `piece` is somewhere in `bytes`.
fn contains(bytes: &[u8], piece: &[u8]) -> bool {
    bytes.windows(piece.len()).any(|window| window == piece)
}

fn recipients(envelope: &Envelope, names: &Names) -> String {
    let all = envelope.header().recipients.as_slice();
    all.iter().map(|recipient| names.name(recipient.participant)).collect::<Vec<_>>().join(", ")
}

fn moment(timestamp: Timestamp) -> String {
    let millis = i64::try_from(timestamp.0).ok();
    let moment = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    moment.map_or_else(|| timestamp.to_string(), |moment| moment.to_string())
}

/// Participants' names by id: the directory is public, so the server knows them too.
struct Names([(String, &'static str); 2]);

impl Names {
    fn of(stage: &Stage) -> Outcome<Self> {
        Ok(Self([(stage.network.id(TAX)?, TAX), (stage.network.id(POLICE)?, POLICE)]))
    }

    fn name(&self, id: ParticipantId) -> &str {
        let id = id.to_string();
        self.0.iter().find(|(known, _)| *known == id).map_or("unknown", |(_, name)| name)
    }
}
