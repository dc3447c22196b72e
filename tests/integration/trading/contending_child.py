"""A trade worker as a process of its own, for the tests in which workers get in each other's way.

python -m tests.integration.trading.contending_child DATABASE_URL cross WHO
    executes batches over the shared tokens, in an order of its own; prints how often it lost to the other one
python -m tests.integration.trading.contending_child DATABASE_URL freeze
    executes one batch up to its commit, says so, and goes on when a line arrives; prints its metrics
"""

import asyncio
import random
import sys
from collections.abc import Sequence

from engine.adapters.bus_memory import MemoryBus
from engine.persistence.database import Connection, Database
from engine.ports import BusMessage
from engine.trading.orders import Order, Side
from engine.trading.worker import TradeWorker
from tests.fakes import FakeClock
from tests.integration.trading.running import ScriptedBroker, ScriptedConsumer, deliveries, until
from tests.ledger import ONE_SOL, RENT, make_order, token

BATCHES, BATCH, ACCOUNTS, TOKENS = 25, 40, 20, 20


def crossing_batches(who: int) -> list[list[Order]]:
    """This worker's batches: small buys of every account on every token, shuffled."""
    dice = random.Random(who)
    numbers = iter(range(who * 1_000_000, (who + 1) * 1_000_000))
    return [
        [
            make_order(
                Side.BUY,
                ONE_SOL // 100,
                number=next(numbers),
                who=dice.randrange(ACCOUNTS),
                on=token(dice.randrange(TOKENS)),
            )
            for _ in range(BATCH)
        ]
        for _ in range(BATCHES)
    ]


def freezing_orders() -> list[Order]:
    """One buy per token."""
    return [make_order(Side.BUY, ONE_SOL // 100, number=number, who=number, on=token(number)) for number in range(3)]


class Freezing(TradeWorker):
    """Waits for a line before its first commit."""

    frozen = False

    def execute(self, orders: Sequence[Order], may_be_known: bool, connection: Connection) -> list[BusMessage]:
        messages = super().execute(orders, may_be_known, connection)
        if not self.frozen:
            self.frozen = True
            sys.stdout.write("locked\n")
            sys.stdout.flush()
            sys.stdin.readline()
        return messages


async def main(url: str, task: str, who: int) -> None:
    """Execute every batch, then print `contended retries duplicates`."""
    database = Database(url)
    batches = crossing_batches(who) if task == "cross" else [freezing_orders()]
    consumer = ScriptedConsumer([deliveries(batch) for batch in batches])
    count = sum(map(len, batches))
    kind = TradeWorker if task == "cross" else Freezing
    worker = kind(database, ScriptedBroker(consumer), MemoryBus(), FakeClock(), RENT)
    if task == "cross":
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: running.done() or len(consumer.acknowledged) == count)
    stop.set()
    await running
    metrics = worker.metrics
    sys.stdout.write(f"{metrics.contended} {metrics.retries} {metrics.duplicates}\n")
    database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
