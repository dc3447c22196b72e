"""What services and commands of this package do around their work: say what is wrong, stop when asked."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import uvloop

from engine import logs
from engine import settings as settings_module
from engine.bootstrap import open_services
from engine.errors import Refusal, Unavailable
from engine.operators.vitals import alive
from engine.services import Services
from engine.settings import InvalidSettings, Settings
from engine.watching import watched

log = logging.getLogger(__name__)

WRONG_SETTINGS: Final = 2
NO_SERVER: Final = 1
REFUSED: Final = 1

Work = Callable[[Services, asyncio.Event], Awaitable[None]]
WorkAlone = Callable[[Settings, asyncio.Event], Awaitable[None]]


def serve(name: str, work: Work, check: Callable[[Settings], None]) -> int:
    """Run `work` until SIGTERM or SIGINT sets its event; returns the exit code.

    `check` raises `InvalidSettings` for settings under which the service makes no sense.
    """

    async def with_services(settings: Settings, stop: asyncio.Event) -> None:
        async with open_services(settings) as services:
            log.info("started")
            async with alive(services, [name]):
                await work(services, stop)

    return serve_alone(name, with_services, check)


def serve_alone(name: str, work: WorkAlone, check: Callable[[Settings], None]) -> int:
    """The same for a service that opens by itself the few things it needs."""
    try:
        settings = settings_module.load()
        logs.configure(name, as_json=settings.logs_json)
        check(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(name, settings, work))
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_SETTINGS
    except Unavailable as error:  # whoever keeps services running starts this one again
        sys.stderr.write(f"{error.detail}\n")
        return NO_SERVER
    return 0


def command(work: Coroutine[Any, Any, int]) -> int:
    """Run an operator's command; returns its exit code. Wrong settings and a refusal are told."""
    try:
        return asyncio.run(work)
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_SETTINGS
    except Refusal as refusal:
        sys.stderr.write(f"{refusal.detail}\n")
        return REFUSED


def refuse_embedded(settings: Settings) -> None:
    """The check of a service that the app itself runs in embedded mode: twice would be once too often."""
    if settings.embedded:
        raise InvalidSettings(
            "BLITZ_BROKER_URL is 'sqlite': then the app runs every worker in its own process. "
            "Set it to an amqp:// address to run workers beside the app."
        )


async def _run(name: str, settings: Settings, work: WorkAlone) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with watched(settings, name):
        await work(settings, stop)
    log.info("stopped")
