"""Orders that killed their workers, or that nobody can read: parked, shown, and ended once by an operator.

A replay executes the order right here, in the transaction that ends its parking: whatever it does to the process, it
is executed and ended, or neither.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from engine import metrics
from engine.errors import NotFound, Refusal
from engine.persistence import parked as rows
from engine.persistence.database import Connection, Database, DatabaseError
from engine.ports import BusMessage, Clock, Consumer
from engine.services import Services
from engine.trading.execution import Rejection
from engine.trading.orders import Order, OrderState, Reason, UnreadableOrder, decoded
from engine.trading.worker import TradeWorker

log = logging.getLogger(__name__)

RETRY_S: Final = 0.5
WISHES_EVERY_S: Final = 1.0
BATCH: Final = 100
DELIVERY_LIMIT: Final = "delivery_limit"
REPLAYED: Final = "replayed"
REJECTED: Final = "rejected"


class NotParked(NotFound):
    """There is no such parked order."""

    code = "not_parked"


class AlreadyEnded(Refusal):
    """Somebody has ended it, or it became final on another way."""

    code = "already_ended"
    status = 409


class NothingToReplay(Refusal):
    """The message is not an order of ours."""

    code = "unreadable"
    status = 422


async def collect(database: Database, clock: Clock, dead: Consumer) -> None:
    """Move dead letters into the table, for ever; a letter leaves its queue once its row is committed."""
    while True:
        letters = await dead.next_batch(BATCH)
        found = [rows.parked_row(each.token, each.body, DELIVERY_LIMIT, clock.now_ms()) for each in letters]
        for row in found:
            log.error(
                "alert=order_parked id=%s token=%s: it exceeded the delivery limit", row["parked_id"], row["token"]
            )
        while True:
            try:
                await database.write(partial(rows.park, found))
                metrics.dead_letters.inc(len(found))
                break
            except DatabaseError:
                log.exception("alert=database_error dead letters wait for the database")
                await asyncio.sleep(RETRY_S)
        await dead.ack(letters)


async def carry_out(services: Services, worker: TradeWorker) -> None:
    """End, for ever, what operators want ended; each wish is taken up by one worker, within a second."""
    while True:
        try:
            for wish in await services.database.read(rows.wanted):
                if await services.database.write(partial(rows.take_up, parked_id=wish["parked_id"])):
                    await _carry_out(services, worker, wish)
        except DatabaseError as error:
            log.warning("what operators want of parked orders waits for the database: %s", error)
        await asyncio.sleep(WISHES_EVERY_S)


async def _carry_out(services: Services, worker: TradeWorker, wish: dict[str, Any]) -> None:
    parked_id, note = wish["parked_id"], wish["wanted_note"] or ""
    try:
        if wish["wanted"] == rows.REPLAY:
            outcome = await replay(services, worker, parked_id)
        else:
            outcome = await reject(services, worker, parked_id, note)
        log.info("parked order %s: %s by an operator, %s", parked_id, wish["wanted"], outcome or "dropped")
    except Refusal as refusal:
        log.warning("parked order %s stays as it is: %s", parked_id, refusal.detail)
    except DatabaseError:
        raise
    except Exception:
        log.exception("alert=engine_error parked order %s could not be ended", parked_id)


async def replay(services: Services, worker: TradeWorker, parked_id: str) -> OrderState | None:
    """Execute a parked order now, with a new deadline, and end its parking; returns what became of it.

    Raises:
        NotParked, AlreadyEnded, NothingToReplay: nothing was changed.
    """

    def execute(order: Order, connection: Connection) -> list[BusMessage]:
        deadline_ms = services.clock.now_ms() + services.settings.order_deadline_ms
        return worker.execute([order._replace(deadline_ms=deadline_ms)], True, connection)

    return await _end(services, parked_id, REPLAYED, None, execute)


async def reject(services: Services, worker: TradeWorker, parked_id: str, why: str) -> OrderState | None:
    """Record a parked order as rejected, `why` being its detail; of what is no order only the parking ends.

    Raises:
        NotParked, AlreadyEnded: nothing was changed.
    """

    def execute(order: Order, connection: Connection) -> list[BusMessage]:
        return worker.reject([order], Rejection(Reason.ENGINE_ERROR, why), connection)

    return await _end(services, parked_id, REJECTED, why, execute)


async def _end(
    services: Services,
    parked_id: str,
    state: str,
    note: str | None,
    execute: Callable[[Order, Connection], list[BusMessage]],
) -> OrderState | None:
    def work(connection: Connection) -> tuple[list[BusMessage], OrderState | None]:
        if not rows.end(connection, parked_id, state, note, services.clock.now_ms()):
            known = rows.one(connection, parked_id)
            if known is None:
                raise NotParked(f"There is no parked order {parked_id}.")
            raise AlreadyEnded(f"Order {parked_id} was {known['state']} already.")
        order = _order(connection, parked_id)
        if order is None:
            if state == REPLAYED:
                raise NothingToReplay(f"{parked_id} is not an order; it can only be rejected.")
            return [], None
        messages = execute(order, connection)
        return messages, rows.decided_state(connection, parked_id)

    messages, outcome = await services.database.write(work)
    services.bus.publish(messages)
    return outcome


def _order(connection: Connection, parked_id: str) -> Order | None:
    row = rows.one(connection, parked_id)
    assert row is not None
    try:
        return decoded(bytes(row["body"]))
    except UnreadableOrder:
        return None


def summary(found: Sequence[dict[str, Any]]) -> list[str]:
    """A line per parked message: id, cause, token, and the order, if it is one."""
    return [_line(row) for row in found]


def _line(row: dict[str, Any]) -> str:
    try:
        order = decoded(bytes(row["body"]))
        what = f"{order.side} {order.amount} account={order.account_id} client_order_id={order.client_order_id}"
    except UnreadableOrder:
        what = f"unreadable {bytes(row['body'])[:80]!r}"
    return f"{row['parked_id']} {row['cause']} parked_at_ms={row['parked_at_ms']} token={row['token']} {what}"
