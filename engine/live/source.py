"""Where the hub reads snapshots from."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from engine.indicators.candles import Candle, Interval
from engine.persistence import market
from engine.persistence.database import Connection, Database

TAPE_LENGTH: Final = 50
"""Trades in a snapshot of the tape."""

CANDLES_KEPT: Final = 3
"""Newest candles of each interval in a snapshot; a client gets older ones from the API."""

BOARD_COLUMN: Final = 100
"""Tokens per column of the board."""


@dataclass(frozen=True, slots=True)
class TokenSnapshot:
    """One token at one moment: its JSON, newest trades first, newest candles last."""

    token: dict[str, Any]
    trades: list[dict[str, Any]]
    candles: dict[Interval, list[Candle]]


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


class DatabaseSource:
    """Snapshots from the database, each read in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def token(self, address: str) -> TokenSnapshot | None:
        """See `MarketSource`."""

        def read(connection: Connection) -> TokenSnapshot | None:
            token = market.token(connection, address)
            if token is None:
                return None
            return TokenSnapshot(
                token,
                market.trades(connection, address, TAPE_LENGTH),
                {interval: market.candle_history(connection, address, interval, CANDLES_KEPT) for interval in Interval},
            )

        return await self._database.read(read)

    async def board(self) -> BoardSnapshot:
        """See `MarketSource`."""

        def read(connection: Connection) -> BoardSnapshot:
            return {column.value: market.tokens(connection, column, BOARD_COLUMN)[0] for column in market.Column}

        return await self._database.read(read)

    async def changed_since(self, at_ms: int) -> list[tuple[str, int]]:
        """See `MarketSource`."""
        return await self._database.read(lambda connection: market.changed_since(connection, at_ms))
