"""Section 8 of docs/protocol.md: frames, and the proofs of a login."""

import keys
from encoding import FRAME, LOGIN_FRAME, Reader, byte_string, demand, integer, listed, optional, sha256
from envelope import entry_of, is_revoked, is_valid

VERSION = 1

AGENT = (
    ("authenticate", "bytes bytes"),
    ("subscribe", "16"),
    ("publish", "bytes"),
    ("settle", "64 settlement"),
    ("fetch-directory", "64"),
    ("heartbeat", ""),
)
SERVER = (
    ("challenge", "bytes bytes"),
    ("welcome", "uuid uuid 16 32 32"),
    ("refused", "16"),
    ("confirm", "uuids"),
    ("reject", "uuid 16 32 results"),
    ("deliver", "64 32 bytes"),
    ("directory", "64 32 32 bytes"),
    ("notice", "uuid 16"),
    ("drain", "32"),
    ("heartbeat", ""),
)


def read_field(reader, kind):
    if kind.isdigit():
        return reader.integer(int(kind))
    return {
        "bytes": reader.bytes,
        "uuid": reader.uuid,
        "uuids": lambda: reader.list(reader.uuid),
        "settlement": lambda: reader.choice(lambda: None, lambda: reader.integer(32), lambda: reader.integer(16)),
        "results": lambda: reader.list(lambda: (reader.uuid(), reader.optional(lambda: reader.integer(16)))),
    }[kind]()


def write_field(value, kind):
    if kind.isdigit():
        return integer(value)
    return {
        "bytes": lambda: byte_string(value),
        "uuid": lambda: value,
        "uuids": lambda: listed(value),
        "settlement": lambda: integer(value[0]) + (b"" if value[1] is None else integer(value[1])),
        "results": lambda: listed([participant + optional(reason, integer) for participant, reason in value]),
    }[kind]()


def read_frame(data, frames):
    """The frame's name and its fields."""
    reader = Reader(data, FRAME)
    number = reader.integer(32)
    demand(number < len(frames), "a number that no frame has")
    name, kinds = frames[number]
    fields = [read_field(reader, kind) for kind in kinds.split()]
    reader.end()
    return name, fields


def write_frame(name, fields, frames):
    number = [known for known, _ in frames].index(name)
    kinds = frames[number][1].split()
    return integer(number) + b"".join(write_field(value, kind) for value, kind in zip(fields, kinds))


def read_challenge(data):
    reader = Reader(data, LOGIN_FRAME)
    challenge = {
        "network": reader.name(), "server": reader.name(), "version_min": reader.integer(16),
        "version_max": reader.integer(16), "max_envelope": reader.integer(32), "nonce": reader.take(32),
        "binds_channel": reader.boolean(), "directory_revision": reader.integer(64),
        "server_key": reader.optional(lambda: reader.take(16)),
    }
    reader.end()
    return challenge


def read_fields(data):
    reader = Reader(data, LOGIN_FRAME)
    fields = {
        "network": reader.name(), "participant": reader.uuid(), "key": reader.take(16),
        "version": reader.integer(16), "nonce": reader.take(32), "instance": reader.uuid(),
        "binding": reader.choice(lambda: None, lambda: reader.take(32)), "directory_revision": reader.integer(64),
    }
    reader.end()
    return fields


def login_signed(challenge, fields):
    return b"DMR/1 login\0" + sha256(challenge) + sha256(fields)


def challenge_signed(challenge):
    return b"DMR/1 challenge\0" + sha256(challenge)


def login_key(entry, key, directory, now):
    """The public key of use `login` with this id in this entry, if it is valid now and not revoked."""
    found = [own for own in (entry["identityKeys"] if entry else []) if own["id"] == key and "login" in own["use"]]
    demand(found and is_valid(found[0], now) and not is_revoked(directory, key), "a key that does not hold")
    return found[0]["public"]


def verify_login(challenge, fields, proof, directory, now):
    """What a server requires of an `Authenticate` over its challenge."""
    offered, asked = read_challenge(challenge), read_fields(fields)
    demand(offered["network"] == asked["network"] == directory["network"], "another network")
    demand(offered["version_min"] <= asked["version"] <= offered["version_max"], "a version that was not offered")
    entry = entry_of(directory, asked["participant"])
    demand(entry and entry["status"] == "active", "a participant that does not take part")
    public = login_key(entry, asked["key"], directory, now)
    demand(keys.verified(public, login_signed(challenge, fields), proof), "a wrong proof")
    return asked


def verify_challenge(challenge, signature, directory, now):
    """What an agent with a directory requires of a challenge."""
    offered = read_challenge(challenge)
    demand(offered["network"] == directory["network"], "another network")
    demand(offered["version_min"] <= VERSION <= offered["version_max"], "a version that is not offered")
    if directory["servers"]:
        demand(offered["server_key"], "a server that does not say who it is")
        entry = next((server for server in directory["servers"] if server["name"] == offered["server"]), None)
        public = login_key(entry, offered["server_key"], directory, now)
        demand(keys.verified(public, challenge_signed(challenge), signature), "a wrong signature")
    return offered
