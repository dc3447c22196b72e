"""The indicators worker: keeps the figures current that change with time and not only with trades."""

import argparse
import asyncio
import contextlib
import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

from engine.persistence.database import DatabaseError
from engine.persistence.indicators import refresh_volumes
from engine.services import Services
from engine.trading import events
from workers.service import refuse_embedded, serve

log = logging.getLogger(__name__)

REFRESH_S: Final = 2.0


def main(arguments: Sequence[str]) -> int:
    """Keep the figures current as a process of its own; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers indicators", description="Keep rolling figures current.")
    parser.parse_args(arguments)
    return serve("indicators", run, refuse_embedded)


async def run(services: Services, stop: asyncio.Event) -> None:
    """Recompute until `stop` is set."""
    while not stop.is_set():
        try:
            changed = await services.database.write(partial(refresh_volumes, services.clock.now_ms()))
        except DatabaseError:
            log.exception("alert=database_error indicators wait for the database")
        else:
            for token, volume_lamports in changed.items():
                services.bus.publish(events.indicators(token, volume_lamports))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REFRESH_S)
