"""The handle of an agent."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Union

from dmr import CallError, Directory, Exchange, Keys, Kind, MessageStatus, Pin, Reference, SendError

from .address import parse_address
from .delivery import Delivery, Message, encode_body
from .directories import Directories
from .driver import Driver
from .errors import Declined, NoAnswer
from .inbox import Inbox
from .json_message import DEFAULT_TYPE
from .link import LinkSettings
from .tls import Tls

#: A participant: its name in the directory, or its id.
Recipient = Union[str, uuid.UUID]
#: A file, by its path.
File = Union[str, "os.PathLike[str]"]

#: Longest time for what no deadline is given for, in seconds.
_DEFAULT_TIMEOUT = 30.0


class Agent:
    """A participant's end of the network, in one asyncio event loop.

    >>> import asyncio, dmr.aio
    >>> async def main(keys, servers, root):
    ...     async with dmr.aio.Agent(keys, servers, root) as agent:
    ...         answer = await agent.ask("police", {"report": "2026-00417"})
    ...         print(answer.json())
    ...         async for delivery in agent:
    ...             print(delivery.message.sender_name, delivery.message.json())
    ...             await delivery.ack()

    It connects in the background, for as long as it takes, to one of its servers at a time, and goes on to the next when
    one fails. Leaving the ``async with`` takes nothing new, waits up to 5 s for confirms and settlements, and closes the
    link; what is unconfirmed then is lost with the process, what is unsettled comes again to the next.

    All methods are for the event loop it was entered in; from other threads use ``asyncio.run_coroutine_threadsafe``.
    After a ``fork`` only the parent may use it: start agents in the worker, not before.

    Args:
        keys: the participant's keys, or the path of its key file.
        servers: addresses such as ``wss://relay.example.org``, or ``relay-1=wss://…`` where the server's challenge must
            bear that name.
        root: the root keys by which directories are known, or the path of their file: obtained beforehand, never from a
            server.
        state: a directory where the last good directory document is kept, so that an older one is refused after a
            restart too. Default: nowhere. One agent process for each.
        prefetch: messages that the program may have unsettled at once, 1 to 1,024; ``None``: the agent only sends.
        tls: whom to trust for ``wss`` addresses. Default: the system's authorities.
        allow_plain: whether plain ``ws`` may leave this machine.
        allow_unbound: whether to log in over TLS that ends before the server's process, so that the login cannot be
            bound to it.
        outbox_messages, outbox_bytes: bounds of what is kept until its receipt. Beyond them sending raises ``send.full``.

    Raises:
        dmr.DmrError: a file, an address or a key is wrong. Nothing was started.
    """

    def __init__(
        self,
        keys: Keys | File,
        servers: str | Sequence[str],
        root: Pin | File,
        *,
        state: File | None = None,
        prefetch: int | None = 64,
        tls: Tls | None = None,
        allow_plain: bool = False,
        allow_unbound: bool = False,
        outbox_messages: int = 10_000,
        outbox_bytes: int = 64 << 20,
    ) -> None:
        self._keys = keys if isinstance(keys, Keys) else Keys.load(_read_secret(keys))
        self._pin = root if isinstance(root, Pin) else Pin.load(_read(root))
        listed = [servers] if isinstance(servers, str) else list(servers)
        if not listed:
            raise CallError.of("call.out-of-range", "no server is given")
        self._servers = [parse_address(address) for address in listed]
        self._settings = LinkSettings(tls=tls or Tls(), allow_plain=allow_plain)
        self._state = state
        self._options: dict[str, Any] = {
            "prefetch": prefetch,
            "allow_unbound": allow_unbound,
            "outbox_messages": outbox_messages,
            "outbox_bytes": outbox_bytes,
        }
        self._process = os.getpid()
        self._directories: Directories | None = None
        self._running: Driver | None = None

    async def __aenter__(self) -> Agent:
        """Starts it. Returns at once; :meth:`ready` waits for a server and a directory, and so do :meth:`ask` and
        :meth:`send`.

        Raises:
            dmr.DmrError: the state directory is wrong. Nothing was started.
            RuntimeError: it was started before.
        """
        if self._running is not None:
            raise RuntimeError("an agent is started once")
        directories = await asyncio.to_thread(Directories, self._pin, self._state)
        names = [address.name for address in self._servers]
        exchange = Exchange(self._keys, self._pin, names, directory=directories.current, **self._options)
        self._directories = directories
        inbox = Inbox(self._options["prefetch"])
        self._running = Driver(exchange, directories, self._servers, self._settings, inbox)
        self._running.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown()

    async def shutdown(self) -> None:
        """Takes nothing new, waits up to 5 s for confirms and settlements, closes the link and ends."""
        await self._driver.shutdown()

    @property
    def participant(self) -> uuid.UUID:
        """Who this agent is."""
        return self._keys.participant

    @property
    def directory(self) -> Directory | None:
        """The directory in use; ``None`` before the first has come."""
        return None if self._directories is None else self._directories.current

    @property
    def server(self) -> str | None:
        """The address of the server that it is logged in to."""
        server = self._driver.server
        return None if server is None else str(self._servers[server])

    @property
    def unsealable(self) -> str | None:
        """Why nothing can be sealed now, in a stable word, if that is so: the alarm that operators must see."""
        return self._driver.exchange.unsealable()

    @property
    def is_ready(self) -> bool:
        """Whether it is logged in and can seal."""
        return self._driver.server is not None and self.unsealable is None

    async def ready(self, timeout: float | None = None) -> None:
        """Waits until it is logged in and can seal.

        Raises:
            TimeoutError: ``timeout`` seconds have passed.
            dmr.SendError: it was shut down.
        """
        driver = self._driver

        async def wait() -> None:
            while not self.is_ready:
                if driver.stopped.is_set():
                    raise SendError.of("send.stopped", "the agent is shutting down")
                await driver.changed()

        try:
            await asyncio.wait_for(wait(), timeout)
        except asyncio.TimeoutError:
            raise TimeoutError("the agent is not ready in time") from None

    async def ask(
        self,
        to: Recipient,
        question: Any,
        *,
        timeout: float = _DEFAULT_TIMEOUT,
        content_type: str | None = None,
        type: str = DEFAULT_TYPE,
        id: uuid.UUID | None = None,
        expires_in: float | None = None,
        conversation: uuid.UUID | None = None,
        sequence: int | None = None,
        room: uuid.UUID | None = None,
    ) -> Message:
        """Sends a question and waits for its answer, at most for ``timeout`` seconds in all, the wait for a directory
        included. The answer is acknowledged when this returns it, not before.

        ``question`` is sent as it is when it is bytes (``application/octet-stream``) or text (``text/plain``), under the
        given ``content_type`` where there is one. Anything else is sent as the JSON that agents' HTTP APIs exchange, with
        it as the payload and ``type`` as its type. The rest is as for :meth:`send`.

        Cancelled, the question may be sent or not; its answer then comes as a delivery.

        Raises:
            dmr.SendError: the question was not accepted.
            dmr.aio.NoAnswer: no answer came in time.
            dmr.aio.QuestionFailed: the recipient refused it.
            dmr.aio.Declined: the recipient declines to answer.
        """
        driver = self._driver
        until = driver.now() + timeout
        media_type, body = encode_body(question, content_type, type)
        await self._directory_by(until)
        question_id = driver.exchange.publish(
            [to],
            Kind.QUESTION,
            media_type,
            body,
            asks=True,
            id=id,
            expires_in=expires_in,
            conversation=conversation,
            sequence=sequence,
            room=room,
        )
        confirmed, reply = driver.expect(question_id), driver.ask(question_id)
        driver.turn()
        try:
            answer = await self._answer(question_id, confirmed, reply, until)
        finally:
            driver.stop_asking(question_id)
        await answer.ack()
        if answer.message.kind == Kind.DECLINE:
            raise Declined(question_id, f"question {question_id} was declined")
        return answer.message

    async def _answer(
        self,
        question: uuid.UUID,
        confirmed: asyncio.Future[None],
        reply: asyncio.Future[Delivery],
        until: float,
    ) -> Delivery:
        late = NoAnswer(question, f"no answer in time to question {question}")
        try:
            await asyncio.wait({reply}, timeout=max(0.0, until - self._driver.now()))
        except asyncio.CancelledError:
            if reply.done() and not reply.cancelled() and reply.exception() is None:
                # It has come, and nobody takes it: it comes again.
                await reply.result().retry()
            raise
        if not reply.done():
            raise late
        if not reply.cancelled():
            return reply.result()
        # The exchange lets go of a question that is refused or expires; the confirm says why.
        if confirmed.done() and not confirmed.cancelled():
            confirmed.result()
        raise late

    async def send(
        self,
        to: Recipient | Sequence[Recipient],
        message: Any,
        *,
        timeout: float | None = None,
        kind: Kind = Kind.EVENT,
        content_type: str | None = None,
        type: str = DEFAULT_TYPE,
        id: uuid.UUID | None = None,
        expires_in: float | None = None,
        in_reply_to: Reference | None = None,
        conversation: uuid.UUID | None = None,
        sequence: int | None = None,
        room: uuid.UUID | None = None,
    ) -> uuid.UUID:
        """Seals a message for 1 to 64 participants and hands it to a server. Returns its id when the server has
        confirmed that every recipient's mailbox has it; without a server that may take as long as the message lives.

        ``message``, ``content_type`` and ``type`` are as for :meth:`ask`.

        Args:
            timeout: seconds to wait; ``None``: as long as it takes. After it the message may be sent or not:
                :meth:`status` and :meth:`withdraw` tell.
            kind: what it is for. An event expects no answer; :meth:`ask` is for questions.
            id: its id; ``None``: a fresh one. Never used for two messages.
            expires_in: seconds it may take; ``None``: as long as the directory allows, 24 hours by default.
            in_reply_to: the question it answers, where its delivery was acknowledged before. Where it is still in hand,
                :meth:`Delivery.answer` does better.

        Raises:
            dmr.SendError: it was not accepted; with ``retryable`` the same message may be sent again under its id.
            TimeoutError: ``timeout`` seconds have passed.
        """
        driver = self._driver
        until = None if timeout is None else driver.now() + timeout
        media_type, body = encode_body(message, content_type, type)
        await self._directory_by(until)
        recipients = [to] if isinstance(to, (str, uuid.UUID)) else list(to)
        sent = driver.exchange.publish(
            recipients,
            kind,
            media_type,
            body,
            asks=False,
            id=id,
            expires_in=expires_in,
            conversation=conversation,
            sequence=sequence,
            room=room,
            in_reply_to=in_reply_to,
        )
        confirmed = driver.expect(sent)
        driver.turn()
        try:
            left = None if until is None else max(0.0, until - driver.now())
            await asyncio.wait_for(asyncio.shield(confirmed), left)
        except asyncio.TimeoutError:
            raise TimeoutError(f"no server has confirmed message {sent} in time") from None
        return sent

    async def withdraw(self, id: uuid.UUID) -> bool:
        """Takes a message back that was never on any link. ``True``: it was not and will not be sent. ``False``: it may
        have been, or this agent knows no such message."""
        driver = self._driver
        withdrawn = driver.exchange.withdraw(id)
        driver.turn()
        return withdrawn

    def status(self, id: uuid.UUID) -> MessageStatus | None:
        """What is known of a message that this process sent."""
        return self._driver.exchange.status(id)

    async def outcome(self, id: uuid.UUID) -> MessageStatus | None:
        """Waits until a message has an end, and returns it; ``None`` for one that this process does not know, or that no
        server took. It may wait for as long as the message lives."""
        driver = self._driver
        while True:
            status = driver.exchange.status(id)
            if status is None or status.is_final or driver.stopped.is_set():
                return status
            # A text names the same message.
            await driver.status_changed(uuid.UUID(str(id)))

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """The messages that came in and nobody asked for, and answers that nobody waits for, in order of arrival, until
        the agent has shut down. It holds at most twice the prefetch; while it is full the server keeps the rest. While
        nobody iterates it holds half a prefetch, and the rest comes again every half a minute."""
        return self._driver.inbox.taken()

    async def _directory_by(self, until: float | None) -> None:
        """Waits for the first directory: without one there is nobody to write to."""
        driver = self._driver
        while driver.exchange.unsealable() == "no-directory" and not driver.stopped.is_set():
            left = None if until is None else until - driver.now()
            if left is not None and left <= 0:
                raise SendError.of("unsealable.no-directory", "nothing can be sealed now: no directory yet")
            change = driver.changed()
            try:
                # Not wait_for, which before Python 3.12 may keep a cancellation to itself.
                await asyncio.wait({change}, timeout=left)
            finally:
                change.cancel()

    @property
    def _driver(self) -> Driver:
        if os.getpid() != self._process:
            raise RuntimeError("this agent belongs to the parent process: start one after the fork")
        if self._running is None:
            raise RuntimeError("the agent is not started: use it in 'async with'")
        return self._running

    def __repr__(self) -> str:
        return f"Agent({self._keys.name}, {', '.join(map(str, self._servers))})"


def _read(file: File) -> bytes:
    with open(file, "rb") as open_file:
        return open_file.read(1 << 20)


def _read_secret(file: File) -> bytes:
    """A key file. Refused where others than its owner can read it."""
    with open(file, "rb") as open_file:
        mode = os.fstat(open_file.fileno()).st_mode
        if os.name == "posix" and mode & 0o077:
            raise PermissionError(f"{os.fspath(file)}: mode {mode & 0o777:o} lets others read this secret; chmod 600 it")
        return open_file.read(1 << 20)
