"""DMR, Distributed Message Rooms: public institutions' chatbots pass questions to each other, sealed end to end.

This package seals, opens, signs and verifies in-process, byte for byte what the Rust crates do.

>>> import dmr
>>> from dmr import testing
>>> network = testing.network("tax", "police")
>>> envelope = dmr.seal(network.keys["tax"], network.directory, "police", "Is report 2026-00417 known?")
>>> opened = dmr.open(network.keys["police"], network.directory, bytes(envelope))
>>> opened.body
b'Is report 2026-00417 known?'
>>> opened.sender == network.keys["tax"].participant
True

Where to look:

- :class:`Keys`, :class:`Pin`, :class:`Directory`: keys, and who takes part. :class:`DirectoryTrust` remembers what it saw.
- :func:`seal`, :func:`open`, :func:`verify`, :class:`Envelope`: messages.
- :mod:`dmr.aio`: a whole agent for asyncio (``pip install 'dmr-sdk[aio]'``).
- :class:`DmrError` and what is under it: every refusal, with a stable code and name.
- :func:`prove_login`, :class:`Exchange`: for programs that drive a link themselves.
- :mod:`dmr.authority`: the directory's keeper. :mod:`dmr.testing`: made-up networks.

Every class is frozen and may be shared between threads. The interpreter's lock is released around cryptography.
Randomness comes from the system each time, so a forked child never repeats its parent's; an agent or exchange stays the
parent's. Bytes go in as any buffer object; times as aware ``datetime`` or milliseconds since 1970; ids as ``uuid.UUID`` or
text.
"""

from ._dmr import (
    DIRECTORY_LIMIT,
    ENVELOPE_LIMIT,
    FRAME_LIMIT,
    MESSAGE_LIMIT,
    RECIPIENTS_LIMIT,
    Directory,
    DirectoryTrust,
    Envelope,
    Exchange,
    Facts,
    InHand,
    Keys,
    Opened,
    Pin,
    SealedMessage,
    __version__,
    answer_id,
    open,
    prove_login,
    seal,
    verify,
    verify_challenge,
    verify_login,
)
from .errors import (
    AuthorityError,
    CallError,
    DirectoryError,
    DmrError,
    InputError,
    KeyringError,
    SealError,
    SendError,
    TrustError,
    VerifyError,
)
from .values import Kind, MessageStatus, Participant, Reference, Suite

__all__ = [
    "DIRECTORY_LIMIT",
    "ENVELOPE_LIMIT",
    "FRAME_LIMIT",
    "MESSAGE_LIMIT",
    "RECIPIENTS_LIMIT",
    "AuthorityError",
    "CallError",
    "Directory",
    "DirectoryError",
    "DirectoryTrust",
    "DmrError",
    "Envelope",
    "Exchange",
    "Facts",
    "InHand",
    "InputError",
    "Keys",
    "KeyringError",
    "Kind",
    "MessageStatus",
    "Opened",
    "Participant",
    "Pin",
    "Reference",
    "SealError",
    "SealedMessage",
    "SendError",
    "Suite",
    "TrustError",
    "VerifyError",
    "__version__",
    "answer_id",
    "open",
    "prove_login",
    "seal",
    "verify",
    "verify_challenge",
    "verify_login",
]
