"""What every service of this package does around its work: open the services, say what is wrong, stop when asked."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop

from engine import logs
from engine import settings as settings_module
from engine.bootstrap import open_services
from engine.errors import Unavailable
from engine.services import Services
from engine.settings import InvalidSettings, Settings

log = logging.getLogger(__name__)

WRONG_SETTINGS: Final = 2
NO_SERVER: Final = 1

Work = Callable[[Services, asyncio.Event], Awaitable[None]]
WorkAlone = Callable[[Settings, asyncio.Event], Awaitable[None]]


def serve(name: str, work: Work, check: Callable[[Settings], None]) -> int:
    """Run `work` until SIGTERM or SIGINT sets its event; returns the exit code.

    `check` raises `InvalidSettings` for settings under which the service makes no sense.
    """

    async def with_services(settings: Settings, stop: asyncio.Event) -> None:
        async with open_services(settings) as services:
            log.info("started")
            await work(services, stop)

    return serve_alone(name, with_services, check)


def serve_alone(name: str, work: WorkAlone, check: Callable[[Settings], None]) -> int:
    """The same for a service that opens by itself the few things it needs."""
    logs.configure(name)
    try:
        settings = settings_module.load()
        check(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings, work))
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_SETTINGS
    except Unavailable as error:  # whoever keeps services running starts this one again
        sys.stderr.write(f"{error.detail}\n")
        return NO_SERVER
    return 0


def refuse_embedded(settings: Settings) -> None:
    """The check of a service that the app itself runs in embedded mode: twice would be once too often."""
    if settings.embedded:
        raise InvalidSettings(
            "BLITZ_BROKER_URL is 'sqlite': then the app runs every worker in its own process. "
            "Set it to an amqp:// address to run workers beside the app."
        )


async def _run(settings: Settings, work: WorkAlone) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(settings, stop)
    log.info("stopped")
