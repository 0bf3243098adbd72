"""Seals a message for one recipient, opens it again, and tries to cheat: the cryptography alone, without any network.

    pip install ./bindings && python examples/seal_and_open.py
"""

import uuid

import dmr
from dmr import authority

# Each institution makes its own keys and hands out a card with the public ones.
tax = dmr.Keys.generate(uuid.UUID("0193a5c8-7e1d-7cc2-8f4e-000000000001"), "tax")
police = dmr.Keys.generate(uuid.UUID("0193a5c8-7e1d-7cc2-8f4e-000000000002"), "police")

# The network's keeper founds it, adds both cards, and signs the result. Sealing takes no other list of keys.
network = authority.found("demo")
document = authority.add(network.directory, network.pin, network.directory_key, [tax.card(), police.card()])
directory = dmr.Directory.verify(bytes(document), network.pin)
print(f"directory   revision {directory.revision} with {len(directory.participants())} participants")

envelope = dmr.seal(tax, directory, "police", "Is report 2026-00417 registered with you?")
print(f"sealed      {len(envelope)} bytes, suite {envelope.suite.name}, digest {envelope.reference.digest.hex()}")

# A relay needs no secret to check who signed it, and has none to open it with.
facts = dmr.verify(envelope, directory)
print(f"verified    message {facts.id} is signed by {facts.sender}")

opened = dmr.open(police, directory, bytes(envelope))
print(f"opened      {opened.body.decode()!r}")

# Nobody else can open it, and no bit of it can change.
try:
    dmr.open(tax, directory, envelope)
except dmr.SealError as refused:
    print(f"not for tax {refused}")
else:
    raise SystemExit("the sender could open it")

tampered = bytearray(bytes(envelope))
tampered[len(tampered) // 2] ^= 1
try:
    dmr.open(police, directory, tampered)
except dmr.VerifyError as refused:
    print(f"tampered    {refused}")
else:
    raise SystemExit("a changed envelope was opened")
