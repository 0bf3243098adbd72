"""The Python side of `cargo bench -p dmr-bindings --bench python`: does a row of work when asked, and says how long it took.

asked     ROW COUNT        answers    nanoseconds, for the whole of COUNT times
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import x25519
from nacl.public import PrivateKey, SealedBox

import dmr
from dmr import testing

BODY = bytes(1024)


def both(suite: dmr.Suite) -> Callable[[], object]:
    """Seal and open, as two programs do it: bytes between them."""
    network = testing.network("tax", "police", suite=suite)
    tax, police, directory = network.keys["tax"], network.keys["police"], network.directory

    def work() -> object:
        return dmr.open(police, directory, bytes(dmr.seal(tax, directory, "police", BODY))).body

    return work


def sealed_box() -> Callable[[], object]:
    """PyNaCl: sealed to a key, by nobody in particular."""
    secret = PrivateKey.generate()
    return lambda: SealedBox(secret).decrypt(SealedBox(secret.public_key).encrypt(BODY))


def stock_hpke() -> Callable[[], object]:
    """The cryptography package: HPKE in base mode with suite 1's algorithms, by nobody in particular."""
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    secret = x25519.X25519PrivateKey.generate()
    public = secret.public_key()
    return lambda: suite.decrypt(suite.encrypt(BODY, public), secret)


def main() -> None:
    rows = {
        "x25519": both(dmr.Suite.X25519),
        "x-wing": both(dmr.Suite.X_WING),
        "sealed-box": sealed_box(),
        "hpke": stock_hpke(),
    }
    for line in sys.stdin:
        name, count = line.split()
        work, times = rows[name], range(int(count))
        begun = time.perf_counter_ns()
        for _ in times:
            work()
        print(time.perf_counter_ns() - begun, flush=True)


if __name__ == "__main__":
    main()
