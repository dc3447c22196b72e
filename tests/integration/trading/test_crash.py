"""SIGKILL in the middle of 500 orders: whoever opens the database next finishes them, each once, to the lamport."""

import asyncio
import random
import signal
import sys
from asyncio.subprocess import PIPE

import pytest

from engine.persistence.database import Database
from tests.integration.trading.crash_orders import ORDERS, orders_of
from tests.integration.trading.running import LIMIT_S, broker_on, running, until
from tests.ledger import check


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_five_hundred_orders_survive_kill_minus_nine_exactly_once(database: Database, seed: int) -> None:
    accepted = await accepted_until_killed(database.url.render_as_string(hide_password=False), seed)
    orders = orders_of(seed)
    async with broker_on(database) as broker, running(database, broker) as run:
        executed_before = set(run.orders())
        await until(lambda: run.journal() == 0)
        assert set(run.orders()) >= {orders[number].order_id for number in accepted}, "what was accepted is executed"
        await run.publish(orders)  # the clients send everything again: they cannot know what was taken
        await until(lambda: run.journal() == 0)
    final = run.orders()
    assert set(final) == {order.order_id for order in orders}
    assert len(final) == ORDERS
    assert all(row["body_hash"] == order.body_hash for order in orders for row in [final[order.order_id]])
    assert {row["state"] for row in final.values()} == {"filled", "rejected"}
    assert executed_before < set(final), "the kill came in the middle"
    check(database)


async def accepted_until_killed(url: str, seed: int) -> set[int]:
    """Run the child until a random number of its orders is accepted; kill it; the numbers it had said by then."""
    module = "tests.integration.trading.killed_child"
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", module, url, str(seed), stdout=PIPE)
    assert child.stdout is not None
    kill_after = random.Random(seed).randrange(20, ORDERS - 60)
    accepted: set[int] = set()
    try:
        async with asyncio.timeout(LIMIT_S):
            while len(accepted) < kill_after:
                line = await child.stdout.readline()
                assert line, "the child ended by itself"
                accepted.add(int(line))
    finally:
        child.kill()
        rest = await child.stdout.read()
        await child.wait()
    assert child.returncode == -signal.SIGKILL
    return accepted | {int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")}
