"""Section 3 of docs/protocol.md: keys, their ids and their checks; and HPKE as section 4 uses it."""

import hashlib

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from encoding import Refused, demand, sha256

X25519, X_WING, ED25519 = 1, 2, 257
ALGORITHMS = {"x25519": X25519, "x-wing": X_WING}
PUBLIC_LENGTH = {X25519: 32, X_WING: 1216, ED25519: 32}
ENC_LENGTH = {X25519: 32, X_WING: 1120}

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
MLKEM_Q = 3329


def key_id(algorithm, public):
    return sha256(b"DMR/1 kid", algorithm.to_bytes(2, "big"), public)[:16]


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


# Edwards25519, RFC 8032 section 5.1: only what the checks of a public key need.


def edwards_point(encoded):
    """The point, or a refusal of what is no canonical encoding of one."""
    number = int.from_bytes(encoded, "little")
    y, sign = number & (2**255 - 1), number >> 255
    demand(y < P, "an Ed25519 point that is not canonical")
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    demand(x * x % P == square and not (x == 0 and sign), "not a point of the curve")
    return (P - x if x & 1 != sign else x), y


def has_small_order(point):
    for _ in range(3):
        x, y = point
        product = D * x * x * y * y % P
        point = (2 * x * y * pow(1 + product, -1, P) % P, (y * y + x * x) * pow(1 - product, -1, P) % P)
    return point == (0, 1)


def check_ed25519(public):
    demand(len(public) == 32, "an Ed25519 key of another length")
    demand(not has_small_order(edwards_point(public)), "an Ed25519 key of small order")


def check_x25519(public):
    demand(int.from_bytes(public, "little") < P, "an X25519 key that is not canonical")
    try:
        # RFC 7748: with any secret at all, a point of small order gives zeros, which the library refuses.
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise Refused("an X25519 key of small order") from None


def check_public(algorithm, public):
    """The checks of a public key when it enters."""
    demand(len(public) == PUBLIC_LENGTH[algorithm], "a public key of another length")
    if algorithm == ED25519:
        check_ed25519(public)
        return
    check_x25519(public[-32:])
    if algorithm == X_WING:
        for at in range(0, 1152, 3):
            three = int.from_bytes(public[at : at + 3], "little")
            demand(three & 0xFFF < MLKEM_Q and three >> 12 < MLKEM_Q, "a coefficient that is not canonical")


def verified(public, message, signature):
    """Strict verification. The library checks a canonical S and the equation without the cofactor."""
    if len(signature) != 64:
        return False
    try:
        if has_small_order(edwards_point(public)) or has_small_order(edwards_point(signature[:32])):
            return False
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, Refused):
        return False
    return True


def sign(seed, message):
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def ed25519_public(seed):
    return raw(Ed25519PrivateKey.from_private_bytes(seed).public_key())


def sealing_signed(participant, algorithm, not_before, not_after, public):
    """What an identity key signs of a sealing key."""
    times = not_before.to_bytes(8, "big") + not_after.to_bytes(8, "big")
    return b"DMR/1 sealing\0" + sha256(participant, algorithm.to_bytes(2, "big"), times, public)


def sealing_secrets(algorithm, secret):
    """The library's secret keys: X25519, and ML-KEM before it for X-Wing."""
    if algorithm == X25519:
        return (X25519PrivateKey.from_private_bytes(secret),)
    wide = hashlib.shake_256(secret).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(wide[:64]), X25519PrivateKey.from_private_bytes(wide[64:])


def sealing_public(algorithm, secret):
    return b"".join(raw(key.public_key()) for key in sealing_secrets(algorithm, secret))


def stock(suite):
    kem = hpke.KEM.X25519 if suite == X25519 else hpke.KEM.MLKEM768_X25519
    return hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


def hpke_seal(suite, public, info, plaintext):
    """`enc` and `ct`."""
    key = X25519PublicKey.from_public_bytes(public[-32:])
    if suite == X_WING:
        key = hpke.MLKEM768X25519PublicKey(MLKEM768PublicKey.from_public_bytes(public[:1184]), key)
    both = stock(suite).encrypt(plaintext, key, info)
    return both[: ENC_LENGTH[suite]], both[ENC_LENGTH[suite] :]


def hpke_open(suite, secret, info, enc, ct):
    keys = sealing_secrets(suite, secret)
    key = keys[0] if suite == X25519 else hpke.MLKEM768X25519PrivateKey(*keys)
    try:
        return stock(suite).decrypt(enc + ct, key, info)
    except (InvalidTag, ValueError):
        raise Refused("a wrap that does not open", 16) from None
