//! The byte layouts of protocol version 1, written by hand from the format's rules and never to change.
//!
//! Notation: hexadecimal, spaces anywhere, `ab*16` for sixteen times `ab`. The encoding is bincode's standard
//! configuration: a variant or an integer below 251 is one byte; `fb`, `fc` and `fd` precede two, four and eight bytes,
//! little-endian; texts, byte strings and lists have their length in front; ids, key ids and digests have not; an
//! option is `00` or `01` and the value.

use bytes::Bytes;
use dmr_core::codec;
use dmr_core::content::{Content, Message, Receipt, Receipts, Reference, Verdict};
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::frame::{
    AgentFrame, AuthFields, Challenge, ChannelBinding, DeliveryTag, RecipientResult, ServerFrame, Settlement, Welcome,
};
use dmr_core::header::{Header, Kind, Recipient, Recipients, Suite};
use dmr_core::id::{
    ConversationId, Digest, InstanceId, KeyCommitment, KeyId, MessageId, Nonce, ParticipantId, RoomId, SessionId,
    StoreId,
};
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_core::time::Timestamp;

fn bytes(notation: &str) -> Bytes {
    let mut bytes = Vec::new();
    for token in notation.split_whitespace() {
        let (hex, times) = token.split_once('*').unwrap_or((token, "1"));
        let part: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        bytes.extend(part.repeat(times.parse().unwrap()));
    }
    bytes.into()
}

fn message(byte: u8) -> MessageId {
    MessageId::from_bytes([byte; 16]).unwrap()
}

fn participant(byte: u8) -> ParticipantId {
    ParticipantId::from_bytes([byte; 16]).unwrap()
}

fn filled(byte: u8, len: usize) -> Bytes {
    vec![byte; len].into()
}

#[test]
fn the_frames_of_an_agent_have_their_layout() {
    let settle = |tag, settlement| AgentFrame::Settle { tag: DeliveryTag(tag), settlement };
    let refused = Settlement::Reject { reason: FailureReason::Refused };
    for (frame, layout) in [
        (AgentFrame::Authenticate { fields: filled(1, 3), proof: filled(9, 64) }, "00 03 01*3 40 09*64"),
        (AgentFrame::Subscribe { prefetch: 64 }, "01 40"),
        (AgentFrame::Subscribe { prefetch: 1024 }, "01 fb 0004"),
        (AgentFrame::Publish { envelope: filled(7, 300) }, "02 fb 2c01 07*300"),
        (AgentFrame::Publish { envelope: filled(7, 100_000) }, "02 fc a0860100 07*100000"),
        (settle(250, Settlement::Ack), "03 fa 00"),
        (settle(251, Settlement::Retry { after_ms: 60_000 }), "03 fb fb00 01 fb 60ea"),
        (settle(1 << 32, refused), "03 fd 0000000001000000 02 02"),
        (AgentFrame::FetchDirectory { revision: 0 }, "04 00"),
        (AgentFrame::FetchDirectory { revision: 70_000 }, "04 fc 70110100"),
        (AgentFrame::Heartbeat, "05"),
    ] {
        assert_eq!(frame.encode().unwrap(), bytes(layout), "{frame:?}");
        assert_eq!(AgentFrame::decode(&bytes(layout)), Ok(frame));
    }
}

#[test]
fn the_frames_of_a_server_have_their_layout() {
    let welcome = Welcome {
        session: SessionId::from_bytes([1; 16]).unwrap(),
        store: StoreId::from_bytes([2; 16]).unwrap(),
        credit: 64,
        heartbeat_ms: 20_000,
        max_envelope: 1_310_720,
    };
    let recipients = vec![
        RecipientResult { participant: participant(2), reason: None },
        RecipientResult { participant: participant(3), reason: Some(RejectReason::MailboxFull) },
    ];
    let reject =
        |reason, retry_after_ms, recipients| ServerFrame::Reject { id: message(1), reason, retry_after_ms, recipients };
    let deliver = |tag, attempt, envelope| ServerFrame::Deliver { tag: DeliveryTag(tag), attempt, envelope };
    for (frame, layout) in [
        (ServerFrame::Challenge { challenge: filled(1, 2), signature: Bytes::new() }, "00 02 01*2 00"),
        (ServerFrame::Challenge { challenge: filled(1, 2), signature: filled(9, 64) }, "00 02 01*2 40 09*64"),
        (ServerFrame::Welcome(welcome), "01 01*16 02*16 40 fb 204e fc 00001400"),
        (ServerFrame::Refused { reason: CloseReason::LoginRefused }, "02 fb b10d"),
        (ServerFrame::Confirm { ids: vec![message(1), message(2)] }, "03 02 01*16 02*16"),
        (reject(RejectReason::SenderMismatch, 0, vec![]), "04 01*16 01 00 00"),
        (reject(RejectReason::MailboxFull, 1_000, recipients), "04 01*16 fb f501 fb e803 02 02*16 00 03*16 01 fb f501"),
        (deliver(1, 2, filled(7, 3)), "05 01 02 03 07*3"),
        (deliver(70_000, 1, filled(7, 20_000)), "05 fc 70110100 01 fb 204e 07*20000"),
        (
            ServerFrame::Directory { revision: 17, total: 300_000, offset: 262_144, part: filled(7, 2) },
            "06 11 fc e0930400 fc 00000400 02 07*2",
        ),
        (ServerFrame::Notice { id: message(1), reason: FailureReason::Expired }, "07 01*16 01"),
        (ServerFrame::Drain { retry_after_ms: 5_000 }, "08 fb 8813"),
        (ServerFrame::Heartbeat, "09"),
    ] {
        assert_eq!(frame.encode().unwrap(), bytes(layout), "{frame:?}");
        assert_eq!(ServerFrame::decode(&bytes(layout)), Ok(frame));
    }
}

