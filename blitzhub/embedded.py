"""Embedded mode: the app runs the workers' loops itself, because the broker lives in its process.

The one place where the app imports the workers. A loop that ends by itself is a bug: the process stops, loudly.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from engine.services import Services
from workers import indicators, reconcile, settle, trade

log = logging.getLogger(__name__)

SHUTDOWN_S: Final = 20
LOOPS: Final = ("trade", "settle", "indicators", "reconcile")


@asynccontextmanager
async def run_workers(services: Services) -> AsyncIterator[None]:
    """Run every worker loop while the block runs; at its end each finishes what it has under way."""
    stop = asyncio.Event()
    loops = {
        "trade": trade.run(services, stop),
        "settle": settle.run(services, stop),
        "indicators": indicators.run(services, stop),
        "reconcile": reconcile.run(services, stop),
    }
    tasks = [asyncio.create_task(_guarded(name, loop, stop), name=name) for name, loop in loops.items()]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), SHUTDOWN_S)


async def _guarded(name: str, loop: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    try:
        await loop
    except Exception:
        log.critical("alert=worker_died the %s worker ended with a bug; the process stops", name, exc_info=True)
    if not stop.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
