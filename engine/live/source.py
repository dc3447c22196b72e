"""Where the hub reads snapshots from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from engine.indicators.candles import Candle, Interval
from engine.persistence import accounts, candles, market, orders, ranking
from engine.persistence.database import Connection, Database
from engine.units import LOCKED_LAMPORTS

TAPE_LENGTH: Final = 50
"""Trades of the tape that a client without any is told of."""

TRADES_READ: Final = 200
"""Newest trades that a snapshot is made of: what who comes back may have missed, and candles shorter than a minute."""

CANDLES_KEPT: Final = 3
"""Newest candles of each interval in a snapshot; a client gets older ones from the API."""

ORDERS_SHOWN: Final = 50
"""Orders in a snapshot of an account."""

BOARD_COLUMN: Final = 100
"""Tokens per column of the board."""

TRENDING_COLUMN: Final = 50
"""Tokens in the ranking of each window."""


@dataclass(frozen=True, slots=True)
class TokenSnapshot:
    """One token at one moment: its JSON, newest trades first, newest candles last."""

    token: dict[str, Any]
    trades: list[dict[str, Any]]
    candles: dict[Interval, list[Candle]]


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """One account at one moment: its balances and its newest orders, newest first, as the API says them."""

    balances: dict[str, Any]
    orders: list[dict[str, Any]]


BoardSnapshot = dict[str, list[dict[str, Any]]]
"""Token JSONs by column name, each column in its order."""


class MarketSource(Protocol):
    """Truth for a hub that has just started, lost events, or is not sure."""

    async def token(self, address: str) -> TokenSnapshot | None:
        """One token now, None when there is none."""
        ...

    async def board(self) -> BoardSnapshot:
        """The board now."""
        ...

    async def changed_since(self, at_ms: int) -> list[tuple[str, int]]:
        """Addresses of tokens written since then and their `seq`."""
        ...

    async def account(self, account_id: str) -> AccountSnapshot:
        """One account now."""
        ...

    async def account_seqs(self, account_ids: Sequence[str]) -> dict[str, int]:
        """The accounts' last numbers."""
        ...


class DatabaseSource:
    """Snapshots from the database, each read in one transaction; a token in two statements."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def token(self, address: str) -> TokenSnapshot | None:
        """See `MarketSource`."""

        def read(connection: Connection) -> TokenSnapshot | None:
            found = market.newest(connection, address, TRADES_READ)
            if found is None:
                return None
            token, tape, rows = found
            whole = len(rows) < TRADES_READ
            newest = candles.newest(connection, address, rows, whole, CANDLES_KEPT)
            return TokenSnapshot(token, tape, newest)

        return await self._database.read(read)

    async def board(self) -> BoardSnapshot:
        """See `MarketSource`."""

        def read(connection: Connection) -> BoardSnapshot:
            columns = {column.value: market.tokens(connection, column, BOARD_COLUMN)[0] for column in market.Column}
            trending = ranking.trending(connection, TRENDING_COLUMN)
            return columns | {f"trending_{window}": tokens for window, tokens in trending.items()}

        return await self._database.read(read)

    async def changed_since(self, at_ms: int) -> list[tuple[str, int]]:
        """See `MarketSource`."""
        return await self._database.read(lambda connection: market.changed_since(connection, at_ms))

    async def account(self, account_id: str) -> AccountSnapshot:
        """See `MarketSource`."""

        def read(connection: Connection) -> AccountSnapshot:
            balances = accounts.balances_json(connection, account_id, LOCKED_LAMPORTS)
            return AccountSnapshot(balances, orders.orders_json(connection, account_id, ORDERS_SHOWN)[0])

        return await self._database.read(read)

    async def account_seqs(self, account_ids: Sequence[str]) -> dict[str, int]:
        """See `MarketSource`."""
        return await self._database.read(lambda connection: accounts.account_seqs(connection, account_ids))
