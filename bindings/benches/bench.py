"""The Python side of `cargo bench -p dmr-bindings`: does a row of work when asked, and says how long it took.

asked     ROW COUNT        answers    nanoseconds, for the whole of COUNT times
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from nacl.public import PrivateKey, SealedBox

import dmr
from dmr import testing

SIZES = (1024, 65536)


def both(suite: dmr.Suite, body: bytes) -> Callable[[], object]:
    """Seal and open, as two programs do it: bytes between them."""
    network = testing.network("tax", "police", suite=suite)
    tax, police, directory = network.keys["tax"], network.keys["police"], network.directory

    def work() -> object:
        return dmr.open(police, directory, bytes(dmr.seal(tax, directory, "police", body))).body

    return work


def sealed_box(body: bytes) -> Callable[[], object]:
    """PyNaCl: sealed to a key, by nobody in particular."""
    secret = PrivateKey.generate()
    return lambda: SealedBox(secret).decrypt(SealedBox(secret.public_key).encrypt(body))


def stock_hpke(kem: hpke.KEM, body: bytes) -> Callable[[], object]:
    """The cryptography package: HPKE in base mode with a suite's algorithms, by nobody in particular."""
    suite = hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    secret, public = keys(kem)
    return lambda: suite.decrypt(suite.encrypt(body, public), secret)


def keys(kem: hpke.KEM) -> tuple[Any, Any]:
    """A secret key for this KEM, and its public key."""
    secret = x25519.X25519PrivateKey.generate()
    if kem == hpke.KEM.X25519:
        return secret, secret.public_key()
    hybrid = hpke.MLKEM768X25519PrivateKey(mlkem.MLKEM768PrivateKey.generate(), secret)
    return hybrid, hybrid.public_key()


def main() -> None:
    rows = {}
    for size in SIZES:
        body = bytes(size)
        rows[f"x25519-{size}"] = both(dmr.Suite.X25519, body)
        rows[f"x-wing-{size}"] = both(dmr.Suite.X_WING, body)
        rows[f"sealed-box-{size}"] = sealed_box(body)
        rows[f"hpke-x25519-{size}"] = stock_hpke(hpke.KEM.X25519, body)
        rows[f"hpke-x-wing-{size}"] = stock_hpke(hpke.KEM.MLKEM768_X25519, body)
    for line in sys.stdin:
        name, count = line.split()
        work, times = rows[name], range(int(count))
        begun = time.perf_counter_ns()
        for _ in times:
            work()
        print(time.perf_counter_ns() - begun, flush=True)


if __name__ == "__main__":
    main()
