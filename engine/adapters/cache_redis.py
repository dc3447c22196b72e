"""Short-lived values in Redis. A Redis that is away costs one short wait a second, and every value is unknown."""

import logging
from time import monotonic
from typing import Final

from redis.asyncio import Redis

from engine.adapters.side_queue import BROKEN, Command, SideQueue

log = logging.getLogger(__name__)

PAUSE_S: Final = 1.0
"""How long a cache that failed is not asked again."""


class RedisCache:
    """`engine.ports.Cache` over Redis; see the module's line."""

    def __init__(self, redis: "Redis", queue: SideQueue, prefix: str) -> None:
        self._redis = redis
        self._queue = queue
        self._prefix = prefix
        self._resume_s = 0.0

    async def get(self, key: str) -> bytes | None:
        """The value, or None when unknown, expired or out of reach."""
        return await self._ask("GET", key)

    async def take(self, key: str) -> bytes | None:
        """The value, which is then unknown; None when it was, or Redis is out of reach."""
        return await self._ask("GETDEL", key)

    async def _ask(self, word: str, key: str) -> bytes | None:
        if monotonic() < self._resume_s:
            return None
        try:
            value: bytes | None = await self._redis.execute_command(word, self._prefix + key)  # type: ignore[no-untyped-call]
        except BROKEN as error:
            self._pause(error)
            return None
        return value

    async def set(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Remember the value for `ttl_ms`."""
        if monotonic() < self._resume_s:
            return
        try:
            await self._redis.set(self._prefix + key, value, px=ttl_ms)
        except BROKEN as error:
            self._pause(error)

    def put(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Remember the value soon, without waiting."""
        self._queue.put([Command(("SET", self._prefix + key, value, "PX", ttl_ms))])

    def _pause(self, error: Exception) -> None:
        self._resume_s = monotonic() + PAUSE_S
        log.warning("the cache is out of reach: %r", error)
