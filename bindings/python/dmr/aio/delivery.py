"""Messages that came in, and what a program does with them."""

from __future__ import annotations

import asyncio
import datetime
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dmr import Exchange, InHand, Kind, Reference

from . import json_message

if TYPE_CHECKING:
    from .driver import Driver

#: How long an unsettled message that was dropped waits before it comes again, in seconds.
DROPPED_RETRY = 1.0
#: How long a question waits whose answer could not be sealed, in seconds: that does not change at once.
_UNSEALED_RETRY = 30.0
#: With these a question's answer can never be sent: the program would only answer it again.
_FINAL = frozenset({"send.policy-refused", "send.unknown-recipient", "send.recipient-inactive"})


@dataclass(frozen=True, repr=False)
class Message:
    """A message that came in: opened, its sender's signature verified, never handed over before in this process.

    ``repr`` shows references and sizes, never the text.
    """

    #: Names it in answers: its id and digest.
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
    #: The sender's name in the directory, when it was handed over.
    sender_name: str | None

    @property
    def id(self) -> uuid.UUID:
        """Its id: the idempotency key of whatever is done with it."""
        return self.reference.id

    @property
    def type(self) -> str | None:
        """The ``type`` of a JSON message; ``None`` for any other body."""
        decoded = self._decoded()
        return None if decoded is None else decoded[0]

    def json(self) -> Any:
        """The payload of a JSON message, or the body itself where it is other JSON.

        Raises:
            ValueError: the body is not JSON.
        """
        decoded = self._decoded()
        return json.loads(self.body) if decoded is None else decoded[1]

    def text(self) -> str:
        """The body as text.

        Raises:
            UnicodeDecodeError: it is not UTF-8.
        """
        return self.body.decode()

    def _decoded(self) -> tuple[str, Any] | None:
        return json_message.decode(self.body) if self.content_type == json_message.MESSAGE_TYPE else None

    def __repr__(self) -> str:
        return f"Message(id={self.id}, sender={self.sender_name or self.sender}, kind={self.kind}, {len(self.body)} bytes)"


class Delivery:
    """A message in the program's hands. Nothing is acknowledged before the program settles it: with :meth:`ack`,
    :meth:`answer`, :meth:`reject` or :meth:`retry`, the first of which counts.

    One that is forgotten unsettled comes again after a second: a program that fails loses nothing. Settle within ten
    minutes; after that the server gives the message to another replica, or to this one again.
    """

    def __init__(self, message: Message, in_hand: InHand, driver: Driver) -> None:
        #: The message.
        self.message = message
        self._in_hand: InHand | None = in_hand
        self._driver = driver

    async def ack(self) -> None:
        """The program has taken the message: its sender gets a receipt that says delivered."""
        self._settle(Exchange.ack)

    async def reject(self, reason: str = "refused") -> None:
        """The program will never take it: its sender gets a receipt with the reason, one of the stable words for failures
        in ``docs/protocol.md``, and it is dead-lettered.

        Raises:
            dmr.CallError: there is no such reason. The delivery is not settled.
        """
        number = Exchange.failure_reason(reason)
        self._settle(lambda exchange, in_hand: exchange.reject(in_hand, number))

    async def retry(self, after: float = DROPPED_RETRY) -> None:
        """The message comes again after so many seconds, at most 600, here or at a replica.

        Raises:
            ValueError: that is no span of time. The delivery is not settled.
        """
        self.put_back(after)

    def put_back(self, after: float) -> None:
        """What :meth:`retry` does, for the agent itself."""
        self._settle(lambda exchange, in_hand: exchange.retry(in_hand, after))

    async def answer(
        self,
        body: Any,
        *,
        content_type: str | None = None,
        type: str = json_message.DEFAULT_TYPE,
    ) -> None:
        """Answers a question and settles it. Returns when the server has confirmed the answer.

        ``body`` is as for :meth:`dmr.aio.Agent.ask`. The answer's id is derived from the question's, so that it is the
        same however often the question is delivered; the question is acknowledged to the server only once the answer is
        confirmed. Cancelled, the answer is on its way all the same.

        Raises:
            dmr.SendError: when nothing can be sealed, the answer is too large or this is no question, the message comes
                again after half a minute. When the asker may not be written to, or the server refuses the answer for
                good, the question counts as delivered without one.
            RuntimeError: the delivery is settled already.
        """
        media_type, encoded = encode_body(body, content_type, type)
        in_hand = self._take()
        driver = self._driver
        try:
            sealed = driver.exchange.seal_answer(in_hand, media_type, encoded)
        except Exception as error:
            final = getattr(error, "name", None) in _FINAL
            self._in_hand = in_hand
            self._settle(Exchange.ack if final else lambda exchange, held: exchange.retry(held, _UNSEALED_RETRY))
            raise
        try:
            confirmed = driver.expect(driver.exchange.answer(in_hand, sealed))
        finally:
            driver.turn()
        await asyncio.shield(confirmed)

    @property
    def is_settled(self) -> bool:
        """Whether it was settled."""
        return self._in_hand is None

    def _settle(self, how: Any) -> None:
        in_hand = self._take()
        try:
            how(self._driver.exchange, in_hand)
        except BaseException:
            # A wrong argument: the message is still in the program's hands.
            self._in_hand = in_hand
            raise
        self._driver.turn()

    def _take(self) -> InHand:
        in_hand, self._in_hand = self._in_hand, None
        if in_hand is None:
            raise RuntimeError("this delivery is settled already")
        return in_hand

    def __repr__(self) -> str:
        return f"Delivery({self.message!r}{', settled' if self.is_settled else ''})"

    def __del__(self) -> None:
        in_hand, self._in_hand = self._in_hand, None
        if in_hand is not None:
            # Any thread may run this, and at any time.
            self._driver.call_soon(lambda: self._driver.exchange.retry(in_hand, DROPPED_RETRY))


def encode_body(body: Any, content_type: str | None, type_name: str) -> tuple[str, bytes]:
    """The media type and the bytes of what a program gave: bytes and text as they are, anything else as a JSON message."""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return content_type or "application/octet-stream", bytes(body)
    if isinstance(body, str):
        return content_type or "text/plain", body.encode()
    return content_type or json_message.MESSAGE_TYPE, json_message.encode(body, type_name)