#[test]
fn what_a_login_signs_has_its_layout() {
    let fields = |binding| AuthFields {
        network: "nat".parse().unwrap(),
        participant: participant(1),
        key: KeyId([2; 16]),
        version: 1,
        nonce: Nonce([3; 32]),
        instance: InstanceId::from_bytes([4; 16]).unwrap(),
        binding,
        directory_revision: 17,
    };
    for (binding, layout) in [
        (ChannelBinding::None, "03 6e6174 01*16 02*16 01 03*32 04*16 00 11"),
        (ChannelBinding::TlsExporter([5; 32]), "03 6e6174 01*16 02*16 01 03*32 04*16 01 05*32 11"),
    ] {
        assert_eq!(fields(binding).encode().unwrap(), bytes(layout));
        assert_eq!(AuthFields::decode(&bytes(layout)), Ok(fields(binding)));
    }
    let challenge = |server_key| Challenge {
        network: "nat".parse().unwrap(),
        server: "s1".parse().unwrap(),
        version_min: 1,
        version_max: 300,
        max_envelope: 1_310_720,
        nonce: Nonce([3; 32]),
        binds_channel: true,
        directory_revision: 17,
        server_key,
    };
    for (key, layout) in [
        (None, "03 6e6174 02 7331 01 fb 2c01 fc 00001400 03*32 01 11 00"),
        (Some(KeyId([4; 16])), "03 6e6174 02 7331 01 fb 2c01 fc 00001400 03*32 01 11 01 04*16"),
    ] {
        assert_eq!(challenge(key).encode().unwrap(), bytes(layout));
        assert_eq!(Challenge::decode(&bytes(layout)), Ok(challenge(key)));
    }
}

/// Header of suite 1 with one recipient; suite 2 with two differs in its first byte and in the list.
const HEADER: &str = "01 03 6e6174 01*16 02*16 03*16 01 04*16 05*16 01
    fd 00c02cc899010000 fd a07b3ac899010000 11 06*32 07*32";
const HEADER_OF_TWO: &str = "02 03 6e6174 01*16 02*16 03*16 02 04*16 05*16 08*16 09*16 fb 2c01
    fd 00c02cc899010000 fd a07b3ac899010000 11 06*32 07*32";

fn header(suite: Suite, recipients: &[(u8, u8)], kind: Kind) -> Header {
    let recipient = |(who, key): &(u8, u8)| Recipient { participant: participant(*who), key: KeyId([*key; 16]) };
    Header {
        suite,
        network: "nat".parse().unwrap(),
        id: message(1),
        sender: participant(2),
        sender_key: KeyId([3; 16]),
        recipients: Recipients::new(recipients.iter().map(recipient).collect()).unwrap(),
        kind,
        created: Timestamp(1_760_000_000_000),
        expires: Timestamp(1_760_000_900_000),
        directory_revision: 17,
        directory_digest: Digest([6; 32]),
        key_commitment: KeyCommitment([7; 32]),
    }
}

#[test]
fn a_header_has_its_layout() {
    for (header, layout) in [
        (header(Suite::X25519, &[(4, 5)], Kind::QUESTION), HEADER),
        (header(Suite::XWing, &[(8, 9), (4, 5)], Kind(300)), HEADER_OF_TWO),
    ] {
        assert_eq!(header.encode().unwrap(), bytes(layout));
        assert_eq!(Header::decode(&bytes(layout)), Ok(header));
    }
}

#[test]
fn a_header_that_breaks_a_rule_is_refused() {
    for (broken, rule) in [
        (HEADER.replacen("01", "03", 1), "an unknown suite"),
        (HEADER.replace("6e6174", "6e4174"), "a capital in a name"),
        (HEADER.replace("01*16", "00*16"), "a nil id"),
        (HEADER.replace("01 04*16 05*16", "00"), "no recipient"),
        (HEADER_OF_TWO.replace("08*16", "04*16"), "one recipient twice"),
        (HEADER_OF_TWO.replace("08*16", "03*16"), "recipients out of order"),
        (HEADER.replace(" 11 ", " fb 1100 "), "a longer integer than needed"),
    ] {
        assert!(Header::decode(&bytes(&broken)).is_err(), "{rule}");
    }
}

