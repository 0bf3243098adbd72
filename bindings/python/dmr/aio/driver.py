"""Carries out what the exchange tells: opens links, moves frames, wakes whoever waits. Decides nothing.

The exchange is ``dmr_core::exchange`` in Rust, the same that ``dmr-agent`` runs: it reconnects, backs off, deduplicates,
answers receipts and drains. Everything here runs in one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from dmr import Exchange, InHand, SendError, events

from .address import ServerAddress
from .delivery import Delivery, Message
from .directories import Directories
from .errors import QuestionFailed
from .inbox import Inbox
from .link import CONNECT_FAILED, LINK_LOST, Link, LinkSettings, open_link

_log = logging.getLogger("dmr.aio")

#: Directory documents that wait to be verified; a newer one comes again when it is asked for.
_DOCUMENTS = 2
#: How often age and alarms are looked at when nothing happens, in seconds.
_LOOK = 30.0
#: How often an alarm that stays is said again, in looks.
_REMIND = 20


class Driver:
    """One agent's links and waiters."""

    def __init__(
        self,
        exchange: Exchange,
        directories: Directories,
        servers: Sequence[ServerAddress],
        settings: LinkSettings,
        inbox: Inbox,
    ) -> None:
        self.exchange = exchange
        #: The messages that wait for the program.
        self.inbox = inbox
        #: The server that the agent is logged in to, by its place in the list.
        self.server: int | None = None
        self.stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._directories = directories
        self._servers = servers
        self._settings = settings
        self._turning = False
        self._timer: asyncio.TimerHandle | None = None
        self._link: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._judging = 0
        self._judge = asyncio.Lock()
        self._published: dict[uuid.UUID, asyncio.Future[None]] = {}
        self._asks: dict[uuid.UUID, asyncio.Future[Delivery]] = {}
        self._statuses: dict[uuid.UUID, set[asyncio.Future[None]]] = {}
        self._changes: set[asyncio.Future[None]] = set()
        self._alarm: str | None = None
        self._looks = 0

    def start(self) -> None:
        """Begins to connect."""
        self.turn()
        self._spawn(self._look_now_and_then())

    # What the program's side asks.

    def now(self) -> float:
        """The loop's clock, in seconds."""
        return self._loop.time()

    def expect(self, id: uuid.UUID) -> asyncio.Future[None]:
        """What ends with the publishing of a message. To be called before the turn that follows its being taken."""
        confirmed: asyncio.Future[None] = self._loop.create_future()
        self._published[id] = confirmed
        return confirmed

    def ask(self, question: uuid.UUID) -> asyncio.Future[Delivery]:
        """What ends with the answer to this question."""
        reply: asyncio.Future[Delivery] = self._loop.create_future()
        self._asks[question] = reply
        return reply

    def stop_asking(self, question: uuid.UUID) -> None:
        """Nobody waits for it any more: a late answer comes as a delivery."""
        self._asks.pop(question, None)
        self.exchange.stop_asking(question)

    def changed(self) -> asyncio.Future[None]:
        """What ends with the next change of the link or of the directory in use. It begins with this call, so that nothing
        is missed between a look and the wait."""
        change: asyncio.Future[None] = self._loop.create_future()
        self._changes.add(change)
        change.add_done_callback(self._changes.discard)
        return change

    def status_changed(self, id: uuid.UUID) -> asyncio.Future[None]:
        """The same for what is known of a message."""
        change: asyncio.Future[None] = self._loop.create_future()
        waiting = self._statuses.setdefault(id, set())
        waiting.add(change)

        def forget(change: asyncio.Future[None]) -> None:
            waiting.discard(change)
            if not waiting and self._statuses.get(id) is waiting:
                del self._statuses[id]

        change.add_done_callback(forget)
        return change

    def call_soon(self, call: Callable[[], object]) -> None:
        """Does something with the exchange in the event loop, from any thread; nothing where the loop has ended."""

        def do() -> None:
            call()
            self.turn()

        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(do)

    async def shutdown(self) -> None:
        """Finishes what is in flight within the session's grace period, and ends everything."""
        self.inbox.leave()
        self.exchange.shutdown()
        self.turn()
        try:
            await self.stopped.wait()
        finally:
            if not self.stopped.is_set():
                # Cancelled: nothing goes on without whoever waited for the end.
                self._stop()
            await self._end()

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        link, self._link = self._link, None
        if link is not None:
            link.cancel()
        # A goodbye that is under way takes at most two seconds.
        goodbyes = [task for task in self._tasks if task.get_name() == "dmr-goodbye"]
        for task in self._tasks.difference(goodbyes):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # The exchange's turn.

    def turn(self) -> None:
        """Does what the exchange tells. To be called after every call of it."""
        if self._turning:
            return
        self._turning = True
        try:
            while (event := self.exchange.poll_event()) is not None:
                try:
                    self._do(event)
                except Exception as error:
                    # Such as the program's log handler's: the events that follow are for others.
                    self._fault(error)
        finally:
            self._turning = False
            if self.exchange.wants_transmit():
                self._writable.set()
            self._rearm()

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        delay = self.exchange.timeout()
        if delay is not None and not self.stopped.is_set():
            self._timer = self._loop.call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.exchange.handle_timeout()
        self.turn()

    def _do(self, event: events.Event) -> None:
        if isinstance(event, events.Connect):
            self._connect(event.server)
        elif isinstance(event, events.LoggedIn):
            _log.info("logged in to %s, session %s", self._servers[event.server], event.session)
            self.server = event.server
            self._wake()
        elif isinstance(event, events.LoggedOut):
            _log.warning("no link to a server: %s; again in %.1f s", event.reason, event.retry_in)
            self.server = None
            self._wake()
        elif isinstance(event, events.Published):
            self._tell_published(event.id, event.error)
        elif isinstance(event, events.Answer):
            self._tell_answer(event.question, self._delivery(event.message, event.in_hand))
        elif isinstance(event, events.AskFailed):
            failed = QuestionFailed(event.question, f"question {event.question} failed: {event.reason}", event.reason)
            self._end_ask(event.question, failed)
        elif isinstance(event, events.AskEnded):
            self._end_ask(event.question, None)
        elif isinstance(event, events.Delivery):
            self.inbox.put(self._delivery(event.message, event.in_hand))
        elif isinstance(event, events.Document):
            self._offer(event.document)
        elif isinstance(event, events.StatusChanged):
            for change in self._statuses.pop(event.id, set()):
                _finish(change)
        elif isinstance(event, events.Note):
            _log.log(event.level, "%s", event.text)
        elif isinstance(event, events.Stopped):
            self._stop()

    def _delivery(self, message: events.IncomingMessage, in_hand: InHand) -> Delivery:
        directory = self._directories.current
        participant = None if directory is None else directory.participant(message.sender)
        name = None if participant is None else participant.name
        return Delivery(Message(*message, sender_name=name), in_hand, self)

    def _tell_published(self, id: uuid.UUID, error: Exception | None) -> None:
        waiter = self._published.pop(id, None)
        if waiter is None or waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
            # Whoever was cancelled meanwhile does not look at it.
            waiter.exception()

    def _tell_answer(self, question: uuid.UUID, answer: Delivery) -> None:
        reply = self._asks.pop(question, None)
        if reply is None or reply.done():
            # Nobody waits any more: it is late, and comes as any other message.
            self.inbox.put(answer)
        else:
            reply.set_result(answer)

    def _end_ask(self, question: uuid.UUID, error: Exception | None) -> None:
        reply = self._asks.pop(question, None)
        if reply is None or reply.done():
            return
        if error is None:
            reply.cancel()
        else:
            reply.set_exception(error)
            reply.exception()

    def _stop(self) -> None:
        self.server = None
        self.stopped.set()
        self._wake()
        for id in list(self._published):
            self._tell_published(id, SendError.of("send.stopped", "the agent is shutting down"))
        for question in list(self._asks):
            self._end_ask(question, SendError.of("send.stopped", "the agent is shutting down"))
        for waiting in list(self._statuses.values()):
            for change in list(waiting):
                _finish(change)
        self.inbox.end()

    def _wake(self) -> None:
        for change in list(self._changes):
            _finish(change)

    # Links.

    def _connect(self, server: int) -> None:
        if self._link is not None:
            self._link.cancel()
        self._writable = asyncio.Event()
        self._link = self._spawn(self._serve_link(self._servers[server]))

    async def _serve_link(self, address: ServerAddress) -> None:
        try:
            link = await open_link(address, self._settings)
        except OSError as error:
            if self._link is asyncio.current_task():
                _log.warning("no link could be opened to %s: %s", address, error)
                self._link_down(CONNECT_FAILED)
            return
        if self._link is not asyncio.current_task():
            # Given up meanwhile: before Python 3.12 wait_for may keep a cancellation to itself.
            return link.abort()
        reason = None
        try:
            self.exchange.link_up(link.binding)
            self.turn()
            ways = {asyncio.ensure_future(self._read(link)), asyncio.ensure_future(self._write(link, self._writable))}
            try:
                done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                reason = max(way.result() for way in done)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except Exception as error:
            self._fault(error)
        finally:
            if reason is None:
                link.abort()
        self._link_down(LINK_LOST if reason is None else reason)

    async def _read(self, link: Link) -> int:
        """The reason for which the link ended."""
        while True:
            frame = await link.receive()
            if isinstance(frame, int):
                _log.info("the link is over: %d", frame)
                link.abort()
                return frame
            self.exchange.receive(frame)
            self.turn()

    async def _write(self, link: Link, writable: asyncio.Event) -> int:
        """The reason for which the link ended. Frames are asked for only when the link can take one."""
        while True:
            frame = self.exchange.poll_transmit()
            self.turn()
            if frame is None:
                await writable.wait()
                writable.clear()
            elif isinstance(frame, events.Close):
                _log.info("closing the link: %s", frame.name)
                self._spawn(link.close(frame.code), name="dmr-goodbye")
                return frame.code
            elif not await link.send(frame):
                # The reader knows why.
                await asyncio.get_running_loop().create_future()

    def _link_down(self, reason: int) -> None:
        self.exchange.link_down(reason)
        self.turn()

    # Directories.

    def _offer(self, document: bytes) -> None:
        if self._judging < _DOCUMENTS:
            self._judging += 1
            self._spawn(self._judged(document))

    async def _judged(self, document: bytes) -> None:
        try:
            async with self._judge:
                changed = await asyncio.to_thread(self._directories.offer, document)
        finally:
            self._judging -= 1
        directory = self._directories.current
        if changed and directory is not None:
            self.exchange.use_directory(directory)
            self.turn()
            self._wake()
            self._look()

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            async with self._judge:
                await asyncio.to_thread(self._directories.keep_again)
            self.exchange.erase_expired_keys()
            self.inbox.give_back()
            self._look()

    def _look(self) -> None:
        """Says an alarm when it begins, and then now and then."""
        self._looks += 1
        reason = self.exchange.unsealable()
        if reason not in (None, "no-directory") and (reason != self._alarm or self._looks % _REMIND == 0):
            _log.error("ALARM: nothing is sealed (%s); opening goes on", reason)
        self._alarm = reason

    def _spawn(self, work: Any, name: str | None = None) -> asyncio.Task[Any]:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fault(error)

    def _fault(self, error: BaseException) -> None:
        with contextlib.suppress(Exception):
            _log.error("a fault in dmr.aio", exc_info=error)


def _finish(change: asyncio.Future[None]) -> None:
    if not change.done():
        change.set_result(None)
