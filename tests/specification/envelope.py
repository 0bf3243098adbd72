"""Sections 4 to 6 of docs/protocol.md: the envelope sealed and opened, its padding, and what it holds."""

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import keys
from encoding import (
    CONTENT, ENVELOPE, HEADER, RECEIPTS, RECIPIENTS, SKEW, Reader, Refused, byte_string, demand, integer, listed,
    optional, plus, sha256, text,
)
from documents import DAY


def derive(content_key, info):
    return HKDF(SHA256(), 32, b"", info).derive(content_key)


def wrap_info(suite, key, header_hash):
    return b"DMR/1 wrap\0" + suite.to_bytes(2, "big") + key + header_hash


def signed_bytes(suite, header, wraps, body):
    hashes = sha256(*(sha256(enc, ct) for enc, ct in wraps))
    return b"DMR/1 envelope\0" + suite.to_bytes(2, "big") + sha256(header) + hashes + sha256(body)


def pad(content):
    size = max(512, 4 + len(content))
    e = size.bit_length() - 1
    step = 1 << (e - e.bit_length())
    return (len(content).to_bytes(4, "big") + content).ljust(-(-size // step) * step, b"\0")


def unpad(padded):
    demand(len(padded) >= 4, "no padded content", 18)
    size = int.from_bytes(padded[:4], "big")
    demand(4 + size <= len(padded) and padded == pad(padded[4 : 4 + size]), "wrong padding", 18)
    return padded[4 : 4 + size]


# Contents.


def reference(reader):
    return reader.uuid(), reader.take(32)


def read_content(data):
    reader = Reader(data, CONTENT)
    read = {
        "content_type": reader.text,
        "conversation": lambda: reader.optional(reader.uuid),
        "sequence": lambda: reader.optional(lambda: reader.integer(64)),
        "room": lambda: reader.optional(reader.uuid),
        "in_reply_to": lambda: reader.optional(lambda: reference(reader)),
        "body": reader.bytes,
    }
    _, message = reader.choice(lambda: {name: member() for name, member in read.items()})
    reader.end()
    return message


def write_content(message):
    return b"".join([
        integer(0), text(message["content_type"]), optional(message["conversation"]),
        optional(message["sequence"], integer), optional(message["room"]),
        optional(message["in_reply_to"], b"".join), byte_string(message["body"]),
    ])


def message_of(content_type, body):
    nothing = dict.fromkeys(("conversation", "sequence", "room", "in_reply_to"))
    return {"content_type": content_type, "body": body, **nothing}


def read_receipts(data):
    reader = Reader(data, CONTENT)
    nothing = lambda: None
    verdict = lambda: reader.choice(nothing, lambda: reader.integer(16), nothing)
    receipt = lambda: (reference(reader), verdict(), reader.integer(64))
    _, receipts = reader.choice(lambda: reader.list(receipt, 1, RECEIPTS))
    reader.end()
    return receipts


def answer_id(question, participant):
    """The UUIDv8 of an answer."""
    made = bytearray(sha256(b"DMR/1 answer\0", question, participant)[:16])
    made[6] = made[6] & 0x0F | 0x80
    made[8] = made[8] & 0x3F | 0x80
    return bytes(made)


# Envelopes.


def read_header(data):
    reader = Reader(data, HEADER)
    suite = reader.integer(16)
    demand(suite in (1, 2), "an unknown suite")
    header = {"suite": suite, "network": reader.name(), "id": reader.uuid(), "sender": reader.uuid(),
              "sender_key": reader.take(16)}
    header["recipients"] = reader.list(lambda: (reader.uuid(), reader.take(16)), 1, RECIPIENTS)
    people = [participant for participant, _ in header["recipients"]]
    demand(all(before < after for before, after in zip(people, people[1:])), "recipients out of order")
    for name, bits in (("kind", 16), ("created", 64), ("expires", 64), ("directory_revision", 64)):
        header[name] = reader.integer(bits)
    header["directory_digest"], header["key_commitment"] = reader.take(32), reader.take(32)
    reader.end()
    return header


def write_header(header):
    recipients = listed([participant + key for participant, key in header["recipients"]])
    numbers = (header[name] for name in ("kind", "created", "expires", "directory_revision"))
    return b"".join([
        integer(header["suite"]), text(header["network"]), header["id"], header["sender"], header["sender_key"],
        recipients, *map(integer, numbers), header["directory_digest"], header["key_commitment"],
    ])


def read_envelope(data):
    """Step 1."""
    try:
        demand(bytes(data[:4]) == b"DMR1", "another magic")
        demand(len(data) <= ENVELOPE, "an envelope that is too long")
        reader = Reader(data[4:], ENVELOPE)
        encoded = reader.bytes()
        wraps = reader.list(lambda: (reader.bytes(), reader.bytes()), 1, RECIPIENTS)
        body, signature = reader.bytes(), reader.bytes()
        reader.end()
        header = read_header(encoded)
        demand(len(wraps) == len(header["recipients"]), "wraps and recipients differ in number")
        lengths = {(len(enc), len(ct)) for enc, ct in wraps}
        demand(lengths == {(keys.ENC_LENGTH[header["suite"]], 48)}, "a wrap of another length")
        demand(len(signature) == 64, "a signature of another length")
    except Refused as refused:
        raise Refused(str(refused), 1) from None
    signed = signed_bytes(header["suite"], encoded, wraps, body)
    return {**header, "encoded": encoded, "wraps": wraps, "body": body, "signature": signature, "signed": signed,
            "digest": sha256(signed)}


def entry_of(directory, participant):
    found = [entry for entry in directory["participants"] if entry["id"] == participant]
    return found[0] if found else None


def is_valid(key, time):
    return key["validity"]["notBefore"] <= time <= key["validity"]["notAfter"]


def is_revoked(directory, key):
    return any(revoked["key"] == key for revoked in directory["revoked"])


def may_write(directory, sender, recipient):
    rules = directory["policy"]
    covers = lambda names, entry: not names or entry["name"] in names
    return not rules or any(covers(rule["from"], sender) and covers(rule["to"], recipient) for rule in rules)


def verify(envelope, directory, now):
    """Steps 2 to 11. Returns the sender's entry."""
    key = envelope["sender_key"]
    demand(envelope["network"] == directory["network"], "another network", 2)
    demand(envelope["suite"] >= directory["suiteFloor"], "a suite below the floor", 3)
    demand(not is_revoked(directory, key), "a revoked key", 4)
    sender = entry_of(directory, envelope["sender"])
    listed_keys = sender["identityKeys"] if sender else []
    found = [own for own in listed_keys if own["id"] == key and "sign" in own["use"]]
    demand(found, "a key that is not listed", 5)
    demand(sender["status"] == "active", "a sender that is not active", 6)
    demand(keys.verified(found[0]["public"], envelope["signed"], envelope["signature"]), "a wrong signature", 7)
    demand(envelope["directory_revision"] <= directory["revision"], "a newer directory", 8)
    same = envelope["directory_revision"] != directory["revision"] or (
        envelope["directory_digest"] == directory["digest"])
    demand(same, "another directory of the revision", 8)
    created, expires = envelope["created"], envelope["expires"]
    demand(created <= plus(now, SKEW), "created in the future", 9)
    demand(0 < expires - created <= directory["maxTtlMs"], "a wrong lifetime", 9)
    demand(now <= plus(expires, SKEW), "expired", 10)
    demand(is_valid(found[0], created), "created outside the validity of its key", 11)
    return sender


def open_envelope(data, key_file, directory, now):
    """Steps 1 to 19."""
    envelope = read_envelope(data)
    sender = verify(envelope, directory, now)
    people = [participant for participant, _ in envelope["recipients"]]
    demand(key_file["id"] in people, "not for me", 12)
    position = people.index(key_file["id"])
    own = entry_of(directory, key_file["id"])
    demand(own, "I am not listed", 13)
    demand(own["status"] == "active" and may_write(directory, sender, own), "not allowed", 13)
    suite, named = envelope["suite"], envelope["recipients"][position][1]
    mine = [secret for secret in key_file["sealing"]
            if keys.key_id(secret["suite"], keys.sealing_public(secret["suite"], secret["secret"])) == named]
    demand(mine and mine[0]["suite"] == suite, "a key that I do not hold", 14)
    demand(is_valid(mine[0], envelope["created"]), "created outside the validity of my key", 15)
    header_hash = sha256(envelope["encoded"])
    info = wrap_info(suite, named, header_hash)
    content_key = keys.hpke_open(suite, mine[0]["secret"], info, *envelope["wraps"][position])
    demand(len(content_key) == 32, "a content key of another length", 16)
    commitment = derive(content_key, b"DMR/1 commit\0")
    demand(hmac.compare_digest(commitment, envelope["key_commitment"]), "another commitment", 17)
    cipher = ChaCha20Poly1305(derive(content_key, b"DMR/1 body\0" + header_hash))
    try:
        padded = cipher.decrypt(bytes(12), envelope["body"], b"")
    except (InvalidTag, ValueError):
        raise Refused("a body that does not open", 18) from None
    content = unpad(padded)
    try:
        message = read_content(content)
    except Refused as refused:
        raise Refused(str(refused), 19) from None
    return {**envelope, "content_key": content_key, "padded": padded, "content": content, "message": message}


def usable(directory, entry, suite, created):
    """The sealing key of this suite that is taken, or none."""
    found = [key for key in entry["sealingKeys"] if key["algorithm"] == suite
             and is_valid(key, created) and not is_revoked(directory, key["id"])]
    return max(found, key=lambda key: key["validity"]["notBefore"], default=None)


def signing_key(directory, key_file, own, created):
    """The newest of my keys that the directory accepts for signing."""
    found = []
    for secret in key_file["identity"]:
        public = keys.ed25519_public(secret["seed"])
        entry = [key for key in own["identityKeys"] if key["public"] == public]
        if entry and "sign" in entry[0]["use"] and is_valid(entry[0], created):
            if not is_revoked(directory, entry[0]["id"]):
                found.append((entry[0]["validity"]["notBefore"], secret["seed"], entry[0]["id"]))
    demand(found, "no key to sign with")
    return max(found)[1:]


def seal(message, key_file, directory, recipients, kind, created, expires, message_id=None):
    """"Choosing suite and keys", then "Sealing"."""
    demand(created <= plus(directory["ends"], DAY), "the directory has expired")
    demand(1 <= len(recipients) <= RECIPIENTS and len(set(recipients)) == len(recipients), "wrong recipients")
    demand(0 < expires - created <= directory["maxTtlMs"], "a wrong lifetime")
    own = entry_of(directory, key_file["id"])
    demand(own and own["status"] == "active", "the sender does not take part")
    seed, sender_key = signing_key(directory, key_file, own, created)
    entries = [entry_of(directory, participant) for participant in sorted(recipients)]
    for entry in entries:
        demand(entry and entry["status"] == "active", "a recipient that does not take part")
        demand(may_write(directory, own, entry), "the policy forbids it")
    for suite in range(2, directory["suiteFloor"] - 1, -1):
        chosen = [usable(directory, entry, suite, created) for entry in entries]
        if all(chosen):
            break
    else:
        raise Refused("no common suite")
    content_key = os.urandom(32)
    header = write_header({
        "suite": suite, "network": directory["network"], "id": message_id or fresh_id(created),
        "sender": key_file["id"], "sender_key": sender_key,
        "recipients": [(entry["id"], key["id"]) for entry, key in zip(entries, chosen)],
        "kind": kind, "created": created, "expires": expires, "directory_revision": directory["revision"],
        "directory_digest": directory["digest"], "key_commitment": derive(content_key, b"DMR/1 commit\0"),
    })
    header_hash = sha256(header)
    content = write_content(message)
    demand(len(content) <= CONTENT, "a content that is too long")
    body = ChaCha20Poly1305(derive(content_key, b"DMR/1 body\0" + header_hash)).encrypt(bytes(12), pad(content), b"")
    wraps = [keys.hpke_seal(suite, key["public"], wrap_info(suite, key["id"], header_hash), content_key)
             for key in chosen]
    signature = keys.sign(seed, signed_bytes(suite, header, wraps, body))
    parts = [byte_string(header), listed([byte_string(enc) + byte_string(ct) for enc, ct in wraps]),
             byte_string(body), byte_string(signature)]
    return b"DMR1" + b"".join(parts)


def fresh_id(now):
    """A UUIDv7: the time, the version, random bits with the variant among them."""
    made = bytearray(now.to_bytes(6, "big") + os.urandom(10))
    made[6] = made[6] & 0x0F | 0x70
    made[8] = made[8] & 0x3F | 0x80
    return bytes(made)
