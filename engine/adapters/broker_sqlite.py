"""The embedded broker: a durable journal in the database file, the queues themselves in memory.

One process publishes and consumes. A publish returns once its journal row is committed; many waiting publishes share
one commit. After a crash the journal is delivered again, marked as redelivered.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from engine.errors import OutcomeUnknown, Unavailable
from engine.identifiers import TokenAddress
from engine.persistence import journal
from engine.persistence.database import Database, DatabaseError
from engine.ports import Delivery

log = logging.getLogger(__name__)

RETRY_S: Final = 0.5


class UnknownQueue(Unavailable):
    """The token has no queue: nothing was queued."""

    code = "no_queue"


@dataclass(slots=True)
class _Waiting:
    token: TokenAddress
    body: bytes
    done: "asyncio.Future[None]"


class SqliteBroker:
    """`engine.ports.Broker` over the database file; see the module's line."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queues: set[str] = set()
        self._accepted: list[_Waiting] = []
        self._inbox: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._next_id = 1
        self._flusher: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read the journal: what an earlier process accepted and did not finish comes first."""
        self._queues = await self._database.read(journal.queues)
        for entry in await self._database.read(journal.waiting):
            self._deliver(Delivery(TokenAddress(entry.token), entry.body, entry.journal_id, redelivered=True))
            self._next_id = entry.journal_id + 1

    async def declare(self, token: TokenAddress) -> None:
        """Make the token's queue exist."""
        await self._database.write(partial(journal.declare, token))
        self._queues.add(token)

    async def check(self) -> None:
        """It is as reachable as its database, which is asked by itself."""

    async def publish(self, token: TokenAddress, body: bytes) -> None:
        """Queue one order durably.

        Raises:
            UnknownQueue: the token was never declared.
            OutcomeUnknown: the commit failed, so only the order's own id can tell.
        """
        if token not in self._queues:
            raise UnknownQueue(f"There is no queue for {token}.")
        waiting = _Waiting(token, body, asyncio.get_running_loop().create_future())
        self._accepted.append(waiting)
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush(), name="broker-journal")
        await waiting.done

    async def _flush(self) -> None:
        """Commit what has gathered, hand it to the consumer, and go on until nothing waits."""
        while self._accepted:
            batch, self._accepted = self._accepted, []
            entries = [
                journal.Entry(self._next_id + index, waiting.token, waiting.body) for index, waiting in enumerate(batch)
            ]
            self._next_id += len(batch)
            try:
                await self._database.write(partial(journal.append, entries))
            except Exception as error:
                log.exception("the journal could not be written")
                self._fail(batch, error)
                continue
            for entry, waiting in zip(entries, batch, strict=True):
                self._deliver(Delivery(waiting.token, entry.body, entry.journal_id, redelivered=False))
                if not waiting.done.done():
                    waiting.done.set_result(None)

    def _fail(self, batch: Sequence[_Waiting], error: Exception) -> None:
        for waiting in batch:
            if not waiting.done.done():
                refusal = OutcomeUnknown("We could not tell whether the order was queued; ask again with the same id.")
                refusal.__cause__ = error
                waiting.done.set_exception(refusal)

    def _deliver(self, delivery: Delivery) -> None:
        self._inbox.append(delivery)
        self._arrived.set()

    async def consume(self) -> "SqliteConsumer":
        """The consumer. There is one at a time: the caller is the process's only trade worker."""
        return SqliteConsumer(self._database, self._inbox, self._arrived)

    async def dead_letters(self) -> None:
        """Deliveries are not counted."""

    async def close(self) -> None:
        """Finish the publishes that are under way."""
        if self._flusher is not None:
            await self._flusher


class SqliteConsumer:
    """`engine.ports.Consumer` over the broker's memory; acknowledging drops the journal rows."""

    def __init__(self, database: Database, inbox: deque[Delivery], arrived: asyncio.Event) -> None:
        self._database = database
        self._inbox = inbox
        self._arrived = arrived
        self._unacknowledged: list[Delivery] = []

    @property
    def workers(self) -> int:
        """There is no other."""
        return 1

    async def next_batch(self, limit: int) -> list[Delivery]:
        """Wait for a message and take what is there, at most `limit`."""
        while not self._inbox:
            self._arrived.clear()
            await self._arrived.wait()
        batch = [self._inbox.popleft() for _ in range(min(limit, len(self._inbox)))]
        self._unacknowledged.extend(batch)
        return batch

    async def ack(self, batch: Sequence[Delivery]) -> None:
        """Drop the batch's journal rows, however long the database is away; a batch's ids are contiguous."""
        first, last = batch[0].tag, batch[-1].tag
        while True:
            try:
                await self._database.write(partial(journal.forget, first, last))
                break
            except DatabaseError:
                log.exception("alert=database_error an acknowledgement waits for the database")
                await asyncio.sleep(RETRY_S)
        self._unacknowledged = [delivery for delivery in self._unacknowledged if not first <= delivery.tag <= last]

    async def close(self) -> None:
        """Give back what was not acknowledged, in its old order and marked as redelivered."""
        again = [Delivery(item.token, item.body, item.tag, redelivered=True) for item in self._unacknowledged]
        self._inbox.extendleft(reversed(again))
        self._unacknowledged = []
        if self._inbox:
            self._arrived.set()
