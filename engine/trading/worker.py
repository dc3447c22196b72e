"""The trade worker: takes whatever waits, executes it in one transaction, commits, publishes, acknowledges.

Nothing about money survives a transaction in memory. The order's key stops duplicates; everything else is thrown away
on any database error and read again.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final, TypeVar

from engine import crash_points
from engine.crash_points import Point
from engine.persistence import parked, trials
from engine.persistence import trading as rows
from engine.persistence.database import (
    CommitUnknown,
    Connection,
    Database,
    DatabaseError,
    RefusedRow,
    is_contention,
    is_outage,
    told,
)
from engine.ports import Broker, Bus, BusMessage, Clock, Consumer, Delivery
from engine.trading import counting
from engine.trading.batch import Batch
from engine.trading.execution import Rejection
from engine.trading.orders import Order, Reason, UnreadableOrder, decoded
from engine.trading.pausing import PlatformPause
from engine.trading.rows import Row

log = logging.getLogger(__name__)

Result = TypeVar("Result")

SUSPECT_FROM: Final = 3
"""A message given back so often may be one that kills workers, or only have been in their hands at that time."""

TRIALS: Final = 3
"""How often a suspect may be begun alone; who comes after that parks it."""

RETRY_S = 0.5
CONTENTION_RETRY_S = 0.02
"""After losing to another transaction (deadlock, lock timeout, serialization) a random part of this is waited."""


@dataclass(slots=True)
class WorkerMetrics:
    """Counters since the worker started, and how many workers share the queues now."""

    batches: int = 0
    orders: int = 0
    trades: int = 0
    duplicates: int = 0
    retries: int = 0
    contended: int = 0
    parked: int = 0
    workers: int = 1


class TradeWorker:
    """Executes orders from the broker until told to stop. One per process.

    `commit_spacing_ms` is kept from one batch's beginning to the next, once for every worker that shares the queues:
    together they commit no more often than one alone. Orders gather meanwhile, which saves statements.
    """

    def __init__(
        self,
        database: Database,
        broker: Broker,
        bus: Bus,
        clock: Clock,
        account_rent_lamports: int,
        batch_limit: int = 1_000,
        commit_spacing_ms: int = 0,
    ) -> None:
        self._database = database
        self._broker = broker
        self._bus = bus
        self._clock = clock
        self._account_rent_lamports = account_rent_lamports
        self._batch_limit = batch_limit
        self._commit_spacing_s = commit_spacing_ms / 1000
        self._wallets: dict[str, str] = {}
        self._decided: list[Row] = []
        """The orders' rows of the transaction under way."""
        self._pause = PlatformPause(clock)
        self.metrics = WorkerMetrics()

    async def run(self, stop: asyncio.Event) -> None:
        """Execute batches until `stop` is set; the batch under way is finished, acknowledged and published."""
        consumer = await self._broker.consume()
        in_hand: list[Delivery] = []
        counting.watch(self.metrics, lambda: [*in_hand, *consumer.waiting()], lambda: consumer.owned(), self._clock)
        try:
            while (batch := await self._next(consumer, stop)) is not None:
                started_s = time.monotonic()
                crash_points.after(Point.DELIVERED)
                in_hand = batch
                messages = await self._execute_until_done(batch)
                crash_points.after(Point.COMMITTED)
                self._tell(messages)  # before the ack, which the traders need not wait for
                crash_points.before(Point.ACKED)
                await consumer.ack(batch)
                crash_points.after(Point.ACKED)
                in_hand = []
                self.metrics.workers = consumer.workers
                if len(batch) < self._batch_limit:  # a full batch has nothing to wait for
                    spacing_s = self._commit_spacing_s * consumer.workers
                    await asyncio.sleep(max(0.0, spacing_s - (time.monotonic() - started_s)))
        finally:
            await consumer.close()

    def _tell(self, messages: Sequence[BusMessage]) -> None:
        crash_points.before(Point.TOLD)
        self._bus.publish(messages)
        crash_points.after(Point.TOLD)

    async def _next(self, consumer: Consumer, stop: asyncio.Event) -> list[Delivery] | None:
        if stop.is_set():
            return None
        waiting = asyncio.ensure_future(consumer.next_batch(self._batch_limit))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()
            stopping.cancel()

    async def _execute_until_done(self, batch: Sequence[Delivery]) -> list[BusMessage]:
        """Commit the batch; an order is never acknowledged before that."""
        may_be_known = any(delivery.redelivered for delivery in batch)
        if may_be_known and any(map(_is_suspect, batch)):
            return await self._execute_with_suspects(batch)
        return await self._execute_readable(batch, may_be_known)

    async def _execute_with_suspects(self, batch: Sequence[Delivery]) -> list[BusMessage]:
        """In their order: each suspect alone, what stands between two of them together."""
        messages: list[BusMessage] = []
        for suspect, run in groupby(batch, key=_is_suspect):
            if suspect:
                for delivery in run:
                    messages += await self._try_alone(delivery)
            else:
                messages += await self._execute_readable(list(run), True)
        return messages

    async def _try_alone(self, delivery: Delivery) -> list[BusMessage]:
        """Count the trial, then execute: whoever dies of it has left the count. After too many it is parked."""
        trial = trials.trial_id(delivery.token, delivery.body)
        try:
            begun = await self._write(partial(trials.begin, trial, self._clock.now_ms()))
        except RefusedRow:  # another worker begins it at this moment, and has counted
            begun = await self._write(partial(trials.begin, trial, self._clock.now_ms()))
        if begun > TRIALS:
            log.error("alert=order_parked token=%s: %d workers began it alone and died", delivery.token, TRIALS)
            await self._park([(delivery.token, delivery.body, "killed_workers")])
            messages = []
        else:
            messages = await self._execute_readable([delivery], True)
        await self._write(partial(trials.end, trial))
        return messages

    async def _execute_readable(self, batch: Sequence[Delivery], may_be_known: bool) -> list[BusMessage]:
        """Execute what is an order as one transaction, or if that fails in parts."""
        orders = await self._readable(batch)
        if not orders:
            return []
        if not may_be_known:
            try:
                return await self._write(partial(self.execute, orders, False))
            except RefusedRow:
                log.info("a batch of %d orders holds one that is final already", len(orders))
            except Exception:
                log.exception("a batch of %d orders cannot be executed as one", len(orders))
        return await self._execute_parts(orders)

    async def _execute_parts(self, orders: Sequence[Order]) -> list[BusMessage]:
        """Execute orders of which some may be final: together, else by halves down to the one that cannot be."""
        try:
            return await self._write(partial(self.execute, orders, True))
        except Exception:
            if len(orders) == 1:
                log.exception("alert=engine_error order=%s: its execution raised", orders[0].order_id)
                return await self._reject_alone(orders[0])
        middle = len(orders) // 2
        return await self._execute_parts(orders[:middle]) + await self._execute_parts(orders[middle:])

    async def _reject_alone(self, order: Order) -> list[BusMessage]:
        """Record that the order could not be executed; park it if not even that can be recorded."""
        try:
            return await self._write(partial(self.reject, [order], Rejection(Reason.ENGINE_ERROR)))
        except Exception:
            log.exception("alert=order_parked order=%s: its rejection cannot be recorded", order.order_id)
            await self._park([(order.token, order.encoded(), "unrecordable")])
            return []

    async def _readable(self, batch: Sequence[Delivery]) -> list[Order]:
        """The orders in the batch; what is none is parked."""
        orders, unreadable = [], []
        for delivery in batch:
            try:
                orders.append(decoded(delivery.body))
            except UnreadableOrder:
                log.exception("alert=unreadable_message queue=%s body=%r", delivery.token, delivery.body[:500])
                unreadable.append((delivery.token, delivery.body, "unreadable"))
        if unreadable:
            await self._park(unreadable)
        return orders

    async def _park(self, messages: Sequence[tuple[str, bytes, str]]) -> None:
        """Keep (token, body, cause) for an operator, however long the database is away."""
        found = [parked.parked_row(token, body, cause, self._clock.now_ms()) for token, body, cause in messages]
        while True:
            try:
                await self._database.write(partial(parked.park, found))
                break
            except DatabaseError as error:  # a refused row was parked by somebody else at the same moment
                await self._wait_after(error)
        self.metrics.parked += len(found)

    async def _write(self, work: Callable[[Connection], Result]) -> Result:
        """Commit, however long the database is away."""
        while True:
            self._decided = []
            try:
                result = await self._database.write(work)
            except RefusedRow:
                raise
            except DatabaseError as error:
                await self._wait_after(error)
            else:
                counting.committed(self._decided, self._clock.now_ms())
                return result

    async def _wait_after(self, error: DatabaseError) -> None:
        """Nothing was committed that we know of; say why, and wait as long as such an error takes."""
        if is_contention(error):
            log.warning("another transaction was in the way, trying again: %s", error)
            self.metrics.contended += 1
            await asyncio.sleep(random.uniform(0, CONTENTION_RETRY_S))
        else:
            bug = None if isinstance(error, CommitUnknown) or is_outage(error) else error
            log.error("alert=database_error orders wait for the database: %s", told(error), exc_info=bug)
            self.metrics.retries += 1
            await asyncio.sleep(RETRY_S)

    def execute(self, orders: Sequence[Order], may_be_known: bool, connection: Connection) -> list[BusMessage]:
        """Decide these orders inside the caller's transaction and return what to publish once it is committed.

        Raises:
            RefusedRow: one of them is final already; run again with `may_be_known`.
        """
        crash_points.before(Point.BEGUN)
        if may_be_known:
            # Whoever else executes them holds these rows until the commit: only behind it can be told which are final.
            rows.lock_tokens(connection, (order.token for order in orders))
        fresh = self._fresh(connection, orders, may_be_known)
        now_ms = self._clock.now_ms()
        locked = rows.lock_for(connection, fresh, now_ms)
        crash_points.after(Point.BEGUN)
        if self._pause.is_set(connection):
            for token in locked.tokens.values():
                token["paused"] = 1  # not a column that a batch writes
        self._learn_wallets(connection, fresh)
        batch = Batch(locked, self._wallets, now_ms, self._account_rent_lamports)
        for order in fresh:
            batch.apply(order)
        crash_points.before(Point.WRITTEN)
        rows.write(connection, batch.changes)
        crash_points.after(Point.WRITTEN)
        self.metrics.batches += 1
        self.metrics.orders += len(fresh)
        self.metrics.trades += len(batch.changes.trades)
        self.metrics.duplicates += len(orders) - len(fresh)
        crash_points.before(Point.COMMITTED)
        self._decided = batch.changes.orders
        return batch.changes.messages

    def reject(self, orders: Sequence[Order], rejection: Rejection, connection: Connection) -> list[BusMessage]:
        """Record a no for those of these orders that are not final, inside the caller's transaction."""
        now_ms = self._clock.now_ms()
        rows.lock_tokens(connection, (order.token for order in orders))
        fresh = self._fresh(connection, orders, True)
        batch = Batch(rows.lock_for(connection, fresh, now_ms), self._wallets, now_ms, self._account_rent_lamports)
        for order in fresh:
            batch.reject(order, rejection)
        rows.write(connection, batch.changes)
        self.metrics.orders += len(fresh)
        self._decided = batch.changes.orders
        return batch.changes.messages

    def _fresh(self, connection: Connection, orders: Sequence[Order], may_be_known: bool) -> list[Order]:
        """The orders that are not final yet, each id once: the first body to be executed wins."""
        known = rows.known_orders(connection, [order.order_id for order in orders]) if may_be_known else set()
        fresh: dict[str, Order] = {}
        for order in orders:
            if order.order_id not in known:
                fresh.setdefault(order.order_id, order)
        return list(fresh.values())

    def _learn_wallets(self, connection: Connection, orders: Sequence[Order]) -> None:
        unknown = {order.account_id for order in orders} - self._wallets.keys()
        if unknown:
            self._wallets.update(rows.wallets_of(connection, unknown))


def _is_suspect(delivery: Delivery) -> bool:
    return delivery.given_back >= SUSPECT_FROM
