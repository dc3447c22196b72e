"""The stream service: the hub in a process of its own, for as many sockets as one core can feed.

Asked to stop, it takes no new sockets, tells every client when to come back, spread over a while, and closes them one
after another, so that the process that replaces it is not met by all of them at once.
"""

import argparse
import asyncio
import ipaddress
import logging
import resource
from collections.abc import Sequence
from functools import partial
from typing import Final

from engine.accounts.tickets import redeem
from engine.errors import Unavailable
from engine.live import DatabaseSource, Hub, Limits
from engine.live.origins import allowed_origins
from engine.services import Services
from engine.settings import Settings
from workers.market_server import MarketServer
from workers.service import serve

log = logging.getLogger(__name__)

FRAMES_PER_S: Final = 10
"""Twice what the app's own route sends: nothing else runs here."""

DRAIN_S: Final = 30.0
METRICS_EVERY_S: Final = 10.0


def main(arguments: Sequence[str]) -> int:
    """Serve market sockets until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers stream", description="Serve /ws/market.")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8700, help="default: %(default)s")
    parser.add_argument("--frames-per-s", type=int, default=FRAMES_PER_S, help="default: %(default)s")
    parser.add_argument("--drain-s", type=float, default=DRAIN_S, help="how long stopping takes (default: %(default)s)")
    options = parser.parse_args(arguments)

    async def work(services: Services, stop: asyncio.Event) -> None:
        await run(services, stop, options.host, options.port, options.frames_per_s, options.drain_s)

    return serve("stream", work, _any_settings)


async def run(services: Services, stop: asyncio.Event, host: str, port: int, frames_per_s: int, drain_s: float) -> None:
    """Serve until `stop` is set, then drain.

    Raises:
        Unavailable: the port is taken.
    """
    _allow_many_files()
    settings = services.settings
    limits = Limits(sockets_per_address=settings.sockets_per_address)
    source, tickets = DatabaseSource(services.database), partial(redeem, services.cache)
    hub = Hub(source, services.bus, services.clock, frames_per_s, limits, tickets)
    await hub.start()
    trusted = [ipaddress.ip_network(each) for each in settings.trusted_proxies.split(",") if each]
    server = MarketServer(hub, allowed_origins(settings.public_url), trusted)
    try:
        opened = await server.open(host, port)
    except OSError as error:
        await hub.close()
        raise Unavailable(f"Port {port} of {host} cannot be listened on: {error}") from error
    log.info("serving market sockets on ws://%s:%d/ws/market", host, opened)
    metrics = asyncio.create_task(_log_metrics(hub))
    await stop.wait()
    metrics.cancel()
    server.stop_listening()
    log.info("draining %d sockets over %.0f s", hub.connections, drain_s)
    await hub.drain(drain_s)
    await hub.close()
    await server.close()


async def _log_metrics(hub: Hub) -> None:
    while True:
        await asyncio.sleep(METRICS_EVERY_S)
        log.info("metrics sockets=%d lag_ms=%.0f", hub.connections, hub.lag_ms)


def _allow_many_files() -> None:
    """As many open sockets as this process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _any_settings(_: Settings) -> None:
    """It makes sense beside any app that shares its bus and database."""
