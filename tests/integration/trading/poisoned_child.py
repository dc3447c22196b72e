"""A trade worker on the real RabbitMQ that dies of one order, whenever that order is in a batch.

python -m tests.integration.trading.poisoned_child DATABASE_URL BROKER_PREFIX POISONOUS_ORDER_ID
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial

from engine.adapters.bus_memory import MemoryBus
from engine.adapters.rabbitmq.broker import RabbitBroker
from engine.clock import SystemClock
from engine.persistence.database import Connection, Database
from engine.persistence.trading import queued_tokens
from engine.ports import BusMessage
from engine.trading.orders import Order
from engine.trading.worker import TradeWorker
from tests import rabbit
from tests.ledger import RENT


class Mortal(TradeWorker):
    """Dies as a crash of the interpreter would."""

    poison = ""

    def execute(self, orders: Sequence[Order], may_be_known: bool, connection: Connection) -> list[BusMessage]:
        if any(order.order_id == self.poison for order in orders):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(orders, may_be_known, connection)


async def main(url: str, prefix: str, poison: str) -> None:
    """Work until death."""
    database = Database(url)
    broker = RabbitBroker(rabbit.URL, partial(database.read, queued_tokens), prefix)
    worker = Mortal(database, broker, MemoryBus(), SystemClock(), RENT)
    worker.poison = poison

    await worker.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
