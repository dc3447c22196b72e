"""What each process tells of itself every two seconds, on the bus: that it lives, what it runs and owns, its figures.

Nothing is written anywhere: who listens knows, and whoever goes silent is dead (`engine/operators/room.py`). The
figures are those of `engine/metrics.py`, so that the operators' page and Prometheus cannot say different things.
Latencies are kept here by the minute, for a day, as counts per bucket; a process that was started again knows them
since then.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from engine import metrics
from engine.metric_kinds import SECONDS
from engine.ports import BusMessage
from engine.services import Services
from engine.trading import counting, events
from engine.watching import version

log = logging.getLogger(__name__)

CHANNEL: Final = "vitals"
EVERY_S: Final = 2.0
MINUTE_MS: Final = 60_000
DAY_MINUTES: Final = 24 * 60
MOST_QUEUES: Final = 50
BUCKETS: Final = len(SECONDS) + 1

LATENCIES: Final[dict[str, metrics.Kept]] = {"fill": metrics.order_fill, "confirm": metrics.settlement_confirm}
"""From acceptance to fill, as trade workers see it, and from fill to confirmation, as settlement does."""


@asynccontextmanager
async def alive(services: Services, runs: Iterable[str]) -> AsyncIterator[None]:
    """Tell of this process while the block runs; `runs` are the services in it. In the end it says that it goes."""
    teller = _Teller(services, list(runs))
    telling = asyncio.create_task(teller.tell(), name="vitals")
    try:
        yield
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
        services.bus.publish([events.message(CHANNEL, {"name": teller.name, "gone": True})])


class _Teller:
    """One process's voice."""

    def __init__(self, services: Services, runs: list[str]) -> None:
        self._services = services
        self._runs = runs
        self.name = f"{runs[0]}@{socket.gethostname()}:{os.getpid()}"
        self._started_at_ms = services.clock.now_ms()
        self._statements = services.database.statements
        self._told_s = asyncio.get_running_loop().time()
        self._histories = {name: _History(collector) for name, collector in LATENCIES.items()}

    async def tell(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                self._services.bus.publish([self._vitals()])
            except Exception:  # a figure that cannot be read must not make a worker look dead
                log.exception("this process could not tell of itself")

    def _vitals(self) -> BusMessage:
        now_ms, now_s = self._services.clock.now_ms(), asyncio.get_running_loop().time()
        statements, before = self._services.database.statements, self._statements
        elapsed_s, self._statements, self._told_s = now_s - self._told_s, statements, now_s
        for history in self._histories.values():
            history.note(now_ms)
        vitals = {
            "name": self.name,
            "runs": self._runs,
            "backend": self._services.settings.backend,
            "version": version(),
            "started_at_ms": self._started_at_ms,
            "at_ms": now_ms,
            "statements_per_s": round((statements - before) / elapsed_s, 1),
            "owned_tokens": counting.owned(),
            "sockets": metrics.figure(metrics.market_sockets),
            "cache_hits": metrics.labelled(metrics.cache_requests, "hit"),
            "cache_misses": metrics.labelled(metrics.cache_requests, "miss"),
            "in_flight": metrics.figure(metrics.settlements_in_flight),
            "queues": [
                {"token": token, "orders": orders, "oldest_at_ms": oldest_at_ms}
                for token, orders, oldest_at_ms in counting.queues(MOST_QUEUES)
            ],
            "latencies": {name: history.told() for name, history in self._histories.items()},
        }
        return events.message(CHANNEL, vitals)


class _History:
    """A histogram's counts by the minute, for a day."""

    def __init__(self, collector: metrics.Kept) -> None:
        self._collector = collector
        self._minutes: deque[tuple[int, list[int]]] = deque(maxlen=DAY_MINUTES + 1)
        self._counts = [0] * BUCKETS

    def note(self, now_ms: int) -> None:
        """Read the counts, and keep them once a minute."""
        self._counts = metrics.bucket_counts(self._collector)
        if not self._minutes or now_ms - self._minutes[-1][0] >= MINUTE_MS:
            self._minutes.append((now_ms, self._counts))

    def told(self) -> dict[str, Any]:
        """Counts of the last one to two minutes and of the last day, and since when the day is known."""
        lately = self._minutes[-2] if len(self._minutes) > 1 else self._minutes[0]
        since_ms, first = self._minutes[0]
        return {
            "live": [now - then for now, then in zip(self._counts, lately[1], strict=True)],
            "day": [now - then for now, then in zip(self._counts, first, strict=True)],
            "since_ms": since_ms,
        }
