//! Every language opens what every language sealed, and refuses alike what must be refused.

use std::process::Command;

use dmr_core::envelope::Envelope;
use dmr_core::limit;
use dmr_tests::bindings::environment::python;
use dmr_tests::bindings::peer::Peer;
use dmr_tests::bindings::{c_library, node};
use dmr_tests::draws::Draws;
use dmr_tests::drill::{count, say, seed};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::programs::workspace;

use crate::reference::Reference;
use crate::stage::{EXPIRES, MOST, NOW, Person, Stage, hex, open_line, seal_line, unhex};

const SUITES: [u16; 2] = [1, 2];
const CONTENT_TYPE: &str = "application/octet-stream";
/// The longest body: what a content is written with besides.
const LONGEST: usize = limit::MESSAGE - (1 + 1 + CONTENT_TYPE.len() + 4 + 5);

/// Whoever speaks the peers' protocol.
pub(crate) struct Language {
    pub(crate) name: &'static str,
    speaker: Speaker,
}

enum Speaker {
    Within(Box<Reference>),
    Program(Peer),
}

impl Language {
    pub(crate) fn rust(stage: &Stage) -> Outcome<Self> {
        Ok(Self { name: "rust", speaker: Speaker::Within(Box::new(Reference::new(stage)?)) })
    }

    fn program(name: &'static str, command: Command, stage: &Stage) -> Outcome<Self> {
        Ok(Self { name, speaker: Speaker::Program(Peer::start(name, command, stage.path())?) })
    }

    /// A program of Python's, started as the peers are.
    fn python(name: &'static str, script: &str, stage: &Stage) -> Outcome<Self> {
        let mut command = Command::new(python()?);
        command.arg(workspace().join(script)).args([stage.pin(), stage.bundle()]);
        Self::program(name, command, stage)
    }

    /// The specification, which has other names for what it refuses.
    pub(crate) fn specification(stage: &Stage) -> Outcome<Self> {
        Self::python("specification", "tests/specification/peer.py", stage)
    }

    pub(crate) fn ask(&mut self, line: &str) -> Outcome<String> {
        match &mut self.speaker {
            Speaker::Within(reference) => Ok(reference.ask(line)),
            Speaker::Program(peer) => peer.ask(line),
        }
    }

    /// Ends it, which it must do well.
    pub(crate) fn end(self) -> Outcome {
        match self.speaker {
            Speaker::Within(_) => Ok(()),
            Speaker::Program(peer) => peer.end(),
        }
    }
}

/// All that have the stable names of errors; the first is the reference.
fn languages(stage: &Stage) -> Outcome<Vec<Language>> {
    let (pin, bundle) = (stage.pin(), stage.bundle());
    Ok(vec![
        Language::rust(stage)?,
        Language::program("c", c_library::peer(&pin, &bundle)?, stage)?,
        Language::python("python", "tests/peers/peer.py", stage)?,
        Language::program("node", node::peer(&pin, &bundle)?, stage)?,
    ])
}

/// One message: how long, and for how many.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    body: usize,
    recipients: usize,
}

/// The corners, and `random` more.
pub(crate) fn sizes(draws: &mut Draws, random: usize) -> Vec<Size> {
    let mut sizes = vec![Size { body: 0, recipients: 1 }, Size { body: LONGEST, recipients: MOST }];
    sizes.extend((0..random).map(|_| {
        // As many short ones as long ones: each power of two is as likely as the next.
        let most = 1_usize << draws.below(21);
        Size { body: draws.below(most.min(LONGEST) + 1), recipients: 1 + draws.below(MOST) }
    }));
    sizes
}

/// Has `sealer` seal a message of this size in this suite. Returns its recipients, its body and the envelope.
fn sealed_by(
    sealer: &mut Language,
    stage: &Stage,
    draws: &mut Draws,
    suite: u16,
    size: Size,
) -> Outcome<(Vec<Person>, Vec<u8>, String)> {
    let recipients = stage.recipients(draws, suite, size.recipients);
    let body = draws.bytes(size.body);
    let answer = sealer.ask(&seal_line(&stage.sender, &recipients, CONTENT_TYPE, &body))?;
    let envelope = answer.strip_prefix("ok ").ok_or_else(|| Failure::new(format!("{}: {answer}", sealer.name)))?;
    Ok((recipients, body, envelope.to_owned()))
}

/// Seals a message of this size with each of `languages`, and has each of them open it as some recipient.
pub(crate) fn all_open_all(
    languages: &mut [Language],
    stage: &Stage,
    draws: &mut Draws,
    suite: u16,
    size: Size,
) -> Outcome {
    for sealer in 0..languages.len() {
        let sealer = languages.get_mut(sealer).doing("a language")?;
        let by = sealer.name;
        let (recipients, body, envelope) = sealed_by(sealer, stage, draws, suite, size)?;
        let bytes = unhex(&envelope).doing("an envelope in hexadecimal")?;
        let decoded = Envelope::decode(bytes.into()).doing(by)?;
        let header = decoded.header();
        assert_eq!(header.suite.number(), suite, "{by} seals in another suite");
        assert_eq!(header.recipients.as_slice().len(), recipients.len(), "{by} seals to others");
        let expected = format!("ok {} {} 1 {CONTENT_TYPE} {}", header.id, stage.sender.id, hex(&body));
        for opener in languages.iter_mut() {
            let recipient = recipients.get(draws.below(recipients.len())).doing("a recipient")?;
            let answer = opener.ask(&open_line(recipient, NOW, &envelope))?;
            let (size, people) = (body.len(), recipients.len());
            assert!(
                answer == expected,
                "{} opens what {by} sealed in suite {suite}, {size} bytes for {people}: {:.200}",
                opener.name,
                answer
            );
        }
    }
    Ok(())
}

