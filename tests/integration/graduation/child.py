"""Trade and settlement workers in a process of their own that kills itself at named points of a graduation.

python -m tests.integration.graduation.child [POINT ...]    (services as the environment says)

A point is reached once: the process says its name, and then SIGKILL takes it in the middle of whatever it was doing.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvloop

from engine.bootstrap import open_services
from engine.persistence import settlements as settlement_rows
from engine.persistence import trading as trading_rows
from engine.ports import BusMessage
from engine.settings import load
from engine.settlement.sending import Sender
from engine.settlement.settlement import Kind
from engine.trading import graduation
from engine.trading.token_cache import WriteThroughBus
from workers import settle, trade

TRADE_POINTS: Final = ("decided", "written", "committed", "published", "acknowledged")
SETTLEMENT_POINTS: Final = ("signed", "stored", "sent", "marked", "graduated")


def around(owner: Any, name: str, before: Callable[..., None], after: Callable[..., None]) -> None:
    """Call `before` and `after` with the arguments of that method or function, whichever kind it is."""
    real = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        before(*arguments, **named)
        result = real(*arguments, **named)
        after(*arguments, **named)
        return result

    async def call_async(*arguments: Any, **named: Any) -> Any:
        before(*arguments, **named)
        result = await real(*arguments, **named)
        after(*arguments, **named)
        return result

    setattr(owner, name, call_async if asyncio.iscoroutinefunction(real) else call)


class Killer:
    """Knows where to die."""

    def __init__(self, points: Sequence[str]) -> None:
        self._points = points
        self._opened = False

    def at(self, point: str, reached: Callable[..., bool]) -> Callable[..., None]:
        """A hook that kills the process the first time `reached` says so."""

        def hook(*arguments: Any, **named: Any) -> None:
            if point in self._points and reached(*arguments, **named):
                os.write(1, f"{point}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)

        return hook

    def publishes(self, stage: str) -> Callable[..., bool]:
        """Whether a bus is told of that stage."""

        def reached(_: Any, messages: Sequence[BusMessage]) -> bool:
            told = b'"stage":"%s"' % stage.encode()
            found = any(b'{"type":"stage"' in each.payload and told in each.payload for each in messages)
            self._opened |= found and stage == "graduating"
            return found

        return reached

    def pool_has_opened(self, *_: Any) -> bool:
        """Whether this process committed the batch that opened the pool."""
        return self._opened


def opens_pool(_: Any, changes: Any) -> bool:
    """Whether these changes have a graduation among them."""
    return any(row["kind"] == "graduation" for row in changes.settlements)


def marks(_: Any, signed: Any, **__: Any) -> bool:
    """Whether a graduation's memo is among these settlements."""
    return any(settlement.kind is Kind.GRADUATION for settlement in signed)


def carries_mark(_: Any, flights: Any) -> bool:
    """Likewise, on their way."""
    return any(flight.settlement.kind is Kind.GRADUATION for flight in flights)


def always(*_: Any) -> bool:
    """Every time."""
    return True


def prepare(killer: Killer) -> None:
    """Put the points into the workers' path, in its order."""
    around(
        trading_rows, "write", killer.at("decided", opens_pool), killer.at("written", opens_pool)
    )  # both inside the transaction
    around(settlement_rows, "store_signed", killer.at("signed", marks), lambda *_, **__: None)
    around(Sender, "send", killer.at("stored", carries_mark), killer.at("sent", carries_mark))
    around(graduation, "confirmed", lambda *_, **__: None, killer.at("marked", always))
    opens = killer.publishes("graduating")  # asked every time: what is acknowledged next depends on it
    committed = killer.at("committed", opens)
    graduated = killer.at("graduated", killer.publishes("graduated"))

    def before_publishing(*arguments: Any) -> None:
        opens(*arguments)
        committed(*arguments)
        graduated(*arguments)

    published = killer.at("published", opens)
    around(WriteThroughBus, "publish", before_publishing, published)


def kill_after_acknowledgement(killer: Killer, broker: Any) -> None:
    """The consumer is known only once it exists."""
    consume = broker.consume

    async def consume_and_watch() -> Any:
        consumer = await consume()
        around(consumer, "ack", lambda *_: None, killer.at("acknowledged", killer.pool_has_opened))
        return consumer

    broker.consume = consume_and_watch


async def main(points: Sequence[str]) -> None:
    """Work until SIGTERM or until a point is reached."""
    killer, stop = Killer(points), asyncio.Event()
    prepare(killer)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_services(load()) as services:
        kill_after_acknowledgement(killer, services.broker)
        async with asyncio.TaskGroup() as group:
            group.create_task(trade.run(services, stop))
            group.create_task(settle.run(services, stop))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1:]))
