"""The indicators worker: measures what changes with time and not only with trades, ranks tokens, tallies trades."""

import argparse
import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from engine.persistence import reports, tallies
from engine.persistence.database import Connection, DatabaseError
from engine.services import Services
from workers.meter import Meter
from workers.service import refuse_embedded, serve

log = logging.getLogger(__name__)

REFRESH_S: Final = 2.0
REST: Final = 4
"""After measuring so many times as long a rest: many millions of trades a day cost freshness, not a core."""


def main(arguments: Sequence[str]) -> int:
    """Keep the figures current as a process of its own; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers indicators", description="Keep rolling figures current.")
    parser.add_argument(
        "--count-anew", action="store_true", help="forget the tallies of trades and count from the first"
    )
    if parser.parse_args(arguments).count_anew:
        return serve("indicators", _count_anew, refuse_embedded)
    return serve("indicators", run, refuse_embedded)


async def run(services: Services, stop: asyncio.Event) -> None:
    """Keep figures and tallies until `stop` is set."""
    async with asyncio.TaskGroup() as group:
        for step in (_Measuring(), _tallies):
            group.create_task(_again(services, stop, step))


async def _again(
    services: Services, stop: asyncio.Event, step: Callable[[Services, asyncio.Event], Awaitable[None]]
) -> None:
    while not stop.is_set():
        try:
            await step(services, stop)
        except DatabaseError:
            log.exception("alert=database_error indicators wait for the database")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REFRESH_S)


class _Measuring:
    """The meter's step; after an error of the database a new one reads everything again."""

    def __init__(self) -> None:
        self._meter: Meter | None = None
        self._rests_until_s = 0.0

    async def __call__(self, services: Services, _: asyncio.Event) -> None:
        began_s = time.monotonic()
        if began_s < self._rests_until_s:
            return
        meter, self._meter = self._meter, None
        if meter is None:
            meter = Meter(services)
            await meter.start()
        await meter.refresh()
        self._meter = meter
        self._rests_until_s = time.monotonic() + REST * (time.monotonic() - began_s) - REFRESH_S


async def _tallies(services: Services, stop: asyncio.Event) -> None:
    """Count every trade that is there; others may write between two parts."""
    while not stop.is_set():
        if await services.database.write(partial(_count_some, services.clock.now_ms())) < tallies.AT_ONCE:
            return


def _count_some(now_ms: int, connection: Connection) -> int:
    """Count, and say when everything is counted."""
    counted = tallies.count_trades(connection)
    if counted < tallies.AT_ONCE:
        reports.store(connection, tallies.COUNTED_REPORT, b"{}", now_ms)
    return counted


async def _count_anew(services: Services, stop: asyncio.Event) -> None:
    await services.database.write(tallies.forget_tallies)
    await run(services, stop)
