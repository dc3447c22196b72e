"""The trade worker over real SQLite: once each, committed before acknowledged, however it is disturbed."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from engine.adapters.bus_memory import MemoryBus
from engine.identifiers import SOL
from engine.persistence import parked, trials
from engine.persistence.database import Database
from engine.ports import BusMessage, Delivery
from engine.trading import worker as worker_module
from engine.trading.batch import Batch
from engine.trading.events import BOARD, account_channel, token_channel
from engine.trading.execution import Fill
from engine.trading.orders import Order, Side, body_hash
from engine.trading.worker import SUSPECT_FROM, TRIALS, TradeWorker
from tests.fakes import FakeClock
from tests.integration.trading.running import (
    ScriptedBroker,
    ScriptedConsumer,
    broker_on,
    deliveries,
    running,
    until,
)
from tests.ledger import ONE_SOL, RENT, account, all_of, check, make_order, token


def buys(count: int, lamports: int = ONE_SOL // 100) -> list[Order]:
    """Small buys of all accounts and tokens in turn."""
    return [make_order(Side.BUY, lamports, number=n, who=n % 3, on=token(n // 3 % 3)) for n in range(count)]


async def test_queued_orders_are_executed_committed_acknowledged_and_told(database: Database) -> None:
    async with broker_on(database) as broker, running(database, broker) as run:
        heard = await run.bus.subscribe(token_channel(token(0)), account_channel(account(0)), BOARD)
        await run.publish([make_order(Side.BUY, ONE_SOL)])
        await until(lambda: run.journal() == 0)
        messages = [await anext(aiter(heard)) for _ in range(3)]
    assert [orjson.loads(message.payload)["type"] for message in messages] == ["trade", "order", "headline"]
    assert [row["state"] for row in run.orders().values()] == ["filled"]
    assert (run.worker.metrics.orders, run.worker.metrics.trades) == (1, 1)
    check(database)


async def test_events_are_published_after_the_commit_and_do_not_wait_for_the_acknowledgement(
    database: Database,
) -> None:
    steps: list[str] = []

    def say(step: str) -> None:
        with database.snapshot() as connection:
            steps.append(f"{step} with {len(all_of(connection, 'orders'))} committed")

    class Telling(MemoryBus):
        def publish(self, messages: Sequence[BusMessage]) -> None:
            say("published" if messages else "nothing")

    class Acknowledging(ScriptedConsumer):
        async def ack(self, batch: Sequence[Delivery]) -> None:
            say("acknowledged")

    consumer = Acknowledging([deliveries(buys(2))])
    await work(database, consumer, lambda: len(steps) >= 2, bus=Telling())
    assert steps == ["published with 2 committed", "acknowledged with 2 committed"]


async def test_a_duplicate_within_a_batch_is_executed_once(database: Database) -> None:
    order = make_order(Side.BUY, ONE_SOL)
    consumer = ScriptedConsumer([deliveries([order, order, order])])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 3)
    assert (worker.metrics.orders, worker.metrics.duplicates) == (1, 2)
    assert_bought_once(database, ONE_SOL)


async def test_a_duplicate_in_a_later_batch_is_executed_once_and_its_neighbours_go_on(database: Database) -> None:
    first, second = make_order(Side.BUY, ONE_SOL), make_order(Side.BUY, ONE_SOL, number=1, who=1)
    consumer = ScriptedConsumer([deliveries([first]), deliveries([second, first])])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 3)
    assert (worker.metrics.orders, worker.metrics.duplicates) == (2, 1)
    rebuilt = check(database)
    assert rebuilt.tokens[token(0)].seq == 2


async def test_a_rejected_order_that_comes_again_unmarked_is_recorded_once(database: Database) -> None:
    order = make_order(Side.BUY, 1)
    consumer = ScriptedConsumer([deliveries([order]), deliveries([order])])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 2)
    assert (worker.metrics.orders, worker.metrics.duplicates) == (1, 1)
    with database.snapshot() as connection:
        assert [row["state"] for row in all_of(connection, "orders")] == ["rejected"]


async def test_a_redelivered_batch_that_was_committed_changes_nothing(database: Database) -> None:
    orders = buys(9)
    consumer = ScriptedConsumer([deliveries(orders), deliveries(orders, redelivered=True)])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 18)
    assert (worker.metrics.orders, worker.metrics.duplicates) == (9, 9)
    assert check(database).tokens[token(0)].seq == 3


async def test_a_redelivered_batch_that_was_half_committed_is_completed_in_order(database: Database) -> None:
    orders = buys(9)
    consumer = ScriptedConsumer([deliveries(orders[:4]), deliveries(orders, redelivered=True)])
    await work(database, consumer, lambda: len(consumer.acknowledged) == 13)
    check(database)
    with database.snapshot() as connection:
        trades = {row["order_id"]: row["seq"] for row in all_of(connection, "trades")}
    assert [trades[order.order_id] for order in orders] == [1, 2, 3] * 3


@pytest.mark.parametrize("together", [True, False])
async def test_of_two_bodies_with_one_id_the_first_wins(database: Database, together: bool) -> None:
    first = make_order(Side.BUY, ONE_SOL)
    other = first._replace(amount=2 * ONE_SOL, body_hash=body_hash(Side.BUY, first.token, 2 * ONE_SOL, 1, None))
    batches = [deliveries([first, other])] if together else [deliveries([first]), deliveries([other])]
    consumer = ScriptedConsumer(batches)
    await work(database, consumer, lambda: len(consumer.acknowledged) == 2)
    assert_bought_once(database, ONE_SOL)
    with database.snapshot() as connection:
        [row] = all_of(connection, "orders")
    assert row["body_hash"] == first.body_hash


async def test_the_same_client_id_of_two_accounts_is_two_orders(database: Database) -> None:
    consumer = ScriptedConsumer([deliveries([make_order(Side.BUY, ONE_SOL, who=who) for who in range(2)])])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 2)
    assert worker.metrics.trades == 2


async def test_a_database_error_is_retried_and_nothing_is_acknowledged_before(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "RETRY_S", 0.01)
    consumer = ScriptedConsumer([deliveries(buys(6))])
    acknowledged_while_away: list[int] = []
    failures = failing_commits(database, 3, lambda: acknowledged_while_away.extend(consumer.acknowledged))
    with failures:
        worker = await work(database, consumer, lambda: bool(consumer.acknowledged))
    assert worker.metrics.retries == 3
    assert acknowledged_while_away == []
    assert consumer.acknowledged == [1, 2, 3, 4, 5, 6]
    assert sum(state.seq for state in check(database).tokens.values()) == 6


async def test_a_commit_that_landed_but_was_not_heard_of_is_not_executed_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "RETRY_S", 0.01)
    consumer = ScriptedConsumer([deliveries(buys(6))])
    with failing_commits(database, 1, lambda: None, after=True):
        worker = await work(database, consumer, lambda: bool(consumer.acknowledged))
    assert worker.metrics.retries == 1
    assert sum(state.seq for state in check(database).tokens.values()) == 6


async def test_an_unreadable_message_is_parked_with_an_alert_and_its_neighbours_go_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    good = deliveries(buys(2))
    batch = [good[0], Delivery(token(0), b'{"v":1}', 2, False), Delivery(token(0), b"\xff", 3, False), good[1]]
    consumer = ScriptedConsumer([batch])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 4)
    assert worker.metrics.trades == 2
    assert caplog.text.count("alert=unreadable_message") == 2
    with database.snapshot() as connection:
        assert [row["cause"] for row in all_of(connection, "parked_orders")] == ["unreadable"] * 2


def given_back(orders: Sequence[Order], times: Sequence[int]) -> list[Delivery]:
    """The orders as a consumer receives them after they were delivered so often and not acknowledged."""
    again = deliveries(orders, redelivered=True)
    return [delivery._replace(given_back=count) for delivery, count in zip(again, times, strict=True)]


async def test_suspects_are_executed_alone_and_in_their_order(database: Database) -> None:
    orders = buys(9)
    consumer = ScriptedConsumer([given_back(orders, [0, 1, SUSPECT_FROM, SUSPECT_FROM, 2, 2, SUSPECT_FROM + 9, 1, 1])])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 9)
    assert (worker.metrics.batches, worker.metrics.trades) == (6, 9)
    with database.snapshot() as connection:
        trades = {row["order_id"]: row["seq"] for row in all_of(connection, "trades")}
        assert all_of(connection, "trials") == []
    assert [trades[order.order_id] for order in orders] == [1, 2, 3] * 3
    check(database)


async def test_a_suspect_that_was_begun_too_often_is_parked_and_its_neighbours_go_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    orders = buys(3)
    with database.transaction() as connection:
        for number in range(TRIALS):
            trials.begin(trials.trial_id(orders[1].token, orders[1].encoded()), number, connection)
    consumer = ScriptedConsumer([given_back(orders, [SUSPECT_FROM] * 3)])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 3)
    assert (worker.metrics.trades, worker.metrics.parked) == (2, 1)
    assert "alert=order_parked" in caplog.text
    with database.snapshot() as connection:
        [row] = parked.waiting(connection)
        assert all_of(connection, "trials") == []
    assert (row["parked_id"], row["cause"]) == (orders[1].order_id, "killed_workers")


async def test_a_trial_is_counted_before_the_order_is_touched(database: Database) -> None:
    counted: list[int] = []

    class Dying(TradeWorker):
        def execute(self, orders: Sequence[Order], may_be_known: bool, connection: Connection) -> list[BusMessage]:
            with database.snapshot() as beside:
                counted.extend(row["begun"] for row in all_of(beside, "trials"))
            return super().execute(orders, may_be_known, connection)

    consumer = ScriptedConsumer([given_back(buys(1), [SUSPECT_FROM])])
    stop = asyncio.Event()
    worker = Dying(database, ScriptedBroker(consumer), MemoryBus(), FakeClock(), RENT)
    task = asyncio.create_task(worker.run(stop))
    await until(lambda: bool(consumer.acknowledged))
    stop.set()
    await task
    assert counted == [1]


async def test_an_order_whose_booking_raises_is_an_engine_error_and_the_others_are_filled(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = buys(7)
    book = Batch._move_token

    def fail_on_the_fifth(self: Batch, row: dict[str, Any], fill: Fill, at_ms: int, holders: int) -> None:
        book(self, row, fill, at_ms, holders)
        if row["address"] == orders[4].token and fill.tokens == big:
            raise ZeroDivisionError("a bug")

    orders[4] = orders[4]._replace(amount=3 * ONE_SOL)
    big = _tokens_bought_by(database, orders[:5])
    monkeypatch.setattr(Batch, "_move_token", fail_on_the_fifth)
    consumer = ScriptedConsumer([deliveries(orders)])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 7)
    with database.snapshot() as connection:
        states = {row["order_id"]: (row["state"], row["reason"]) for row in all_of(connection, "orders")}
    expected = [("filled", None)] * 7
    expected[4] = ("rejected", "engine_error")
    assert [states[order.order_id] for order in orders] == expected
    assert "alert=engine_error" in caplog.text
    assert worker.metrics.orders == 7
    check(database)


async def test_an_account_without_a_wallet_row_is_an_engine_error_not_a_dead_worker(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM accounts WHERE account_id = :id"), {"id": account(0)})
    consumer = ScriptedConsumer([deliveries(buys(3))])
    worker = await work(database, consumer, lambda: len(consumer.acknowledged) == 3)
    assert worker.metrics.trades == 2
    with database.snapshot() as connection:
        assert sorted(row["reason"] or "" for row in all_of(connection, "orders")) == ["", "", "engine_error"]


async def test_stop_finishes_and_acknowledges_the_batch_under_way(database: Database) -> None:
    stop = asyncio.Event()

    class Stopping(ScriptedConsumer):
        async def next_batch(self, limit: int) -> list[Delivery]:
            asyncio.get_running_loop().call_soon(stop.set)  # while the batch is executed in its thread
            return await super().next_batch(limit)

    consumer = Stopping([deliveries(buys(3)), deliveries(buys(6)[3:])])
    await asyncio.wait_for(_worker(database, consumer).run(stop), 30)
    assert consumer.acknowledged == [1, 2, 3]
    assert consumer.closed
    assert len(consumer.batches) == 1


async def test_a_stopped_worker_leaves_the_rest_to_the_next_one(database: Database) -> None:
    orders = buys(30)
    async with broker_on(database) as broker:
        async with running(database, broker, batch_limit=5) as run:
            await run.publish(orders)
            await until(lambda: run.worker.metrics.batches >= 1)
            await run.finished()
        assert len(run.orders()) + run.journal() == 30
        async with running(database, broker) as again:
            await until(lambda: again.journal() == 0)
    assert set(again.orders()) == {order.order_id for order in orders}
    assert again.worker.metrics.duplicates == 0
    check(database)


async def test_a_cancelled_worker_takes_no_message_with_it(database: Database) -> None:
    async with broker_on(database) as broker:
        async with running(database, broker) as run:
            await asyncio.sleep(0)
            run.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run.task
        async with running(database, broker) as again:
            await again.publish(buys(3))
            await until(lambda: again.journal() == 0)
        assert len(again.orders()) == 3


async def test_commits_are_spaced(database: Database) -> None:
    async with broker_on(database) as broker, running(database, broker, commit_spacing_ms=40) as run:
        before = run.worker.metrics.batches
        for order in buys(20):
            await broker.publish(order.token, order.encoded())
            await asyncio.sleep(0.005)
        await until(lambda: run.journal() == 0)
    assert run.worker.metrics.orders == 20
    assert run.worker.metrics.batches - before < 12


async def test_random_orders_conserve_every_lamport_and_every_base_unit(database: Database) -> None:
    dice = random.Random(7)
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE tokens SET k = '1/1000000', curve_supply = 1000000000, total_supply = 1500000000")
        )
    orders = []
    for number in range(600):
        side = Side.BUY if dice.random() < 0.6 else Side.SELL
        amount = dice.randrange(1, ONE_SOL // 20) if side is Side.BUY else dice.randrange(1, 10**8)
        bound = dice.choice((0, 0, 0, amount))
        orders.append(
            make_order(side, amount, number=number, who=dice.randrange(4), on=token(dice.randrange(4)), bound=bound)
        )
    again = dice.sample(orders, 60)
    async with broker_on(database, tokens=4) as broker, running(database, broker, batch_limit=37) as run:
        await run.publish(orders + again)
        await until(lambda: run.journal() == 0)
    final = run.orders()
    assert set(final) == {order.order_id for order in orders}
    assert {row["reason"] for row in final.values()} >= {None, "slippage", "funds", "unknown_token", "below_minimum"}
    assert sum(row["state"] == "filled" for row in final.values()) > 100
    check(database)


def assert_bought_once(database: Database, lamports: int) -> None:
    rebuilt = check(database)
    assert rebuilt.tokens[token(0)].seq == 1
    spent = 10 * ONE_SOL - rebuilt.balances[account(0), SOL]
    assert lamports - 10 <= spent - RENT <= lamports


def _tokens_bought_by(database: Database, orders: Sequence[Order]) -> int:
    """What the last of these would buy, tried in a transaction that is rolled back."""
    bought = 0
    with suppress(LookupError), database.transaction() as connection:
        _worker(database, ScriptedConsumer([])).execute(orders, False, connection)
        bought = {row["order_id"]: row["tokens"] for row in all_of(connection, "trades")}[orders[-1].order_id]
        raise LookupError("roll back")
    return bought


def _worker(database: Database, consumer: ScriptedConsumer, bus: MemoryBus | None = None) -> TradeWorker:
    return TradeWorker(database, ScriptedBroker(consumer), bus or MemoryBus(), FakeClock(), RENT)


async def work(database: Database, consumer: ScriptedConsumer, done: Any, bus: MemoryBus | None = None) -> TradeWorker:
    """Run a worker over the scripted batches until `done`."""
    worker, stop = _worker(database, consumer, bus), asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        await until(lambda: task.done() or done())
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)
    return worker


@contextmanager
def failing_commits(database: Database, count: int, on_failure: Any, after: bool = False) -> Iterator[None]:
    """The database fails so many write transactions, before they commit or after."""
    real = database.transaction
    left = count

    @contextmanager
    def failing() -> Iterator[Connection]:
        nonlocal left
        fail, left = left > 0, left - 1
        with real() as connection:
            yield connection
            if fail and not after:
                on_failure()
                raise OperationalError("COMMIT", {}, Exception("the disk is full"))
        if fail:
            on_failure()
            raise OperationalError("COMMIT", {}, Exception("the answer was lost"))

    database.transaction = failing  # type: ignore[method-assign]
    try:
        yield
    finally:
        database.transaction = real  # type: ignore[method-assign]
