"""What lives as long as the app: the engine's services and, in embedded mode, the workers' loops."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import fastapi

from blitzhub import services
from blitzhub.api.market_socket import open_hub
from blitzhub.embedded import run_workers
from engine import settings
from engine.bootstrap import open_services


def lifespan_of(api: fastapi.FastAPI):
    """The app's lifespan, for `App.register_lifespan_task`; the API finds the services in its state."""

    @asynccontextmanager
    async def run() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(open_services(settings.load()))
            services.use(opened)
            stack.callback(services.use, None)
            api.state.services = opened
            await stack.enter_async_context(open_hub(opened))
            if opened.settings.embedded:
                await stack.enter_async_context(run_workers(opened))
            yield

    return run
