"""The embedded broker: a durable journal in the database file, the queues themselves in memory.

One process publishes and consumes. A publish returns once its journal row is committed; many waiting publishes share
one commit. After a crash the journal is delivered again, marked as redelivered. The messages of a held token stay in
the journal and are set aside in memory.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from engine.errors import OutcomeUnknown, Unavailable
from engine.identifiers import TokenAddress
from engine.persistence import journal
from engine.persistence.database import Database, DatabaseError
from engine.persistence.trading import held_tokens
from engine.ports import Delivery, Depth
from engine.trading.counting import accepted_at_ms

log = logging.getLogger(__name__)

RETRY_S: Final = 0.5
READ_HELD_EVERY_S: Final = 10.0
"""A command of another process tells nobody here."""


class UnknownQueue(Unavailable):
    """The token has no queue: nothing was queued."""

    code = "no_queue"


@dataclass(slots=True)
class _Waiting:
    token: TokenAddress
    body: bytes
    done: "asyncio.Future[None]"


class _Inbox:
    """What is delivered and not taken, in the journal's order; what is of a held token stands aside meanwhile."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._aside: list[Delivery] = []
        self._held: frozenset[str] = frozenset()
        self._arrived = asyncio.Event()

    def put(self, delivery: Delivery) -> None:
        """Add the newest message."""
        self._waiting.append(delivery)
        self._arrived.set()

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Put these into their old places."""
        self._waiting = deque(sorted([*deliveries, *self._waiting], key=_tag))
        self._arrived.set()

    def hold(self, tokens: Collection[str]) -> None:
        """Hand out nothing of these tokens, and of all others again."""
        self._held = frozenset(tokens)
        released = [each for each in self._aside if each.token not in self._held]
        self._aside = [each for each in self._aside if each.token in self._held]
        if released:
            self.give_back(released)

    def waiting(self) -> list[Delivery]:
        """What could be taken now."""
        return [each for each in self._waiting if each.token not in self._held]

    def held_back(self) -> list[Delivery]:
        """What waits until its token is released, oldest first."""
        return sorted((each for each in [*self._aside, *self._waiting] if each.token in self._held), key=_tag)

    async def take(self, limit: int) -> list[Delivery]:
        """Wait for something and take at most `limit`."""
        while not (batch := self._next(limit)):
            self._arrived.clear()
            await self._arrived.wait()
        return batch

    def _next(self, limit: int) -> list[Delivery]:
        batch: list[Delivery] = []
        while self._waiting and len(batch) < limit:
            delivery = self._waiting.popleft()
            (self._aside if delivery.token in self._held else batch).append(delivery)
        return batch


class SqliteBroker:
    """`engine.ports.Broker` over the database file; see the module's line."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queues: set[str] = set()
        self._accepted: list[_Waiting] = []
        self._inbox = _Inbox()
        self._next_id = 1
        self._flusher: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read the journal: what an earlier process accepted and did not finish comes first."""
        self._queues = await self._database.read(journal.queues)
        await self.recheck_held()
        for entry in await self._database.read(journal.waiting):
            self._inbox.put(Delivery(TokenAddress(entry.token), entry.body, entry.journal_id, redelivered=True))
            self._next_id = entry.journal_id + 1
        self._following = asyncio.create_task(self._follow_held(), name="broker-held")

    async def declare(self, token: TokenAddress) -> None:
        """Make the token's queue exist."""
        await self._database.write(partial(journal.declare, token))
        self._queues.add(token)

    async def recheck_held(self) -> None:
        """Read which tokens are held; acts at once."""
        self._inbox.hold(await self._database.read(held_tokens))

    async def _follow_held(self) -> None:
        while True:
            await asyncio.sleep(READ_HELD_EVERY_S)
            try:
                await self.recheck_held()
            except DatabaseError as error:
                log.warning("which tokens are held could not be read: %s", error)

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
                self._inbox.put(Delivery(waiting.token, entry.body, entry.journal_id, redelivered=False))
                if not waiting.done.done():
                    waiting.done.set_result(None)

    def _fail(self, batch: Sequence[_Waiting], error: Exception) -> None:
        for waiting in batch:
            if not waiting.done.done():
                refusal = OutcomeUnknown("We could not tell whether the order was queued; ask again with the same id.")
                refusal.__cause__ = error
                waiting.done.set_exception(refusal)

    async def consume(self) -> "SqliteConsumer":
        """The consumer. There is one at a time: the caller is the process's only trade worker."""
        return SqliteConsumer(self._database, self._inbox, self._queues)

    async def depths(self, tokens: Sequence[TokenAddress]) -> dict[TokenAddress, Depth]:
        """What was set aside, because its token is held; everything else is the consumer's."""
        aside: dict[TokenAddress, list[Delivery]] = {token: [] for token in tokens if token in self._queues}
        for delivery in self._inbox.held_back():
            if delivery.token in aside:
                aside[delivery.token].append(delivery)
        return {
            token: Depth(len(found), accepted_at_ms(found[0].body) if found else None) for token, found in aside.items()
        }

    async def dead_letters(self) -> None:
        """Deliveries are not counted."""

    async def close(self) -> None:
        """Finish the publishes that are under way."""
        if self._following is not None:
            self._following.cancel()
        if self._flusher is not None:
            await self._flusher


class SqliteConsumer:
    """`engine.ports.Consumer` over the broker's memory; acknowledging drops the journal rows."""

    def __init__(self, database: Database, inbox: _Inbox, queues: Collection[str]) -> None:
        self._database = database
        self._inbox = inbox
        self._queues = queues
        self._unacknowledged: list[Delivery] = []

    @property
    def workers(self) -> int:
        """There is no other."""
        return 1

    async def next_batch(self, limit: int) -> list[Delivery]:
        """Wait for a message and take what is there, at most `limit`."""
        batch = await self._inbox.take(limit)
        self._unacknowledged.extend(batch)
        return batch

    def waiting(self) -> list[Delivery]:
        """What has arrived and was not taken yet."""
        return self._inbox.waiting()

    def owned(self) -> int:
        """All of them."""
        return len(self._queues)

    async def ack(self, batch: Sequence[Delivery]) -> None:
        """Drop the batch's journal rows, however long the database is away."""
        done = {delivery.tag for delivery in batch}
        while True:
            try:
                await self._database.write(partial(journal.forget, _ranges(done)))
                break
            except DatabaseError:
                log.exception("alert=database_error an acknowledgement waits for the database")
                await asyncio.sleep(RETRY_S)
        self._unacknowledged = [delivery for delivery in self._unacknowledged if delivery.tag not in done]

    async def close(self) -> None:
        """Give back what was not acknowledged, in its old order and marked as redelivered."""
        again = [Delivery(item.token, item.body, item.tag, redelivered=True) for item in self._unacknowledged]
        self._unacknowledged = []
        self._inbox.give_back(again)


def _tag(delivery: Delivery) -> int:
    return delivery.tag


def _ranges(ids: Collection[int]) -> list[tuple[int, int]]:
    """The ids as ranges without a gap, both ends included: one, unless messages between them were set aside."""
    found: list[tuple[int, int]] = []
    for each in sorted(ids):
        if found and found[-1][1] == each - 1:
            found[-1] = (found[-1][0], each)
        else:
            found.append((each, each))
    return found
