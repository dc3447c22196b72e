"""A process for the crash test: accepts orders, executes them, says which were accepted, and waits to be killed.

python -m tests.integration.trading.killed_child DATABASE_URL SEED
"""

import asyncio
import sys

from engine.persistence.database import Database
from tests.integration.trading.crash_orders import orders_of
from tests.integration.trading.running import broker_on, running

CLIENTS = 8


async def main(url: str, seed: int) -> None:
    """Publish from several clients at once while the worker executes; print each accepted order's number."""
    database = Database(url)
    waiting = list(enumerate(orders_of(seed)))[::-1]

    async with broker_on(database) as broker, running(database, broker, batch_limit=11):

        async def client() -> None:
            while waiting:
                number, order = waiting.pop()
                await broker.publish(order.token, order.encoded())
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
