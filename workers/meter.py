"""The meter: measures, off the trade path, the figures that change with time and not only with trades.

It holds the last 24 hours of trades in memory (`engine.indicators.rolling`), asks every two seconds for what is new,
and writes the figures that changed. A handful of statements each time, however many tokens there are. Nothing in memory
matters: a new one reads the trades again and comes to the same figures.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from engine.indicators.rolling import DAY_MS, Measured, Tape
from engine.persistence import indicators, market, ranking
from engine.persistence.bulk import chunks
from engine.persistence.database import Connection
from engine.ports import BusMessage
from engine.services import Services
from engine.trading import events

LATE_MS: Final = 10_000
"""A commit that comes later than this after its `updated_at_ms` is found by the sweep or its token's next trade."""

SWEEP_MS: Final = 300_000
"""How often every token is looked at, and every share computed anew: what moves tokens is not always a trade."""

RANKED: Final = 200


class Meter:
    """What the worker knows: the trades, how far they are read, and the figures as they stand in the database."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tape = Tape()
        self._seqs: dict[str, int] = {}
        self._written: dict[str, tuple[int, ...]] = {}
        self._shares: dict[str, indicators.Shares] = {}
        self._trending: dict[str, list[str]] = {}
        self._looked_at_ms = self._swept_at_ms = 0

    async def start(self) -> None:
        """Read the trades of the last day, and of each token the price before them."""
        now_ms = self._services.clock.now_ms()
        await self._services.database.read(partial(self._read_all, now_ms - DAY_MS))
        self._looked_at_ms = now_ms

    async def refresh(self) -> None:
        """Take in what is new, measure, write and say what changed."""
        database, now_ms = self._services.database, self._services.clock.now_ms()
        await database.read(partial(self._read_new, now_ms))
        measured = await asyncio.to_thread(self._measure, now_ms)
        changed = self._changed(measured)
        for part in chunks(changed):
            await database.write(partial(indicators.write, rows=part, now_ms=now_ms))
            self._services.bus.publish(self._told(part, now_ms))
        if measured.trending != self._trending:
            await database.write(partial(ranking.store, trending=measured.trending, now_ms=now_ms))
            self._trending = measured.trending
            self._services.bus.publish([events.ranked()])

    def _measure(self, now_ms: int) -> Measured:
        self._tape.forget(now_ms)
        return self._tape.measure(now_ms, RANKED)

    def _read_all(self, since_ms: int, connection: Connection) -> None:
        standing = indicators.standing(connection)
        first: dict[str, int] = {}
        for part in indicators.tape_since(connection, since_ms):
            self._tape.add(part)
            for row in part:
                first[row["token"]] = min(row["seq"], first.get(row["token"], row["seq"]))
        self._tape.add(_last_trade(row) for row in standing if row["address"] not in first)
        self._read_before(connection, first)
        self._seqs = {row["address"]: row["seq"] for row in standing}
        self._written = {row["address"]: _figures(row) for row in standing}

    def _read_before(self, connection: Connection, first: dict[str, int]) -> None:
        """Of each token the trade before this one; a number that is no trade's makes it look one further back."""
        while first := {token: seq - 1 for token, seq in first.items() if seq > 1}:
            found = indicators.trades_at(connection, first.items())
            self._tape.add(found)
            for row in found:
                del first[row["token"]]

    def _read_new(self, now_ms: int, connection: Connection) -> None:
        sweeps = now_ms - self._swept_at_ms >= SWEEP_MS
        seqs = dict(market.changed_since(connection, 0 if sweeps else self._looked_at_ms - LATE_MS))
        moved = [token for token, seq in seqs.items() if seq > self._seqs.get(token, 0)]
        numbers = [(token, seq) for token in moved for seq in range(self._seqs.get(token, 0) + 1, seqs[token] + 1)]
        if numbers:
            self._tape.add(indicators.trades_at(connection, numbers))
        holding = [token for token, seq in seqs.items() if seq] if sweeps else moved
        if holding:
            nobody = dict.fromkeys(holding, indicators.Shares(0, 0))
            self._shares |= nobody | indicators.shares(connection, holding)
        self._seqs |= {token: seqs[token] for token in moved}
        self._looked_at_ms = now_ms
        self._swept_at_ms = now_ms if sweeps else self._swept_at_ms

    def _changed(self, measured: Measured) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for token, figures in measured.figures.items():
            row = {"address": token, **figures._asdict(), **self._shares.get(token, indicators.Shares(0, 0))._asdict()}
            if self._written.get(token) != _figures(row):
                rows.append(row)
        return rows

    def _told(self, rows: Iterable[dict[str, Any]], now_ms: int) -> list[BusMessage]:
        """The events of rows that are written now."""
        told: list[BusMessage] = []
        for row in rows:
            self._written[row["address"]] = _figures(row)
            told += events.indicators(row["address"], row | {"measured_at_ms": now_ms})
        return told


def _figures(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(row[name] for name in indicators.FIGURES)


def _last_trade(row: dict[str, Any]) -> dict[str, Any]:
    """The last trade of a token whose trades are all older than a day: what matters of it is in the token's row."""
    moment = {"seq": row["seq"], "executed_at_ms": row["last_trade_at_ms"], "price": row["price"]}
    return {"token": row["address"], "account_id": row["address"], "lamports": 0, **moment}
