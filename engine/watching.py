"""The door for whoever watches a process: `GET /metrics` at a port of its own, by default of this machine only.

It is no route of the app and not behind the proxy: what it says is not for visitors. It answers on the event loop, so
a loop that hangs is a process that does not answer.
"""

import asyncio
import contextlib
import platform
import tomllib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from engine import metrics
from engine.errors import Unavailable
from engine.settings import Settings

BEAT_S: Final = 0.25
WINDOW_S: Final = 15.0
PROJECT: Final = Path(__file__).parents[1] / "pyproject.toml"


class PortTaken(Unavailable):
    """Somebody else answers at the port for the metrics."""

    code = "port_taken"


@cache
def version() -> str:
    """This release's version."""
    found: str = tomllib.loads(PROJECT.read_text())["project"]["version"]
    return found


@asynccontextmanager
async def watched(settings: Settings, service: str) -> AsyncIterator[None]:
    """Let the process be watched while the block runs; without a port only the lag is measured.

    Raises:
        PortTaken: the port of the settings cannot be had.
    """
    metrics.expose(metrics.PROCESS)
    metrics.build.info(
        {
            "version": version(),
            "python": platform.python_version(),
            "service": service,
            "backend": settings.backend,
        }
    )
    lag = _Lag()
    metrics.event_loop_lag.by(lag.worst_s)
    beating = asyncio.create_task(lag.follow(), name="event-loop-lag")
    try:
        if settings.metrics_port:
            async with _listening(settings.metrics_host, settings.metrics_port):
                yield
        else:
            yield
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating


class _Lag:
    """How late the event loop comes back to who sleeps."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    async def follow(self) -> None:
        """Measure, for ever."""
        now_s = asyncio.get_running_loop().time
        while True:
            due_s = now_s() + BEAT_S
            await asyncio.sleep(BEAT_S)
            at_s = now_s()
            self._seen.append((at_s, max(0.0, at_s - due_s)))
            while self._seen[0][0] < at_s - WINDOW_S:
                self._seen.popleft()

    def worst_s(self) -> float:
        """The latest of the window, in seconds."""
        return max((lag_s for _, lag_s in self._seen), default=0.0)


@asynccontextmanager
async def _listening(host: str, port: int) -> AsyncIterator[None]:
    app = web.Application()
    app.add_routes([web.get("/metrics", _answer)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise PortTaken(f"BLITZ_METRICS_PORT: port {port} of {host} cannot be listened on: {error}") from error
        yield
    finally:
        await runner.cleanup()


async def _answer(_: web.Request) -> web.Response:
    return web.Response(body=await metrics.answer(), headers={"Content-Type": CONTENT_TYPE_LATEST})
