"""A process for the broker's crash tests: opens a broker, publishes or consumes, says each step, and waits to die.

python -m tests.contract.broker_child MODULE:OPENER WHERE publish|consume
"""

import asyncio
import importlib
import sys

from engine.ports import Broker
from tests.contract.broker_contract import ONE, Opener


async def publish(broker: Broker) -> None:
    """Print each number once the broker has accepted it; without end."""
    await broker.declare(ONE)
    number = 0
    while True:
        await broker.publish(ONE, b"%d" % number)
        say(number)
        number += 1


async def consume(broker: Broker) -> None:
    """Take nine messages, acknowledge the first five, print all nine, and wait."""
    consumer = await broker.consume()
    for count, acknowledge in ((5, True), (4, False)):
        taken = []
        while len(taken) < count:
            taken += await consumer.next_batch(count - len(taken))
        if acknowledge:
            await consumer.ack(taken)
        for delivery in taken:
            say(int(delivery.body))
    await asyncio.Event().wait()


def say(number: int) -> None:
    """Tell the parent."""
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


async def main(opener_name: str, where: str, role: str) -> None:
    """Run one role."""
    module, _, name = opener_name.partition(":")
    opener: Opener = getattr(importlib.import_module(module), name)
    async with opener(where) as broker:
        await {"publish": publish, "consume": consume}[role](broker)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
