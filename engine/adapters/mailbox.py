"""The receiving end of a bus subscription: a bounded queue that says when it had to lose something."""

import asyncio
from collections.abc import AsyncIterator, Container
from typing import Final

from engine import metrics
from engine.ports import BusMessage

QUEUE_LIMIT: Final = 20_000


class Mailbox:
    """Messages for one reader; full, it keeps one empty message per channel in place of what it loses.

    Everything happens on the event loop that made it.
    """

    def __init__(self, wanted: Container[str]) -> None:
        self._wanted = wanted
        self._queue: asyncio.Queue[BusMessage | None] = asyncio.Queue()
        self._lossy: set[str] = set()

    def put(self, message: BusMessage) -> None:
        """Keep the message for the reader."""
        if self._queue.qsize() < QUEUE_LIMIT:
            self._queue.put_nowait(message)
        else:
            self.lost(message.channel)

    def lost(self, channel: str) -> None:
        """Tell the reader, once, that messages of this channel may be missing here."""
        if channel not in self._lossy:
            self._lossy.add(channel)
            metrics.bus_gaps.inc()
            self._queue.put_nowait(BusMessage(channel, b""))

    def end(self) -> None:
        """End every iteration once it has read what is queued."""
        self._queue.put_nowait(None)

    async def messages(self) -> AsyncIterator[BusMessage]:
        """The messages of channels that are still wanted, until the end."""
        while (message := await self._queue.get()) is not None:
            if not message.payload:
                self._lossy.discard(message.channel)
            if message.channel in self._wanted:
                yield message
        self._queue.put_nowait(None)  # whoever iterates again ends as well
