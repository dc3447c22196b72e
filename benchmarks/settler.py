"""`python -m benchmarks.settler DATABASE_URL NAME`: the settlement worker on any database, with no broker beside it."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

import uvloop

from engine import settings
from engine.bootstrap import open_services
from workers import settle


async def _run(database_url: str, name: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_services(replace(settings.load(), database_url=database_url)) as services:
        logging.getLogger(__name__).info("started")
        await settle.run(services, stop, name)


def main(arguments: Sequence[str]) -> int:
    """Settle until SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    for chatty in ("httpx", "httpx2", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    uvloop.run(_run(*arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
