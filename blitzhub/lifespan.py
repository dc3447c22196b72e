"""What lives as long as the app: the engine's services, the hub and, in embedded mode, the workers' loops."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

import fastapi

from blitzhub import services
from blitzhub.api.market_socket import open_hub
from blitzhub.embedded import run_workers
from engine import settings
from engine.bootstrap import open_services


class Lifespan(Protocol):
    """Something that runs beside the app."""

    def __call__(self) -> AbstractAsyncContextManager[None]: ...


def lifespan_of(api: fastapi.FastAPI, *others: Lifespan) -> Lifespan:
    """The app's lifespan: services first, then the hub and `others`, then the workers; ended in reverse order."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(open_services(settings.load()))
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
