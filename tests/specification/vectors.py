"""Holds docs/protocol.md, as it is written down in this directory, against every file in tests/vectors.

    python tests/specification/vectors.py

Needs the package `cryptography` (47 or newer) and nothing of DMR. Prints one line for each file and ends with 1 at the
first difference.
"""

import json
import pathlib
import sys
import uuid

import documents
import envelope as envelopes
import keys
import link
from encoding import Refused, sha256
from trust import Trust

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"

# The step of section 5 at which each stable name arises.
STEPS = {
    "decode.": {1}, "verify.wrong-network": {2}, "verify.suite-too-low": {3}, "verify.revoked-key": {4},
    "verify.unknown-sender-key": {5}, "verify.sender-inactive": {6}, "verify.bad-signature": {7},
    "verify.stale-directory": {8}, "verify.directory-forked": {8}, "verify.created-in-future": {9},
    "verify.bad-lifetime": {9}, "verify.expired": {10}, "verify.key-out-of-validity": {11},
    "open.not-recipient": {12}, "verify.unknown-recipient": {13}, "verify.recipient-inactive": {13},
    "verify.policy-refused": {13}, "open.unknown-key": {14}, "open.key-out-of-validity": {15},
    "open.undecryptable": {16, 17, 18}, "open.malformed": {19},
}