fn end(languages: Vec<Language>) -> Outcome {
    languages.into_iter().try_for_each(Language::end)
}

#[test]
fn every_language_opens_what_every_language_sealed() -> Outcome {
    let (stage, seed) = (Stage::new()?, seed());
    say(format_args!("DMR_SEED={seed}"));
    let mut draws = Draws::new(seed);
    let mut languages = languages(&stage)?;
    languages.push(Language::specification(&stage)?);
    for suite in SUITES {
        for size in sizes(&mut draws, count(5, 100)) {
            all_open_all(&mut languages, &stage, &mut draws, suite, size)?;
        }
    }
    end(languages)
}

/// Asks all, who must answer what the first answers: an error.
fn all_refuse(languages: &mut [Language], what: &str, line: &str) -> Outcome<String> {
    let (reference, others) = languages.split_first_mut().doing("a reference")?;
    let expected = reference.ask(line)?;
    assert!(expected.starts_with("error "), "{what}: {expected:.200}");
    for language in others {
        assert_eq!(language.ask(line)?, expected, "{what}: {}", language.name);
    }
    Ok(expected)
}

#[test]
fn every_language_refuses_what_was_tampered_with_under_the_same_name() -> Outcome {
    let (stage, seed) = (Stage::new()?, seed());
    say(format_args!("DMR_SEED={seed}"));
    let mut draws = Draws::new(seed);
    let mut languages = languages(&stage)?;
    let mut specification = Language::specification(&stage)?;
    let members = languages.len();
    for (suite, sealer) in SUITES.into_iter().flat_map(|suite| (0..members).map(move |sealer| (suite, sealer))) {
        let size = Size { body: draws.below(2_000), recipients: 1 + draws.below(3) };
        let (recipients, _, envelope) = sealed_by(&mut languages[sealer], &stage, &mut draws, suite, size)?;
        let good = unhex(&envelope).doing("an envelope in hexadecimal")?;
        let recipient = &recipients[0];
        let mut cases = vec![
            ("a byte too many".to_owned(), open_line(recipient, NOW, &hex(&[&good[..], &[0]].concat()))),
            ("someone else".to_owned(), open_line(&stage.stranger, NOW, &envelope)),
            ("expired".to_owned(), open_line(recipient, EXPIRES + 120_001, &envelope)),
            ("before the directory".to_owned(), open_line(recipient, NOW - 120_001, &envelope)),
        ];
        for _ in 0..count(40, 1_000) {
            let bit = draws.below(good.len() * 8);
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            cases.push((format!("bit {bit} flipped"), open_line(recipient, NOW, &hex(&bad))));
        }
        for _ in 0..count(5, 100) {
            let length = draws.below(good.len());
            cases.push((format!("cut after {length} bytes"), open_line(recipient, NOW, &hex(&good[..length]))));
        }
        for (what, line) in cases {
            all_refuse(&mut languages, &what, &line)?;
            let said = specification.ask(&line)?;
            assert!(said.starts_with("error "), "{what}: the specification says {said:.200}");
        }
        let line = open_line(&stage.stranger, NOW, &envelope);
        assert_eq!(all_refuse(&mut languages, "someone else", &line)?, "error open.not-recipient");
    }
    specification.end()?;
    end(languages)
}

#[test]
fn every_language_refuses_to_seal_under_the_same_name() -> Outcome {
    let stage = Stage::new()?;
    let mut draws = Draws::new(7);
    let mut languages = languages(&stage)?;
    let all = [stage.recipients(&mut draws, 1, MOST), stage.recipients(&mut draws, 2, 1)].concat();
    let (one, sender) = (&all[..1], &stage.sender);
    let good = seal_line(sender, one, CONTENT_TYPE, b"a body");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let (id, nobody) = (all[0].id.to_string(), "00000000-0000-4000-8000-ffffffffffff");
    let (from, until) = (format!(" {NOW} "), format!(" {EXPIRES} "));
    let too_long = vec![0; limit::MESSAGE];
    // What is no id is left out: in Python it may be a name.
    for (name, line) in [
        ("verify.unknown-recipient", with(&id, nobody)),
        ("seal.repeated-recipient", with(&id, &format!("{id},{id}"))),
        ("seal.recipient-count", seal_line(sender, &all, CONTENT_TYPE, b"a body")),
        ("seal.bad-lifetime", with(&until, &from)),
        ("seal.bad-lifetime", with(&until, &format!(" {} ", NOW + 25 * 3_600_000))),
        ("encode.too-long", seal_line(sender, one, CONTENT_TYPE, &too_long)),
        ("refused.not-yet-issued", with(&from, " 1 ")),
        ("call.out-of-range", with(&from, " -1 ")),
        ("call.out-of-range", with(&from, " now ")),
        ("call.out-of-range", with(" 1 ", " 65536 ")),
        ("call.out-of-range", format!("{good}0")),
        ("call.out-of-range", format!("{good} more")),
        ("call.out-of-range", "unseal".to_owned()),
        ("call.out-of-range", String::new()),
    ] {
        assert_eq!(all_refuse(&mut languages, name, &line)?, format!("error {name}"), "{line:.300}");
    }
    // None of them is the worse for it.
    all_open_all(&mut languages, &stage, &mut draws, 2, Size { body: 100, recipients: 2 })?;
    end(languages)
}
