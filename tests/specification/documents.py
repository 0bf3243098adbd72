"""Section 7 of docs/protocol.md: strict JSON, signed lines, the pin, root documents, directories and key files."""

import base64
import json
import re
import uuid as uuids

import keys
from encoding import LAST, NAME, SKEW, Refused, demand, plus, sha256

MAX_BUNDLE, MAX_LINES, MAX_ROOT_LINE, MAX_PIN, MAX_PROTECTED = 16 << 20, 4096, 64 << 10, 16 << 10, 512
MAX_KEYS, MAX_SIGNATURES, MAX_KEY_FILE = 16, 32, 64 << 10
DAY = 86_400_000
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
HEX = re.compile(r"([0-9a-fA-F]{2})*")


def once(pairs):
    members = dict(pairs)
    demand(len(members) == len(pairs), "a member twice")
    return members


def never(_):
    raise Refused("a number that is not written as an integer")


def parse(data):
    try:
        text = bytes(data).decode("utf-8")
        return json.loads(text, object_pairs_hook=once, parse_float=never, parse_constant=never)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None


def shape(value, **members):
    """The members of an object, each read by its function; a name that ends in `_` is optional."""
    demand(type(value) is dict, "not an object")
    wanted = {name.rstrip("_"): (read, name.endswith("_")) for name, read in members.items()}
    demand(set(value) <= set(wanted), "an unknown member")
    demand(all(optional or name in value for name, (_, optional) in wanted.items()), "a missing member")
    return {name: read(value[name]) for name, (read, _) in wanted.items() if name in value}


def integer(least=0, most=LAST):
    def read(value):
        demand(type(value) is int and least <= value <= most, "not an integer of this range")
        return value

    return read


def word(*words):
    def read(value):
        demand(type(value) in (str, int) and value in words, "another word")
        return value

    return read


def listed(read, most=LAST):
    def read_all(value):
        demand(type(value) is list and len(value) <= most, "not a list, or too long")
        return [read(member) for member in value]

    return read_all


def name(value):
    demand(type(value) is str and NAME.fullmatch(value), "not a name")
    return value


def uuid(value):
    demand(type(value) is str and UUID.fullmatch(value), "not a UUID of 8-4-4-4-12 digits")
    identifier = uuids.UUID(value).bytes
    demand(any(identifier), "the nil UUID")
    return identifier


def hexadecimal(size):
    def read(value):
        demand(type(value) is str and len(value) == 2 * size and HEX.fullmatch(value), "not hexadecimal")
        return bytes.fromhex(value)

    return read


def unbase64(value, size=None):
    demand(type(value) is str, "not base64url")
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Refused("not base64url") from None
    canonical = base64.urlsafe_b64encode(decoded).rstrip(b"=").decode()
    demand(canonical == value, "base64url that is not canonical")
    demand(size is None or len(decoded) == size, "bytes of another length")
    return decoded


def sized(size):
    return lambda value: unbase64(value, size)


def validity(value):
    read = shape(value, notBefore=integer(), notAfter=integer())
    demand(read["notBefore"] < read["notAfter"], "a validity that does not begin before it ends")
    return read


def distinct(values, what):
    values = list(values)
    demand(len(set(values)) == len(values), f"{what} twice")


# Signed lines.


def line_parts(line, typ):
    """What is signed, the key id, the signature, and the payload as it stands in the line."""
    parts = line.split(".")
    demand(len(parts) == 3 and len(parts[0]) <= MAX_PROTECTED, "not a compact JWS")
    header = shape(parse(unbase64(parts[0])), alg=word("EdDSA"), typ=word(typ), kid=hexadecimal(16))
    return (parts[0] + "." + parts[1]).encode(), header["kid"], unbase64(parts[2], 64), parts[1]


