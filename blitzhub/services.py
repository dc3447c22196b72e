"""The one way from the web application to the engine: pages, push and routes ask here and nowhere else.

The lifespan opens the process's services and puts them here; everything below is a thin, typed question to them.
"""

from engine.ports import Subscription
from engine.services import Services
from engine.settings import Settings

_opened: list[Services] = []


def use(services: Services | None) -> None:
    """Set the process's services while the app runs; None when it stops."""
    _opened[:] = [services] if services is not None else []


def current() -> Services:
    """The process's services.

    Raises:
        RuntimeError: the app is not running.
    """
    if not _opened:
        raise RuntimeError("the services are opened by the app's lifespan, which is not running")
    return _opened[0]


def settings() -> Settings:
    """What the environment says."""
    return current().settings


async def subscribe(*channels: str) -> Subscription:
    """Receive live events of these bus channels."""
    return await current().bus.subscribe(*channels)
