"""Plain values: enums and named tuples."""

from __future__ import annotations

import datetime
import enum
import uuid
from typing import NamedTuple

from ._dmr import AuthorityKey, Directory, Pin


class Suite(enum.IntEnum):
    """The set of algorithms of one envelope. Both sign with Ed25519."""

    #: HPKE with X25519 and ChaCha20-Poly1305 (RFC 9180).
    X25519 = 1
    #: The same with X-Wing (ML-KEM-768 and X25519): also against a later quantum computer.
    X_WING = 2


class Kind(enum.IntEnum):
    """What an envelope is for. Open: a number that this version does not name becomes ``KIND_7`` and the like."""

    #: Asks for an answer.
    QUESTION = 1
    #: Answers a question.
    ANSWER = 2
    #: Says that a question will not be answered.
    DECLINE = 3
    #: Tells something and expects no answer.
    EVENT = 4
    #: Says what became of envelopes.
    RECEIPT = 5
    #: Between agents.
    CONTROL = 6

    @classmethod
    def _missing_(cls, value: object) -> Kind | None:
        if not isinstance(value, int) or not 0 <= value < 1 << 16:
            return None
        kind = int.__new__(cls, value)
        kind._name_ = f"KIND_{value}"
        kind._value_ = value
        return kind


class Reference(NamedTuple):
    """Names one envelope beyond doubt."""

    #: Its id.
    id: uuid.UUID
    #: SHA-256 of what its sender signed, 32 bytes.
    digest: bytes


class Participant(NamedTuple):
    """A participant in a directory."""

    #: Its id, for ever.
    id: uuid.UUID
    #: Its name, unique among the participants.
    name: str
    #: ``active``, ``suspended`` or ``removed``.
    status: str
    #: The ids of its identity keys, 16 bytes each: what its keeper revokes.
    identity_keys: tuple[bytes, ...] = ()
    #: The ids of its sealing keys, 16 bytes each.
    sealing_keys: tuple[bytes, ...] = ()


class Founding(NamedTuple):
    """What a new network begins with."""

    #: Signs root documents: to be kept offline.
    root_key: AuthorityKey
    #: Signs directories.
    directory_key: AuthorityKey
    #: What every participant and server holds beforehand.
    pin: Pin
    #: Revision 1, without participants.
    directory: Directory


class MessageStatus(NamedTuple):
    """What is known of a message that this process sent."""

    #: ``pending``, ``accepted``, ``delivered``, ``failed`` or ``answered``.
    status: str
    #: Whether nothing more can be learnt but an answer, or a signed word that overrides an unsigned one.
    is_final: bool
    #: Whether its recipients signed it.
    is_signed: bool
    #: Why it failed, in a stable word.
    reason: str | None
    #: The answer to it.
    answer: uuid.UUID | None


def moment(milliseconds: int) -> datetime.datetime:
    """The time so many milliseconds after 1970, in UTC; the last that there is for one that is later."""
    try:
        return _EPOCH + datetime.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
