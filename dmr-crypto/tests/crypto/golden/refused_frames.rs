//! Frames that are refused, in both directions, each with the stable name of the error. Written by hand from the rules
//! of the encoding.

use dmr_core::frame::{AgentFrame, ServerFrame};
use dmr_core::limit;
use serde_json::{Value, json};

use super::{frozen, outcome, read};
use crate::hex::{field, hex, unhex};
use crate::reference::varint;

/// A case: its name, its bytes, the zeros behind them, and the error.
type Case = (&'static str, Vec<u8>, usize, &'static str);

/// A case from hexadecimal with spaces anywhere and `ab*16` for sixteen times `ab`.
fn case(name: &'static str, notation: &str, expected: &'static str) -> Case {
    let mut bytes = Vec::new();
    for token in notation.split_whitespace() {
        let (digits, times) = token.split_once('*').unwrap_or((token, "1"));
        bytes.extend(unhex(digits).repeat(times.parse().unwrap()));
    }
    (name, bytes, 0, expected)
}

/// A frame that holds one byte string of zeros, and is a byte longer than a frame may be.
fn too_long(name: &'static str, before: &[u8]) -> Case {
    let zeros = limit::FRAME + 1 - before.len() - varint(limit::FRAME).len();
    (name, [before, &varint(zeros)].concat(), zeros, "decode.too-long")
}

fn of_agents() -> Vec<Case> {
    vec![
        case("nothing at all", "", "decode.malformed"),
        case("a number that no frame has", "06", "decode.malformed"),
        case("a number that only a server's frame has", "09", "decode.malformed"),
        case("the number of a frame written longer", "fb 0500", "decode.not-canonical"),
        case("a heartbeat with a byte too many", "05 00", "decode.trailing"),
        case("a subscription without a number", "01", "decode.malformed"),
        case("a prefetch of 64 written longer", "01 fb 4000", "decode.not-canonical"),
        case("a prefetch of 17 bits", "01 fc 00000100", "decode.malformed"),
        case("a prefetch that begins with fe", "01 fe 01 00*15", "decode.malformed"),
        case("a prefetch that begins with ff", "01 ff", "decode.malformed"),
        case("an envelope beyond the end", "02 05 01*4", "decode.malformed"),
        case("an envelope with a byte behind it", "02 03 01*4", "decode.trailing"),
        case("an envelope beyond all memory", "02 fd ff*7 7f", "decode.malformed"),
        case("a settlement of no kind", "03 01 03", "decode.malformed"),
        case("a settlement missing", "03 01", "decode.malformed"),
        case("a settlement with a delay of 33 bits", "03 01 01 fd 0000000001000000", "decode.malformed"),
        case("a rejection without a reason", "03 01 02", "decode.malformed"),
        case("a rejection for a reason of 17 bits", "03 01 02 fc 01000100", "decode.malformed"),
        case("a tag of 5 written in 8 bytes", "03 fd 0500000000000000 00", "decode.not-canonical"),
        case("a login without a proof", "00 06 01*6", "decode.malformed"),
        case("a revision written in 4 bytes that fits 2", "04 fc ffff0000", "decode.not-canonical"),
        case("a revision cut short", "04 fd 01*7", "decode.malformed"),
        too_long("a frame longer than any may be", &[2]),
    ]
}

fn of_servers() -> Vec<Case> {
    vec![
        case("nothing at all", "", "decode.malformed"),
        case("a number that no frame has", "0a", "decode.malformed"),
        case("the number of a frame written longer", "fb 0900", "decode.not-canonical"),
        case("a heartbeat with a byte too many", "09 09", "decode.trailing"),
        case("a challenge without a signature", "00 03 01*3", "decode.malformed"),
        case("a welcome to the nil session", "01 00*16 02*16 40 64 64", "decode.malformed"),
        case("a welcome of the nil store", "01 01*16 00*16 40 64 64", "decode.malformed"),
        case("a welcome without the largest envelope", "01 01*16 02*16 40 64", "decode.malformed"),
        case("a welcome with a heartbeat of 33 bits", "01 01*16 02*16 40 fd 0000000001000000 64", "decode.malformed"),
        case("a refusal without a reason", "02", "decode.malformed"),
        case("a refusal for a reason of 17 bits", "02 fc 00000100", "decode.malformed"),
        case("a confirm of two ids that holds one", "03 02 01*16", "decode.malformed"),
        case("a confirm of the nil id", "03 01 00*16", "decode.malformed"),
        case("a confirm of one id that holds two", "03 01 01*16 02*16", "decode.trailing"),
        case("a confirm of more ids than memory holds", "03 fd ff*7 7f 01*16", "decode.malformed"),
        case("a result that is neither one nor none", "04 01*16 01 00 01 02*16 02 01", "decode.malformed"),
        case("a result of the nil participant", "04 01*16 01 00 01 00*16 00", "decode.malformed"),
        case("a delivery with an attempt of 33 bits", "05 01 fd 0000000001000000 01 07", "decode.malformed"),
        case("a delivery with its tag written longer", "05 fb fa00 01 01 07", "decode.not-canonical"),
        case("a delivery without its envelope", "05 01 01", "decode.malformed"),
        case("a part of a directory of 33 bits", "06 01 fd 0000000001000000 00 01 07", "decode.malformed"),
        case("a part of a directory beyond the end", "06 01 04 00 05 07*4", "decode.malformed"),
        case("a notice with a short id", "07 01*15", "decode.malformed"),
        case("a drain with a byte too many", "08 01 00", "decode.trailing"),
        too_long("a frame longer than any may be", &[5, 1, 1]),
    ]
}

#[test]
fn golden_refused_frames_are_as_frozen() {
    let listed = |from: &str, cases: Vec<Case>| -> Vec<Value> {
        let cases = cases.into_iter();
        let cases = cases.map(|(name, bytes, zeros, expected)| {
            json!({ "from": from, "name": name, "bytes": hex(&bytes), "then_zeros": zeros, "expected": expected })
        });
        cases.collect()
    };
    let refused = [listed("agent", of_agents()), listed("server", of_servers())].concat();
    frozen("refused-frames", &json!({ "refused": refused }));
}

#[test]
fn golden_refused_frames_are_refused_as_they_say() {
    let file = read("refused-frames");
    let cases = file["refused"].as_array().unwrap();
    for case in cases {
        let mut bytes = field(case, "bytes");
        bytes.resize(bytes.len() + usize::try_from(case["then_zeros"].as_u64().unwrap()).unwrap(), 0);
        let found = match case["from"].as_str().unwrap() {
            "agent" => outcome(AgentFrame::decode(&bytes)),
            "server" => outcome(ServerFrame::decode(&bytes)),
            other => panic!("a frame of {other}"),
        };
        assert_eq!(found, case["expected"], "{} of {}", case["name"], case["from"]);
    }
    assert_eq!(cases.len(), 48);
}
