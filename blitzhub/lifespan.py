"""What lives as long as the app: the engine's services, the hub and, in embedded mode, the workers' loops."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final, NoReturn, Protocol

import fastapi

from blitzhub import services
from blitzhub.api.market_socket import open_hub
from blitzhub.embedded import run_workers
from engine import settings
from engine.bootstrap import open_services
from engine.errors import Unavailable
from engine.services import Services
from engine.settings import InvalidSettings, Settings

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
            opened = await _opened(stack, settings.load())
            services.use(opened)
            stack.callback(services.use, None)
            api.state.services = opened
            await stack.enter_async_context(open_hub(opened))
            for other in others:
                await stack.enter_async_context(other())
            if opened.settings.embedded:
                await stack.enter_async_context(run_workers(opened))
            yield

    return lifespan


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
