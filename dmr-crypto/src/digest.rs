//! Labels and hashes: every byte string that is hashed or signed begins with a label of its own.

use dmr_core::directory::{Algorithm, Validity};
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::header::Suite;
use dmr_core::id::{Digest, KeyId, MessageId, ParticipantId};
use sha2::{Digest as _, Sha256};

/// Label of an envelope's signed bytes.
const ENVELOPE: &[u8] = b"DMR/1 envelope\0";
/// Label of a login proof.
const LOGIN: &[u8] = b"DMR/1 login\0";
/// Label of a server's signature over its challenge.
const CHALLENGE: &[u8] = b"DMR/1 challenge\0";
/// Label of an identity key's signature over a sealing key.
const SEALING: &[u8] = b"DMR/1 sealing\0";
/// Label of the ids of answers.
const ANSWER: &[u8] = b"DMR/1 answer\0";
/// Label of key ids.
const KEY_ID: &[u8] = b"DMR/1 kid";

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The id of a public key: the first 16 bytes of `SHA-256("DMR/1 kid" ‖ algorithm ‖ public key)`.
///
/// A lookup hint, never a proof: what it finds is always verified with.
pub fn key_id(algorithm: Algorithm, public: &[u8]) -> KeyId {
    let hash = sha256(&[KEY_ID, &algorithm.number().to_be_bytes(), public]);
    let mut id = [0; KeyId::LEN];
    for (to, from) in id.iter_mut().zip(hash) {
        *to = from;
    }
    KeyId(id)
}

/// What the sender of an envelope signs:
/// `"DMR/1 envelope" ‖ 0x00 ‖ suite ‖ SHA-256(header) ‖ SHA-256(h_1 ‖ … ‖ h_n) ‖ SHA-256(body)`,
/// `h_i = SHA-256(enc_i ‖ ct_i)`.
pub(crate) fn envelope_signed(suite: Suite, header_hash: &[u8; 32], wraps: &[Wrap], body: &[u8]) -> Vec<u8> {
    let mut all_wraps = Sha256::new();
    for wrap in wraps {
        all_wraps.update(sha256(&[&wrap.enc, &wrap.ct]));
    }
    let wraps_hash: [u8; 32] = all_wraps.finalize().into();
    [ENVELOPE, &suite.number().to_be_bytes(), header_hash, &wraps_hash, &sha256(&[body])].concat()
}

/// The digest that names an envelope: SHA-256 of what its sender signs.
pub(crate) fn envelope_digest(signed: &[u8]) -> Digest {
    Digest(sha256(&[signed]))
}

/// The digest that names `envelope` in receipts and answers, whether or not its signature holds.
pub fn digest_of(envelope: &Envelope) -> Digest {
    let header_hash = sha256(&[envelope.header_bytes()]);
    envelope_digest(&envelope_signed(envelope.header().suite, &header_hash, envelope.wraps(), envelope.body()))
}

/// The id of a participant's answer to a question: however often it is asked, it has one answer.
///
/// A version 8 UUID of the first 16 bytes of `SHA-256("DMR/1 answer" ‖ 0x00 ‖ question ‖ participant)`.
pub fn answer_id(question: MessageId, answering: ParticipantId) -> MessageId {
    let hash = sha256(&[ANSWER, question.as_bytes(), answering.as_bytes()]);
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(hash) {
        *to = from;
    }
    MessageId::from_custom_bytes(id)
}

/// What an agent signs to log in: `"DMR/1 login" ‖ 0x00 ‖ SHA-256(challenge) ‖ SHA-256(fields)`.
pub(crate) fn login_signed(challenge: &[u8], fields: &[u8]) -> Vec<u8> {
    [LOGIN, &sha256(&[challenge]), &sha256(&[fields])].concat()
}

/// What a server signs to prove its name: `"DMR/1 challenge" ‖ 0x00 ‖ SHA-256(challenge)`.
pub(crate) fn challenge_signed(challenge: &[u8]) -> Vec<u8> {
    [CHALLENGE, &sha256(&[challenge])].concat()
}

/// What an identity key signs of a sealing key:
/// `"DMR/1 sealing" ‖ 0x00 ‖ SHA-256(participant ‖ algorithm ‖ not_before ‖ not_after ‖ public key)`.
pub(crate) fn sealing_signed(
    participant: ParticipantId,
    algorithm: Algorithm,
    validity: Validity,
    public: &[u8],
) -> Vec<u8> {
    let hash = sha256(&[
        participant.as_bytes(),
        &algorithm.number().to_be_bytes(),
        &validity.not_before.0.to_be_bytes(),
        &validity.not_after.0.to_be_bytes(),
        public,
    ]);
    [SEALING, &hash].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_one_answer_id_for_each_participant() {
        let question = MessageId::from_custom_bytes([1; 16]);
        let [one, other] = [[2; 16], [3; 16]].map(ParticipantId::from_custom_bytes);
        assert_eq!(answer_id(question, one), answer_id(question, one));
        assert_ne!(answer_id(question, one), answer_id(question, other));
        assert_eq!(answer_id(question, one).as_bytes()[6] >> 4, 8);
    }

    #[test]
    fn one_public_key_under_two_algorithms_has_two_ids() {
        assert_ne!(key_id(Algorithm::X25519, &[7; 32]), key_id(Algorithm::Ed25519, &[7; 32]));
    }
}
