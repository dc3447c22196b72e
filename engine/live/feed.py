"""A feed: what a hub knows of a token, the board or an account, and what has changed since its last frame. Pure.

It starts from a snapshot and applies events. `flush` hands out everything that happened since the last flush, for each
topic the part it wants, so that price, last candle and top of the tape always change together.
"""

from enum import Enum, auto
from typing import Any, Final, Protocol

from engine.indicators.candles import Candle, Interval
from engine.live.protocol import Kind, Topic
from engine.persistence.candles import candle_json

TRADES_PER_FRAME: Final = 100
"""Trades one frame of the tape carries; of more, the newest, and `omitted` counts the rest."""

LAST_TRADES: Final = 10
"""Trades that come with the `token` topic."""

TOKEN_CANDLE: Final = Interval.M1
"""The candle that comes with the `token` topic."""

Event = dict[str, Any]
Data = dict[str, Any]


class Applied(Enum):
    """What an event meant."""

    NOTHING = auto()
    CHANGED = auto()
    RELOAD = auto()


class Feed(Protocol):
    """What every feed can do."""

    @property
    def seq(self) -> int:
        """The last `seq` applied."""
        ...

    def apply(self, event: Event) -> Applied:
        """Take in one event."""
        ...

    def flush(self) -> "Update | None":
        """What happened since the last flush, None for nothing."""
        ...

    def snapshot(self, topic: Topic) -> Data:
        """Everything, for a new subscriber; only when nothing waits to be flushed."""
        ...

    def missed(self, topic: Topic, after_seq: int) -> Data | None:
        """What came after that `seq`, as a delta; None when not all of it is known any more."""
        ...


class Update:
    """What one flush hands out: `data` by topic, and the range of `seq` it covers."""

    __slots__ = ("_candles", "_fields", "_trades", "from_seq", "seq")

    def __init__(
        self, from_seq: int, seq: int, fields: Data, trades: list[Event], candles: dict[Interval, dict[int, Candle]]
    ) -> None:
        self.from_seq = from_seq
        self.seq = seq
        self._fields = fields
        self._trades = trades
        self._candles = candles

    def data(self, topic: Topic) -> Data | None:
        """The topic's part, None when nothing in it changed."""
        if topic.kind in (Kind.BOARD, Kind.ACCOUNT):
            return self._fields
        if topic.kind is Kind.TOKEN:
            return self._token_data()
        if not self._trades:
            return None
        if topic.kind is Kind.TRADES:
            newest = self._trades[-TRADES_PER_FRAME:][::-1]
            return {"trades": newest, "omitted": len(self._trades) - len(newest)}
        assert topic.interval is not None
        return {"candles": [candle_json(candle) for candle in self._candles[topic.interval].values()]}

    def _token_data(self) -> Data:
        if not self._trades:
            return self._fields
        (*_, candle) = self._candles[TOKEN_CANDLE].values()
        return {**self._fields, "trades": self._trades[-LAST_TRADES:][::-1], "candle": candle_json(candle)}