def read_pin(data):
    demand(len(data) <= MAX_PIN, "a pin that is too long")
    pin = shape(parse(data), network=name, threshold=integer(1), keys=listed(sized(32), MAX_KEYS))
    check_root_keys(pin["keys"], pin["threshold"])
    return pin


def check_root_keys(public_keys, threshold):
    demand(threshold <= len(public_keys), "a threshold above the number of keys")
    distinct(public_keys, "a public key")
    for public in public_keys:
        keys.check_public(keys.ED25519, public)


def read_root(payload):
    directory_key = lambda value: shape(value, public=sized(32), validity=validity)
    root = shape(
        parse(payload), network=name, version=integer(1), expires=integer(),
        directoryKeys=listed(directory_key, MAX_KEYS), rootKeys=listed(sized(32), MAX_KEYS), threshold=integer(1),
    )
    check_root_keys(root["rootKeys"], root["threshold"])
    demand(root["directoryKeys"], "no directory key")
    for key in root["directoryKeys"]:
        keys.check_public(keys.ED25519, key["public"])
    distinct(root["rootKeys"] + [key["public"] for key in root["directoryKeys"]], "a public key")
    return root


def root_chain(lines, pin):
    """The newest root document, with the digest of its payload."""
    demand(lines, "no root document")
    before, threshold, version, at = pin["keys"], pin["threshold"], 0, 0
    while at < len(lines):
        signatures = []
        for line in lines[at:]:
            demand(len(line) <= MAX_ROOT_LINE, "a root document that is too long")
            parts = line_parts(line, "dmr-root+jws")
            if signatures and parts[3] != signatures[0][3]:
                break
            signatures.append(parts)
            demand(len(signatures) <= MAX_SIGNATURES, "too many signatures")
        at += len(signatures)
        distinct((kid for _, kid, _, _ in signatures), "the signature of a key")

        def signers(public_keys):
            by_id = {keys.key_id(keys.ED25519, public): public for public in public_keys}
            return {k for t, k, s, _ in signatures if k in by_id and keys.verified(by_id[k], t, s)}

        # A payload is parsed only once a signature over it has been verified.
        by_those_before = signers(before)
        demand(len(by_those_before) >= threshold, "not signed by those before")
        payload = unbase64(signatures[0][3])
        root = read_root(payload)
        by_its_own = signers(root["rootKeys"])
        demand(len(by_its_own) >= root["threshold"], "not signed by its own keys")
        demand(len(by_those_before | by_its_own) == len(signatures), "a signature that is nobody's")
        demand(root["network"] == pin["network"], "another network")
        demand(root["version"] == version + 1, "another version")
        before, threshold, version = root["rootKeys"], root["threshold"], root["version"]
    return root, sha256(payload)


# Directories.


def usage(value):
    words = listed(word("sign", "login"))(value)
    distinct(words, "a use")
    demand(words, "a key without a use")
    return words


def identity_key(value):
    key = shape(value, public=sized(32), use=usage, validity=validity)
    keys.check_public(keys.ED25519, key["public"])
    return {**key, "id": keys.key_id(keys.ED25519, key["public"])}


def sealing_key(value):
    key = shape(value, algorithm=word(*keys.ALGORITHMS), public=unbase64, validity=validity, signature=sized(64))
    algorithm = keys.ALGORITHMS[key["algorithm"]]
    keys.check_public(algorithm, key["public"])
    return {**key, "algorithm": algorithm, "id": keys.key_id(algorithm, key["public"])}


def participant(value):
    return shape(
        value, id=uuid, name=name, status=word("active", "suspended", "removed"),
        identityKeys=listed(identity_key, MAX_KEYS), sealingKeys=listed(sealing_key, MAX_KEYS),
        groups_=listed(name, 1000), services_=listed(name, 1000),
    )


