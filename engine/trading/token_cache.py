"""One token as the API says it, without a query: its row kept in the cache, its figures written through by trades.

Three keys. `token:{address}` holds the whole answer as it was read; `metrics:{address}` the figures of the newest
batch that traded the token, `metrics:{address}:measured` the newest indicators, put there by whoever publishes them. An
answer is the first with what is newer in the others, so it is current although it is old. All live 30 s; after 10 s
one reader at a time reads the row anew while everybody else is answered from the old one.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import orjson

from engine import metrics
from engine.persistence import market
from engine.persistence.database import Database
from engine.ports import Bus, BusMessage, Cache, Clock, Subscription
from engine.trading.events import BOARD
from engine.trading.prices import Stage

log = logging.getLogger(__name__)

TTL_MS: Final = 30_000
SOFT_TTL_MS: Final = 10_000

_CACHED_STAGES: Final = {Stage.CURVE.value, *market.GRADUATED}
"""A launch changes at any moment and no trade writes its figures through: it is always read."""

_NOT_FIGURES: Final = {"type", "token"}


def metrics_key(address: str) -> str:
    """Where the token's newest figures are kept: a `headline` event."""
    return f"metrics:{address}"


def measured_key(address: str) -> str:
    """Where the token's newest indicators are kept: an `indicators` event."""
    return f"metrics:{address}:measured"


def token_key(address: str) -> str:
    """Where the token's whole answer is kept, with the moment it was read."""
    return f"token:{address}"


class WriteThroughBus:
    """A bus that also keeps the figures it publishes, before anybody can hear of them; to be used like the bus."""

    def __init__(self, bus: Bus, cache: Cache) -> None:
        self._bus = bus
        self._cache = cache

    def publish(self, messages: Sequence[BusMessage]) -> None:
        """See `Bus.publish`. A changed stage (paused, graduated) drops the kept answer."""
        for message in messages:
            if message.channel == BOARD and message.payload.startswith(b'{"type":"headline"'):
                address = orjson.loads(message.payload)["token"]
                self._cache.put(metrics_key(address), message.payload, TTL_MS)
            elif message.channel == BOARD and message.payload.startswith(b'{"type":"indicators"'):
                address = orjson.loads(message.payload)["token"]
                self._cache.put(measured_key(address), message.payload, TTL_MS)
            elif message.payload.startswith(b'{"type":"stage"'):
                self._cache.put(token_key(message.channel.partition(":")[2]), b"", TTL_MS)
        self._bus.publish(messages)

    async def subscribe(self, *channels: str) -> Subscription:
        """See `Bus.subscribe`."""
        return await self._bus.subscribe(*channels)

    async def check(self) -> None:
        """See `Bus.check`."""
        await self._bus.check()

    async def close(self) -> None:
        """See `Bus.close`."""
        await self._bus.close()


class TokenCache:
    """Answers about tokens for one process; never more than one read of a token at a time."""

    def __init__(self, database: Database, cache: Cache, clock: Clock) -> None:
        self._database = database
        self._cache = cache
        self._clock = clock
        self._reading: dict[str, asyncio.Task[dict[str, Any] | None]] = {}

    async def token(self, address: str) -> dict[str, Any] | None:
        """The token as `market.token` says it, or None. No query while it is known and younger than 30 s."""
        keys = token_key(address), metrics_key(address), measured_key(address)
        kept, newest, measured = await asyncio.gather(*map(self._cache.get, keys))
        metrics.cache_requests.labels("hit" if kept else "miss").inc()
        if not kept:
            token = await asyncio.shield(self._read_once(address))
            return None if token is None else _with_newer(token, newest, measured)
        read_at_ms, token = orjson.loads(kept)
        if self._clock.now_ms() - read_at_ms >= SOFT_TTL_MS:
            self._read_once(address)
        return _with_newer(token, newest, measured)

    def _read_once(self, address: str) -> "asyncio.Task[dict[str, Any] | None]":
        """The read that is under way, or a new one."""
        task = self._reading.get(address)
        if task is None:
            task = asyncio.create_task(self._read(address), name="token-cache")
            task.add_done_callback(partial(self._finished, address))
            self._reading[address] = task
        return task

    def _finished(self, address: str, task: "asyncio.Task[dict[str, Any] | None]") -> None:
        self._reading.pop(address, None)
        if not task.cancelled() and task.exception() is not None:
            log.warning("a token could not be read: %r", task.exception())

    async def _read(self, address: str) -> dict[str, Any] | None:
        at_ms = self._clock.now_ms()
        token = await self._database.read(partial(market.token, address=address))
        if token is not None and token["stage"] in _CACHED_STAGES:
            await self._cache.set(token_key(address), orjson.dumps([at_ms, token]), TTL_MS)
        return token


def _with_newer(token: dict[str, Any], newest: bytes | None, measured: bytes | None) -> dict[str, Any]:
    newer = dict(token)
    for kept, number in ((newest, "seq"), (measured, "measured_at_ms")):
        figures = orjson.loads(kept) if kept else None
        if figures is not None and figures[number] > token[number]:
            newer |= {name: value for name, value in figures.items() if name not in _NOT_FIGURES}
    return newer