def load(name):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def same(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: {found!r} where {expected!r} is expected")


def refused(attempt, what):
    """The refusal that must come."""
    try:
        attempt()
    except Refused as refusal:
        return refusal
    raise AssertionError(f"{what}: accepted")


def unhex(value):
    return bytes.fromhex(value)


def identifier(value):
    return uuid.UUID(value).bytes


def directory_of(bundle, pin, now):
    return documents.read_bundle(bundle.encode(), documents.read_pin(pin.encode()), now)


def check_envelope(name):
    vector = load(name)
    now, suite = vector["now_ms"], vector["suite"]
    directory = directory_of(vector["directory"], vector["pin"], now)
    recipient = documents.read_key_file(vector["recipient_key_file"].encode())
    sender = documents.read_key_file(vector["sender_key_file"].encode())
    opened = envelopes.open_envelope(unhex(vector["envelope"]), recipient, directory, now)
    for member, value in (
        ("digest", opened["digest"]), ("header", opened["encoded"]), ("header_hash", sha256(opened["encoded"])),
        ("signed", opened["signed"]), ("signature", opened["signature"]), ("body", opened["body"]),
        ("content_key", opened["content_key"]), ("commitment", opened["key_commitment"]),
        ("body_key", envelopes.derive(opened["content_key"], b"DMR/1 body\0" + sha256(opened["encoded"]))),
        ("padded", opened["padded"]), ("content", opened["content"]),
        ("content", envelopes.write_content(opened["message"])), ("padded", envelopes.pad(opened["content"])),
        ("header", envelopes.write_header(opened)),
        ("signature", keys.sign(sender["identity"][0]["seed"], opened["signed"])),
    ):
        same(value.hex(), vector[member], f"{name} {member}")
    same(len(opened["wraps"]), len(vector["wraps"]), f"{name} wraps")
    for (enc, ct), (participant, key), wrap in zip(opened["wraps"], opened["recipients"], vector["wraps"]):
        info = envelopes.wrap_info(suite, key, sha256(opened["encoded"]))
        found = [part.hex() for part in (participant, key, enc, ct, info, sha256(enc, ct))]
        same(found, [wrap[of] for of in ("participant", "key", "enc", "ct", "info", "hash")], f"{name} wrap")
    people = [participant for participant, _ in opened["recipients"]]
    again = envelopes.seal(opened["message"], sender, directory, people, opened["kind"], opened["created"],
                           opened["expires"], opened["id"])
    reopened = envelopes.open_envelope(again, recipient, directory, now)
    for member in ("recipients", "message", "suite", "id", "sender_key", "directory_digest"):
        same(reopened[member], opened[member], f"{name} sealed again: {member}")
    same(len(again), len(unhex(vector["envelope"])), f"{name} sealed again: length")
    return 1


def check_padding():
    cases = load("padding")["cases"]
    for case in cases:
        content = bytes(index % 251 for index in range(case["content_len"]))
        padded = envelopes.pad(content)
        same((len(padded), sha256(padded).hex()), (case["padded_len"], case["padded_sha256"]), "padding")
        same(envelopes.unpad(padded), content, "padding")
    return len(cases)


def check_keys():
    vector = load("keys")
    for who in vector["participants"]:
        own = documents.read_key_file(who["key_file"].encode())
        card = documents.shape(documents.parse(who["card"].encode()), participant=documents.participant)["participant"]
        seed = unhex(who["identity"]["seed"])
        same(own["identity"][0]["seed"], seed, "the seed of an identity key")
        same(card["identityKeys"][0]["public"].hex(), who["identity"]["public"], "an identity key")
        same(keys.ed25519_public(seed).hex(), who["identity"]["public"], "an identity key")
        same(card["identityKeys"][0]["id"].hex(), who["identity"]["key_id"], "a key id")
        for key, listed, secret in zip(who["sealing"], card["sealingKeys"], own["sealing"], strict=True):
            public = keys.sealing_public(key["algorithm"], secret["secret"])
            same((public.hex(), listed["public"]), (key["public"], public), "a sealing key")
            same(listed["id"].hex(), key["key_id"], "a key id")
            times = listed["validity"]["notBefore"], listed["validity"]["notAfter"]
            signed = keys.sealing_signed(own["id"], key["algorithm"], *times, public)
            same(signed.hex(), key["signed"], "what is signed of a sealing key")
            same(keys.sign(seed, signed).hex(), key["signature"], "the signature of a sealing key")
            same(documents.is_owned(card, listed), True, "a sealing key")
    for authority in (vector["root_key"], vector["directory_key"]):
        public = keys.ed25519_public(unhex(authority["seed"]))
        same(documents.unbase64(authority["public"]), public, "an authority's key")
        same(keys.key_id(keys.ED25519, public).hex(), authority["key_id"], "an authority's key id")
    return len(vector["participants"])


def check_directory():
    vector = load("directory")
    for which in ("first", "second"):
        expected = vector[which]
        found = directory_of(expected["bundle"], vector["pin"], vector["now_ms"])
        same((found["revision"], found["digest"].hex()), (expected["revision"], expected["digest"]), which)
        same(sha256(expected["payload"].encode()).hex(), expected["digest"], which)
        same(found["root"]["digest"], sha256(vector["root_payload"].encode()), "the root document")
    trust = Trust(documents.read_pin(vector["pin"].encode()))
    for which in ("first", "second"):
        trust.offer(vector[which]["bundle"].encode(), vector["now_ms"])
    return 2


def check_login():
    vector = load("login")
    challenge, fields, proof = (unhex(vector[member]) for member in ("challenge", "fields", "proof"))
    directory = directory_of(vector["directory"], load("directory")["pin"], load("directory")["now_ms"])
    asked = link.verify_login(challenge, fields, proof, directory, load("directory")["now_ms"])
    same(link.login_signed(challenge, fields).hex(), vector["signed"], "what a login signs")
    same(link.challenge_signed(challenge).hex(), vector["server_signed"], "what a server signs")
    who = [who for who in load("keys")["participants"] if identifier(who["id"]) == asked["participant"]][0]
    same(keys.sign(unhex(who["identity"]["seed"]), unhex(vector["signed"])), proof, "a proof")
    public, signature = unhex(vector["server_public"]), unhex(vector["server_signature"])
    same(keys.verified(public, link.challenge_signed(challenge), signature), True, "a server's signature")
    return 1


def check_answers():
    cases = load("answers")["cases"]
    for case in cases:
        made = envelopes.answer_id(identifier(case["question"]), identifier(case["participant"]))
        same(made, identifier(case["answer"]), "the id of an answer")
    return len(cases)


def check_frames():
    cases = load("frames")["frames"]
    for case in cases:
        known = link.AGENT if case["from"] == "agent" else link.SERVER
        name, fields = link.read_frame(unhex(case["bytes"]), known)
        same(name, case["name"], "the name of a frame")
        same(link.write_frame(name, fields, known).hex(), case["bytes"], name)
    return len(cases)


def check_refused_frames():
    cases = load("refused-frames")["refused"]
    for case in cases:
        known = link.AGENT if case["from"] == "agent" else link.SERVER
        refused(lambda: link.read_frame(unhex(case["bytes"]) + bytes(case["then_zeros"]), known), case["name"])
    return len(cases)


def check_refused_envelopes():
    vector = load("refused-envelopes")
    files = {which: documents.read_key_file(vector[which].encode())
             for which in ("recipient_key_file", "young_recipient_key_file")}
    pin = documents.read_pin(vector["pin"].encode())
    now = vector["good"]["now_ms"]
    directories = {name: documents.read_bundle(bundle.encode(), pin, now)
                   for name, bundle in vector["directories"].items()}

    def attempt(case):
        own = files["young_recipient_key_file" if case["directory"] == "young" else "recipient_key_file"]
        return envelopes.open_envelope(unhex(case["envelope"]), own, directories[case["directory"]], case["now_ms"])

    attempt(vector["good"])
    for case in vector["refused"]:
        expected = case["expected"]
        steps = STEPS["decode." if expected.startswith("decode.") else expected]
        found = refused(lambda: attempt(case), case["name"])
        same(found.step in steps, True, f"{case['name']}, refused at step {found.step} ({found}), {expected}")
    first, second = (attempt({**vector["good"], "envelope": one}) for one in vector["same_id_another_digest"])
    same((first["id"], first["digest"] == second["digest"]), (second["id"], False), "two envelopes of one id")
    return len(vector["refused"])


def check_refused_directories():
    vector = load("refused-directories")
    pin, now = documents.read_pin(vector["pin"].encode()), vector["now_ms"]
    for case in vector["refused"]:
        refused(lambda: documents.read_bundle(case["bundle"].encode(), pin, now), case["name"])
    for case in vector["sequences"]:
        trust = Trust(pin)
        *before, last = case["offers"]
        for bundle in before:
            trust.offer(bundle.encode(), now)
        if case["last"] == "ok":
            trust.offer(last.encode(), now)
        else:
            refused(lambda: trust.offer(last.encode(), now), case["name"])
        same(trust.forked, case["last"] == "trust.forked", case["name"])
    return len(vector["refused"]) + len(vector["sequences"])


def check_refused_logins():
    vector = load("refused-logins")
    pin, now = documents.read_pin(vector["pin"].encode()), vector["good"]["now_ms"]
    directories = {name: documents.read_bundle(bundle.encode(), pin, now)
                   for name, bundle in vector["directories"].items()}

    def login(case):
        parts = [unhex(case[member]) for member in ("challenge", "fields", "proof")]
        return link.verify_login(*parts, directories[case["directory"]], case["now_ms"])

    def challenge(case):
        parts = [unhex(case[member]) for member in ("challenge", "signature")]
        return link.verify_challenge(*parts, directories[case["directory"]], case["now_ms"])

    login(vector["good"])
    for case in vector["refused"]:
        refused(lambda: login(case), case["name"])
    for case in vector["good_challenges"]:
        challenge(case)
    for case in vector["refused_challenges"]:
        refused(lambda: challenge(case), case["name"])
    return len(vector["refused"]) + len(vector["refused_challenges"])


CHECKS = {
    **{f"envelope-{suite}-{count}": lambda name=f"envelope-{suite}-{count}": check_envelope(name)
       for suite in ("x25519", "x-wing") for count in (1, 64)},
    "padding": check_padding, "keys": check_keys, "directory": check_directory, "login": check_login,
    "answers": check_answers, "frames": check_frames, "refused-envelopes": check_refused_envelopes,
    "refused-directories": check_refused_directories, "refused-logins": check_refused_logins,
    "refused-frames": check_refused_frames,
}


def main():
    files = {path.stem for path in VECTORS.glob("*.json")}
    same(set(CHECKS), files, "the files in tests/vectors")
    for name, check in CHECKS.items():
        print(f"{name}: {check()} as the specification says")


if __name__ == "__main__":
    sys.exit(main())
