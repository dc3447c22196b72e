"""Pages of candles as the API answers them, kept in the process as long as they are true.

A page that ends before a trade which has already happened can never change: a token's trades have times that do not go
back. Any other page is true while the token's `seq` is the one it was read at. So nothing here needs to expire.
"""

import asyncio
import hashlib
from collections import OrderedDict
from functools import partial
from typing import Any, Final, NamedTuple

import orjson

from engine.indicators.candles import Interval
from engine.persistence import candles
from engine.persistence.database import Database

KEPT_BYTES: Final = 16 * 1024 * 1024


class CandleAnswer(NamedTuple):
    """The body of an answer, its entity tag, and whether it will be the same for ever."""

    body: bytes
    tag: str
    closed: bool


class _Key(NamedTuple):
    token: str
    interval: Interval
    limit: int
    until_ms: int | None
    seq: int | None
    """None for a page that is closed."""


class CandlePages:
    """The pages of one process; each is read by one query at a time, however many ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[_Key, CandleAnswer] = OrderedDict()
        self._newest: dict[tuple[str, Interval, int, int | None], _Key] = {}
        self._kept_bytes = 0
        self._reading: dict[_Key, asyncio.Task[CandleAnswer]] = {}

    async def page(
        self, token: dict[str, Any], interval: Interval, limit: int, before_ms: int | None = None
    ) -> CandleAnswer:
        """The newest candles of the token that begin before that moment; `token` is it as it is known now."""
        until_ms = None if before_ms is None else candles.end_of(interval, before_ms)
        closed = until_ms is not None and (token["last_trade_at_ms"] or 0) >= until_ms
        key = _Key(token["address"], interval, limit, until_ms, None if closed else token["seq"])
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        task = self._reading.get(key)
        if task is None:
            task = asyncio.create_task(self._read(key), name="candle-page")
            self._reading[key] = task
            task.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(task)

    async def _read(self, key: _Key) -> CandleAnswer:
        read = partial(candles.page, address=key.token, interval=key.interval, limit=key.limit, before_ms=key.until_ms)
        page = await self._database.read(read)
        said = [candles.candle_json(candle) for candle in page.candles]
        body = orjson.dumps({"candles": said, "next_before_ms": page.before_ms})
        answer = CandleAnswer(body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', key.seq is None)
        self._keep(key, answer)
        return answer

    def _keep(self, key: _Key, answer: CandleAnswer) -> None:
        outdated = self._newest.get(key[:4])
        if outdated is not None:
            self._drop(outdated)
        self._kept[key] = answer
        self._newest[key[:4]] = key
        self._kept_bytes += len(answer.body)
        while self._kept_bytes > KEPT_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: _Key) -> None:
        self._kept_bytes -= len(self._kept.pop(key).body)
        del self._newest[key[:4]]
