"""What the trade worker tells its operators is what it committed, and what waits is seen while it waits."""

import asyncio
import logging

import pytest
from sqlalchemy.exc import OperationalError

from engine import metrics
from engine.persistence.database import Connection, Database
from engine.trading import worker as worker_module
from engine.trading.orders import Side
from tests.integration.trading.running import LIMIT_S, broker_on, running, until
from tests.ledger import ONE_SOL, make_order
from tests.promtool import families


async def counted() -> dict[str, float]:
    """The figures of the trade path now."""
    found = families((await metrics.answer()).decode())
    rejected = {each.labels["reason"]: each.value for each in found["blitz_orders_rejected"].samples}
    fills = next(each for each in found["blitz_order_fill_seconds"].samples if each.name.endswith("_count"))
    names = ("blitz_queue_orders", "blitz_queue_deepest_orders", "blitz_queue_oldest_order_seconds")
    return {
        "filled": found["blitz_orders_filled"].samples[0].value,
        "below_minimum": rejected["below_minimum"],
        "fills": fills.value,
        **{name: found[name].samples[0].value for name in names if name in found},
    }


async def test_filled_and_rejected_orders_are_counted_once_committed(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.expose(metrics.TRADING)
    before, failures = await counted(), 0
    write = Database.write

    async def failing(self: Database, work: object) -> object:
        """The commit of the first batch fails twice after everything was executed."""
        nonlocal failures

        def then_break(connection: Connection) -> object:
            nonlocal failures
            result = work(connection)
            if failures < 2 and _is_batch(work):
                failures += 1
                raise OperationalError("COMMIT", {}, Exception("gone"))
            return result

        return await write(self, then_break)

    monkeypatch.setattr(worker_module, "RETRY_S", 0.01)
    monkeypatch.setattr(Database, "write", failing)
    orders = [
        make_order(Side.BUY, ONE_SOL, number=0),
        make_order(Side.BUY, 1, number=1),
        make_order(Side.BUY, ONE_SOL, number=2),
    ]
    async with broker_on(database) as broker, running(database, broker) as run:
        with caplog.at_level(logging.INFO, "blitzhub.trail"):
            await run.publish(orders)
            await until(lambda: run.journal() == 0)
    after = await counted()
    assert failures == 2
    assert {name: after[name] - before[name] for name in ("filled", "below_minimum", "fills")} == {
        "filled": 2,
        "below_minimum": 1,
        "fills": 2,
    }
    steps = [vars(each) for each in caplog.records if each.name == "blitzhub.trail"]
    assert [each["filled"] for each in steps] == [[orders[0].order_id, orders[2].order_id]]
    assert steps[0]["rejected"] == {orders[1].order_id: "below_minimum"}


def _is_batch(work: object) -> bool:
    return getattr(getattr(work, "func", None), "__name__", "") == "execute"


async def test_waiting_orders_are_seen_with_the_age_of_the_oldest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write = False
    execute = worker_module.TradeWorker.execute

    def refused(*arguments: object) -> object:
        if not may_write:
            raise OperationalError("SELECT", {}, Exception("gone"))
        return execute(*arguments)

    monkeypatch.setattr(worker_module, "RETRY_S", 0.01)
    monkeypatch.setattr(worker_module.TradeWorker, "execute", refused)
    async with broker_on(database) as broker, running(database, broker, batch_limit=2) as run:
        await run.publish([make_order(Side.BUY, ONE_SOL, number=number) for number in range(5)])
        await until(lambda: run.worker.metrics.retries > 0)
        run.clock.at_ms += 12_000
        waiting = await counted()
        may_write = True
        async with asyncio.timeout(LIMIT_S):
            while (done := await counted())["blitz_queue_orders"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert (waiting["blitz_queue_orders"], waiting["blitz_queue_deepest_orders"]) == (5, 5)
    assert 12 <= waiting["blitz_queue_oldest_order_seconds"] < 20
    assert done["blitz_queue_oldest_order_seconds"] == 0
