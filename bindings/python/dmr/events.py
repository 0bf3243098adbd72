"""What a :class:`dmr.Exchange` tells whoever drives it."""

from __future__ import annotations

import datetime
import uuid
from typing import NamedTuple, Union

from ._dmr import InHand
from .errors import SendError
from .values import Kind, Reference


class IncomingMessage(NamedTuple):
    """A message that came in: opened, its sender's signature verified, never handed over before."""

    #: Names it in answers.
    reference: Reference
    #: Who sealed and signed it.
    sender: uuid.UUID
    #: Everyone who can open it.
    recipients: tuple[uuid.UUID, ...]
    #: What it is for.
    kind: Kind
    #: When it was sealed, by the sender's clock.
    created: datetime.datetime
    #: When it expires.
    expires: datetime.datetime
    #: Media type of :attr:`body`.
    content_type: str
    #: What was sealed.
    body: bytes
    #: Conversation it belongs to.
    conversation: uuid.UUID | None
    #: Position in the conversation, from 0.
    sequence: int | None
    #: Room it belongs to.
    room: uuid.UUID | None
    #: The envelope it answers.
    in_reply_to: Reference | None
    #: 1 for the server's first attempt to deliver it. A hint.
    attempt: int
    #: For an answer: whether it answers a message of this process.
    solicited: bool

    def __repr__(self) -> str:
        return f"IncomingMessage({self.reference.id}, from {self.sender}, {len(self.body)} bytes)"


def incoming(
    header: tuple[Reference, uuid.UUID, tuple[uuid.UUID, ...], Kind, datetime.datetime, datetime.datetime],
    content: tuple[str, bytes, uuid.UUID | None, int | None, uuid.UUID | None, Reference | None],
    attempt: int,
    solicited: bool,
) -> IncomingMessage:
    """The message of these parts."""
    return IncomingMessage(*header, *content, attempt, solicited)


class Connect(NamedTuple):
    """Open a link to this server, giving up any other; answer with ``link_up`` or ``link_down``."""

    #: Its place in the list of servers.
    server: int


class LoggedIn(NamedTuple):
    """Logged in."""

    #: The server's place in the list.
    server: int
    #: The login's name in both sides' logs.
    session: uuid.UUID
    #: The broker's memory.
    store: uuid.UUID


class LoggedOut(NamedTuple):
    """The link is gone; another is opened after the delay."""

    #: Why, in words.
    reason: str
    #: Seconds until the next.
    retry_in: float


class Published(NamedTuple):
    """What became of a message that ``publish`` took, or of an answer: told once."""

    #: The message.
    id: uuid.UUID
    #: ``None``: every recipient's mailbox has it.
    error: SendError | None


class Answer(NamedTuple):
    """The answer to a question that was published to be waited for."""

    #: The question.
    question: uuid.UUID
    #: The answer, or that there will be none (:attr:`dmr.Kind.DECLINE`).
    message: IncomingMessage
    #: To settle it by.
    in_hand: InHand


class AskFailed(NamedTuple):
    """Every recipient of a question has spoken, and one at least refused it, signed."""

    #: The question.
    question: uuid.UUID
    #: Why, in a stable word.
    reason: str


class AskEnded(NamedTuple):
    """A question was given up or has expired: no answer is waited for any more."""

    #: The question.
    question: uuid.UUID


class Delivery(NamedTuple):
    """A message for the program."""

    #: The message.
    message: IncomingMessage
    #: To settle it by.
    in_hand: InHand


class Document(NamedTuple):
    """A directory document came in, unverified."""

    #: The document.
    document: bytes


class StatusChanged(NamedTuple):
    """What is known of a message has changed, or was forgotten."""

    #: The message.
    id: uuid.UUID


class Note(NamedTuple):
    """Something to log. Nothing depends on it."""

    #: A level of ``logging``.
    level: int
    #: The words.
    text: str


class Stopped(NamedTuple):
    """The session has shut down. Nothing follows."""


class Close(NamedTuple):
    """Close the link with this code, then report it down."""

    #: A WebSocket close code, 3000 to 3999.
    code: int
    #: In words.
    name: str


Event = Union[
    Connect,
    LoggedIn,
    LoggedOut,
    Published,
    Answer,
    AskFailed,
    AskEnded,
    Delivery,
    Document,
    StatusChanged,
    Note,
    Stopped,
]
