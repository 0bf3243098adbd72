"""The messages that came in and wait for the program."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from .delivery import DROPPED_RETRY, Delivery

#: When a message comes again that no program takes, in seconds. It waits at the server.
_UNTAKEN_RETRY = 30.0


class Inbox:
    """Deliveries in order of arrival.

    The exchange hands over at most twice the prefetch at once. Of those that nobody iterates over half a prefetch is kept
    for whoever comes, and the rest goes back: otherwise a program that only asks would get no answers any more, once so many
    messages had come that it does not want.
    """

    def __init__(self, prefetch: int | None) -> None:
        # Without a bound of its own: the exchange hands over at most twice the prefetch before something is settled.
        self._queue: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._takers = 0
        self._kept = max(1, (prefetch or 1) // 2)
        self._after = _UNTAKEN_RETRY

    def put(self, delivery: Delivery) -> None:
        """A message came in."""
        self._queue.put_nowait(delivery)
        self.give_back()

    def give_back(self) -> None:
        """Gives back what is too much while nobody iterates."""
        while self._takers == 0 and self._queue.qsize() > self._kept:
            delivery = self._queue.get_nowait()
            if delivery is None:
                return self.end()
            delivery.put_back(self._after)

    def leave(self) -> None:
        """The program is going: where nobody iterates, nothing would be settled however long one waits for it."""
        self._kept, self._after = 0, DROPPED_RETRY
        self.give_back()

    def end(self) -> None:
        """Nothing more comes."""
        self._queue.put_nowait(None)

    async def taken(self) -> AsyncIterator[Delivery]:
        """The deliveries, until the end."""
        self._takers += 1
        try:
            while (delivery := await self._queue.get()) is not None:
                yield delivery
                del delivery
            # For whoever else iterates.
            self.end()
        finally:
            self._takers -= 1
