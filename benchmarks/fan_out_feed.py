"""Trades for the fan-out benchmark: the very events of the trade worker, evenly spread over tokens and time."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from sqlalchemy import Connection, select

from benchmarks.tape import Market
from engine.persistence.tables import TradeRow
from engine.persistence.trading import TOKENS
from engine.services import Services
from engine.trading import events
from engine.units import LAMPORTS_PER_SOL

PRICE: Final = 27_958_993_000
"""10^-15 SOL for a whole token, as a token has it that trades."""


class Feed:
    """Publishes one trade of each token in turn. `seq` is the last one that every token has."""

    def __init__(self, services: Services, rows: Sequence[Mapping[str, Any]], trader: str, trades_per_s: int) -> None:
        self._services = services
        self._rows = [dict(row) for row in rows]
        self._trader = trader
        self._pause_s = 1 / trades_per_s / len(rows)
        self.latest_s = 0.0
        self.seq = 0

    @classmethod
    async def of(cls, services: Services, market: Market, trades_per_s: int) -> Self:
        """A feed of all tokens of a market that is in the database."""

        def read(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(select(TOKENS)).mappings()]

        return cls(services, await services.database.read(read), market.accounts[0], trades_per_s)

    @property
    def tokens(self) -> list[str]:
        """The addresses."""
        return [row["address"] for row in self._rows]

    def forget(self) -> None:
        """Begin with the first trade again."""
        self.seq = 0

    async def trade(self, seconds: float) -> None:
        """Trade for so long, in whole rounds of all tokens, at an even pace."""
        rounds = max(1, round(seconds / (self._pause_s * len(self._rows))))
        due_s = time.monotonic()
        for _ in range(rounds):
            for row in self._rows:
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                self.latest_s = max(self.latest_s, time.monotonic() - due_s)
                self._services.bus.publish([self._event(row)])
                due_s += self._pause_s
            self.seq += 1

    def _event(self, row: dict[str, Any]) -> Any:
        seq, now_ms = self.seq + 1, time.time_ns() // 1_000_000
        row |= {"seq": seq, "price": PRICE + seq, "last_trade_at_ms": now_ms}
        trade = {name: field.default for name, field in TradeRow.model_fields.items() if not field.is_required()} | {
            "order_id": f"{seq:032d}",
            "token": row["address"],
            "seq": seq,
            "account_id": self._trader,
            "side": "buy",
            "lamports": LAMPORTS_PER_SOL + seq,
            "tokens": 2_300_716_596 + seq,
            "price": PRICE + seq,
            "executed_at_ms": now_ms,
        }
        return events.trade(trade, PRICE + seq - 1, row)
