"""Several trade workers on one PostgreSQL: no deadlock, and no harm from one that freezes in mid-transaction."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from psycopg.pq import ExecStatus, PGconn
from sqlalchemy import Connection, text

from engine.adapters.bus_memory import MemoryBus
from engine.identifiers import SOL
from engine.persistence.bulk import update_rows
from engine.persistence.database import ConnectionOptions, Database
from engine.persistence.stalled import APPLICATION
from engine.persistence.trading import BALANCES, lock_balances, lock_tokens
from engine.trading.orders import Order, Side
from engine.trading.worker import TradeWorker
from tests.databases import emptied
from tests.fakes import FakeClock
from tests.integration.trading.contending_child import ACCOUNTS, BATCH, BATCHES, TOKENS, freezing_orders
from tests.integration.trading.running import LIMIT_S, ScriptedBroker, ScriptedConsumer, deliveries, until
from tests.ledger import ONE_SOL, RENT, account, all_of, check, fund, list_tokens, make_order, token

QUICK = ConnectionOptions(lock_timeout_ms=100)


@pytest.fixture
def server(postgresql_url: str) -> Iterator[Database]:
    """Accounts with 10 SOL each, and tokens, for batches that cross."""
    with emptied(postgresql_url, QUICK) as database:
        with database.transaction() as connection:
            fund(connection, range(ACCOUNTS))
            list_tokens(connection, range(TOKENS))
        yield database


@asynccontextmanager
async def child(database: Database, *arguments: str) -> AsyncIterator[Process]:
    """The child, once it has said its first line; ended with the block."""
    module, url = "tests.integration.trading.contending_child", database.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, url, *arguments, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            assert await process.stdout.readline() in (b"ready\n", b"locked\n")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def go_on(process: Process) -> list[int]:
    """Let the child continue and end; its metrics `contended retries duplicates`."""
    async with asyncio.timeout(LIMIT_S):
        out, _ = await process.communicate(b"go\n")
    assert process.returncode == 0
    return [int(number) for number in out.split()]


async def test_workers_whose_batches_cross_never_deadlock(server: Database) -> None:
    async with child(server, "cross", "1") as first, child(server, "cross", "2") as second:
        results = await asyncio.gather(go_on(first), go_on(second))
    assert results == [[0, 0, 0], [0, 0, 0]]
    rebuilt = check(server)
    assert sum(state.seq for state in rebuilt.tokens.values()) == 2 * BATCHES * BATCH


async def test_a_worker_frozen_before_its_commit_blocks_nobody_for_long_and_does_no_harm(
    server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with child(server, "freeze") as frozen:
        frozen.send_signal(signal.SIGSTOP)
        consumer, stop = ScriptedConsumer([deliveries(freezing_orders(), redelivered=True)]), asyncio.Event()
        worker = TradeWorker(server, ScriptedBroker(consumer), MemoryBus(), FakeClock(), RENT)
        running = asyncio.create_task(worker.run(stop))
        async with asyncio.timeout(LIMIT_S):
            while not consumer.acknowledged:  # noqa: ASYNC110  another thread rings no event
                await asyncio.sleep(0.01)
        stop.set()
        await running
        assert worker.metrics.contended > 0, "it met the frozen worker's locks"
        assert worker.metrics.trades == 3
        frozen.send_signal(signal.SIGCONT)
        contended, retries, duplicates = await go_on(frozen)
    assert (contended, retries, duplicates) == (0, 1, 3)
    with server.snapshot() as connection:
        assert len(all_of(connection, "orders")) == 3
    assert [check(server).tokens[token(number)].seq for number in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("within", ["COPY orders (order_id) FROM STDIN", "SELECT repeat('x', 100000000)"])
async def test_a_session_frozen_within_a_statement_is_ended_by_who_waits_for_its_rows(
    postgresql_url: str, within: str
) -> None:
    """The server ends an idle transaction, but waits for ever for the rest of a COPY, or for who reads no answer."""
    with emptied(postgresql_url, ConnectionOptions(lock_timeout_ms=100, idle_transaction_ms=500)) as database:
        with database.transaction() as connection:
            fund(connection, [0])
            list_tokens(connection, [0])
        frozen = libpq(database)
        assert frozen.exec_(b"BEGIN").status == ExecStatus.COMMAND_OK
        assert frozen.exec_(b"SELECT * FROM tokens FOR UPDATE").status == ExecStatus.TUPLES_OK
        frozen.send_query(within.encode())
        frozen.flush()  # and nothing is sent or read any more
        try:
            async with working(database, make_order(Side.BUY, ONE_SOL // 100, on=token(0))) as (worker, _):
                pass
        finally:
            frozen.finish()
        assert worker.metrics.contended > 0, "it met the frozen session's locks"
        assert worker.metrics.trades == 1


def libpq(database: Database) -> PGconn:
    """A session named like ours, without anything that reads in the background."""
    url = database.url.set(drivername="postgresql").update_query_dict({"application_name": APPLICATION})
    return PGconn.connect(url.render_as_string(hide_password=False).encode())


@asynccontextmanager
async def working(server: Database, order: Order) -> AsyncIterator[tuple[TradeWorker, ScriptedConsumer]]:
    """A worker that has this order to execute; done with it at the end of the block."""
    consumer, stop = ScriptedConsumer([deliveries([order])]), asyncio.Event()
    worker = TradeWorker(server, ScriptedBroker(consumer), MemoryBus(), FakeClock(), RENT)
    running = asyncio.create_task(worker.run(stop))
    try:
        yield worker, consumer
        await until(lambda: bool(consumer.acknowledged))
    finally:
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await running


async def test_two_that_move_one_balance_at_once_both_move_it(server: Database) -> None:
    order, mine = make_order(Side.BUY, ONE_SOL // 100, on=token(0)), (account(0), str(SOL))
    with server.snapshot() as connection:
        before = lamports_of(connection)
    with server.transaction() as connection:
        sol = lock_balances(connection, [mine])[mine]
        async with working(server, order) as (worker, consumer):
            await until(lambda: bool(worker.metrics.contended or consumer.acknowledged))
            update_rows(connection, BALANCES, ("account_id", "asset"), ("amount",), [sol | {"amount": before + 5}])
            connection.commit()
    with server.snapshot() as connection:
        [trade] = all_of(connection, "trades")
        assert lamports_of(connection) == before + 5 - trade["lamports"] - RENT


async def test_a_worker_that_waits_for_a_token_holds_no_balance(server: Database) -> None:
    """Whoever moves money takes the token first: the other way round two of them wait for each other."""
    order = make_order(Side.BUY, ONE_SOL // 100, on=token(0))
    with server.transaction() as connection:
        lock_tokens(connection, [token(0)])
        async with working(server, order) as (worker, _):
            async with asyncio.timeout(LIMIT_S):
                while worker.metrics.contended < 3:
                    with server.transaction() as beside:
                        beside.execute(
                            text("SELECT amount FROM balances WHERE account_id = :owner FOR UPDATE NOWAIT"),
                            {"owner": account(0)},
                        )
                    await asyncio.sleep(0.01)
            connection.commit()


def lamports_of(connection: Connection) -> int:
    """What account 0 has."""
    [row] = [row for row in all_of(connection, "balances") if (row["account_id"], row["asset"]) == (account(0), SOL)]
    return int(row["amount"])