/// `header` in front, which has its length before it, then wraps, body and signature.
fn envelope_layout(header: &str, rest: &str) -> Bytes {
    let header = bytes(header);
    let len = u8::try_from(header.len()).unwrap();
    [b"DMR1".as_slice(), &[len], &header, &bytes(rest)].concat().into()
}

#[test]
fn an_envelope_has_its_layout() {
    let wraps = [Wrap { enc: filled(0xa, 32), ct: filled(0xb, 48) }];
    let envelope = Envelope::encode(&bytes(HEADER), &wraps, &filled(0xc, 529), &[0xd; 64]).unwrap();
    assert_eq!(bytes(HEADER).len(), 170);
    assert_eq!(*envelope.bytes(), envelope_layout(HEADER, "01 20 0a*32 30 0b*48 fb 1102 0c*529 40 0d*64"));
    assert_eq!(Envelope::decode(envelope.bytes().clone()), Ok(envelope.clone()));
    assert_eq!(*envelope.header_bytes(), bytes(HEADER));
    assert_eq!((envelope.wraps(), envelope.body().len(), envelope.signature()), (&wraps[..], 529, &[0xd; 64]));
}

#[test]
fn an_envelope_that_breaks_a_rule_is_refused() {
    for (rest, rule) in [
        ("00 fb 1102 0c*529 40 0d*64", "no wrap"),
        ("02 20 0a*32 30 0b*48 20 0a*32 30 0b*48 fb 1102 0c*529 40 0d*64", "a wrap too many"),
        ("01 21 0a*33 30 0b*48 fb 1102 0c*529 40 0d*64", "a long encapsulated key"),
        ("01 20 0a*32 2f 0b*47 fb 1102 0c*529 40 0d*64", "a short wrapped key"),
        ("01 20 0a*32 30 0b*48 fb 1102 0c*529 3f 0d*63", "a short signature"),
        ("01 20 0a*32 30 0b*48 fb 1102 0c*529 40 0d*64 00", "a byte after the end"),
        ("01 20 0a*32 30 0b*48 fc 11020000 0c*529 40 0d*64", "a longer length than needed"),
    ] {
        assert!(Envelope::decode(envelope_layout(HEADER, rest)).is_err(), "{rule}");
    }
    let good = envelope_layout(HEADER, "01 20 0a*32 30 0b*48 fb 1102 0c*529 40 0d*64").to_vec();
    for (at, broken) in [(0, b'd'), (3, b'2'), (4, 171)] {
        let mut bytes = good.clone();
        bytes[at] = broken;
        assert!(Envelope::decode(bytes.into()).is_err(), "byte {at}");
    }
    assert!(Envelope::decode(good.into()).is_ok());
}

#[test]
fn a_content_has_its_layout() {
    let plain = Message {
        content_type: "text".into(),
        conversation: None,
        sequence: None,
        room: None,
        in_reply_to: None,
        body: Bytes::from_static(b"tere"),
    };
    let full = Message {
        conversation: Some(ConversationId::from_bytes([1; 16]).unwrap()),
        sequence: Some(0),
        room: Some(RoomId::from_bytes([2; 16]).unwrap()),
        in_reply_to: Some(Reference { id: message(3), digest: Digest([4; 32]) }),
        ..plain.clone()
    };
    for (message, layout) in [
        (plain, "00 04 74657874 00 00 00 00 04 74657265"),
        (full, "00 04 74657874 01 01*16 01 00 01 02*16 01 03*16 04*32 04 74657265"),
    ] {
        let content = Content::V1(message);
        assert_eq!(content.encode().unwrap(), bytes(layout));
        assert_eq!(Content::decode(&bytes(layout)), Ok(content));
    }
}

/// A receipt of the first kind.
pub(crate) fn receipt() -> Receipt {
    Receipt {
        envelope: Reference { id: message(1), digest: Digest([2; 32]) },
        verdict: Verdict::Delivered,
        at: Timestamp(5),
    }
}

#[test]
fn receipts_have_their_layout() {
    let of = |verdict| Receipt { verdict, ..receipt() };
    let receipts = vec![of(Verdict::Delivered), of(Verdict::Failed(FailureReason::Unsolicited)), of(Verdict::Read)];
    let layout = "00 03 01*16 02*32 00 05 01*16 02*32 01 0b 05 01*16 02*32 02 05";
    assert_eq!(codec::encode(&Receipts::V1(receipts.clone())).unwrap(), bytes(layout));
    assert_eq!(Receipts::decode(&bytes(layout)), Ok(receipts));
}