def is_owned(entry, key):
    """Whether an identity key of use `sign` of this participant signed this sealing key."""
    times = key["validity"]["notBefore"], key["validity"]["notAfter"]
    signed = keys.sealing_signed(entry["id"], key["algorithm"], *times, key["public"])
    own = [own["public"] for own in entry["identityKeys"] if "sign" in own["use"]]
    return any(keys.verified(public, signed, key["signature"]) for public in own)


def read_directory(payload):
    names = listed(name, 1000)
    directory = shape(
        parse(payload), network=name, revision=integer(1), issued=integer(), expires=integer(),
        previous=lambda value: value if value is None else hexadecimal(32)(value),
        participants=listed(participant, 100_000),
        servers=listed(lambda value: shape(value, name=name, identityKeys=listed(identity_key, MAX_KEYS)), 1000),
        revoked=listed(lambda value: shape(value, key=hexadecimal(16), since=integer()), 100_000),
        suiteFloor=integer(1, 2), maxTtlMs=integer(1000, 366 * DAY),
        policy=listed(lambda value: shape(value, **{"from": names, "to": names}), 10_000),
    )
    people = directory["participants"]
    demand(directory["issued"] < directory["expires"], "no lifetime")
    distinct((entry["id"] for entry in people), "an id")
    distinct((entry["name"] for entry in people), "a name")
    distinct((server["name"] for server in directory["servers"]), "a server")
    distinct((revoked["key"] for revoked in directory["revoked"]), "a revoked key")
    known = {entry["name"] for entry in people}
    for rule in directory["policy"]:
        demand(known.issuperset(rule["from"] + rule["to"]), "a stranger in the policy")
    for entry in people:
        demand(all(is_owned(entry, key) for key in entry["sealingKeys"]), "a sealing key its owner did not sign")
    return directory


def public_keys(directory):
    for entry in directory["participants"] + directory["servers"]:
        yield from (key["public"] for key in entry["identityKeys"] + entry.get("sealingKeys", []))


def read_bundle(data, pin, now):
    """A verified directory, with what the bundle says about it."""
    demand(len(data) <= MAX_BUNDLE, "a bundle that is too long")
    try:
        text = bytes(data).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None
    demand(text.endswith("\n"), "a line without its end")
    lines = text[:-1].split("\n")
    demand(len(lines) <= MAX_LINES, "too many lines")
    signed, kid, signature, encoded = line_parts(lines[-1], "dmr-directory+jws")
    root, root_digest = root_chain(lines[:-1], pin)
    trusted = {keys.key_id(keys.ED25519, key["public"]): key for key in root["directoryKeys"]}
    demand(kid in trusted, "a key that the root does not name")
    demand(keys.verified(trusted[kid]["public"], signed, signature), "a signature that is not the key's")
    payload = unbase64(encoded)
    directory = read_directory(payload)
    demand(directory["network"] == pin["network"], "another network")
    during = trusted[kid]["validity"]
    demand(during["notBefore"] <= directory["issued"], "issued before its key")
    demand(directory["expires"] <= during["notAfter"], "expires after its key")
    demand(directory["issued"] <= plus(now, SKEW), "issued in the future")
    roots_own = root["rootKeys"] + [key["public"] for key in root["directoryKeys"]]
    distinct(list(public_keys(directory)) + roots_own, "a public key")
    ends = min(directory["expires"], root["expires"])
    return {**directory, "digest": sha256(payload), "signed_by": kid, "ends": ends,
            "root": {**root, "digest": root_digest, "trusted": set(trusted)}}


def read_key_file(data):
    """A participant's key file."""
    demand(len(data) <= MAX_KEY_FILE, "a key file that is too long")
    seed = lambda value: shape(value, seed=sized(32), use=usage, validity=validity)
    secret = lambda value: shape(value, suite=integer(1, 2), secret=sized(32), validity=validity)
    return shape(
        parse(data), version=integer(1, 1), kind=word("participant"), id=uuid, name=name,
        identity=listed(seed, MAX_KEYS), sealing=listed(secret, MAX_KEYS),
    )
