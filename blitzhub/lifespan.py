"""What lives as long as the app: the engine's services, the hub and, in embedded mode, the workers' loops."""

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final, NoReturn, Protocol

import fastapi

from blitzhub import services
from blitzhub.api.market_socket import open_hub
from blitzhub.embedded import LOOPS, run_workers
from engine import bootstrap, metrics, self_check, settings
from engine.bootstrap import open_services
from engine.errors import Unavailable
from engine.operators.room import EngineRoom
from engine.operators.vitals import alive
from engine.services import Services
from engine.settings import InvalidSettings, Settings
from engine.watching import watched

_log = logging.getLogger(__name__)

WRONG_SETTINGS: Final = 2
NO_SERVER: Final = 1


class Lifespan(Protocol):
    """Something that runs beside the app."""

    def __call__(self) -> AbstractAsyncContextManager[None]: ...


def lifespan_of(api: fastapi.FastAPI, *others: Lifespan) -> Lifespan:
    """The app's lifespan: services first, then the hub and `others`, then the workers; ended in reverse order."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            loaded = settings.load()
            await _watched(stack, loaded)
            opened = await _opened(stack, loaded)
            await _say(loaded)
            services.use(opened)
            stack.callback(services.use, None)
            api.state.services = opened
            await stack.enter_async_context(open_hub(opened))
            for other in others:
                await stack.enter_async_context(other())
            room = api.state.engine_room = EngineRoom(opened)
            await stack.enter_async_context(room.open())
            runs = ["web"]
            if opened.settings.embedded:
                await stack.enter_async_context(run_workers(opened))
                runs += LOOPS
            await stack.enter_async_context(alive(opened, runs))
            yield

    return lifespan


async def _say(loaded: Settings) -> None:
    """What is configured and whether it answers: a table at a terminal, a line of the log in production."""
    answers = await bootstrap.check(loaded)
    if loaded.logs_json:
        told = {each.part.name: each.words for each in answers}
        _log.info("self-check", extra={"parts": told, "settings": self_check.configured(loaded)})
    else:
        sys.stdout.write(f"{self_check.table(answers, loaded)}\n")
        sys.stdout.flush()


async def _watched(stack: AsyncExitStack, loaded: Settings) -> None:
    metrics.expose(metrics.WEB)
    try:
        await stack.enter_async_context(watched(loaded, "app"))
    except Unavailable as error:
        _give_up(error.detail, NO_SERVER)


async def _opened(stack: AsyncExitStack, loaded: Settings) -> Services:
    """The services; a process that cannot have them says why in a sentence and ends."""
    try:
        return await stack.enter_async_context(open_services(loaded))
    except InvalidSettings as error:
        _give_up(str(error), WRONG_SETTINGS)
    except Unavailable as error:  # whoever keeps the process running starts it again
        _give_up(error.detail, NO_SERVER)


def _give_up(why: str, status: int) -> NoReturn:
    """End here: the framework and the server would wrap the sentence in a traceback and choose the status."""
    sys.stderr.write(f"{why}\n")
    sys.stderr.flush()
    os._exit(status)
