"""A trade worker on the real RabbitMQ that freezes itself once, at a point of its first batch, until it is woken.

python -m tests.integration.trading.freezing_child DATABASE_URL BROKER_PREFIX delivered|locked|committed|never
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
from engine.logs import configure
from engine.persistence.database import Connection, Database
from engine.persistence.trading import queued_tokens
from engine.ports import BusMessage
from engine.trading.orders import Order
from engine.trading.worker import TradeWorker
from tests import rabbit
from tests.ledger import RENT

points = {sys.argv[3]}


def say(word: str) -> None:
    """Tell the parent."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def freeze_at(point: str) -> None:
    """Say so and stop, as a process does that the machine suspends."""
    if point in points:
        points.clear()
        say("frozen")
        os.kill(os.getpid(), signal.SIGSTOP)


class Freezing(TradeWorker):
    """Freezes with a batch in hand, or with its rows locked and nothing committed."""

    def execute(self, orders: Sequence[Order], may_be_known: bool, connection: Connection) -> list[BusMessage]:
        freeze_at("delivered")
        messages = super().execute(orders, may_be_known, connection)
        freeze_at("locked")
        return messages


class FreezingBus(MemoryBus):
    """Freezes after the commit and before the acknowledgement."""

    def publish(self, messages: Sequence[BusMessage]) -> None:
        freeze_at("committed")
        super().publish(messages)


async def main(url: str, prefix: str) -> None:
    """Work until killed."""
    configure("freezing")
    database = Database(url)
    broker = RabbitBroker(rabbit.URL, partial(database.read, queued_tokens), prefix)
    say("begins")
    await Freezing(database, broker, FreezingBus(), SystemClock(), RENT).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
