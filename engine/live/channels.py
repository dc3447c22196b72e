"""What a hub knows of one token or of the board, and what has changed since the last frame. Pure.

A feed starts from a snapshot and applies events. `flush` hands out everything that happened since the last flush, for
each topic the part it wants, so that price, last candle and top of the tape always change together.
"""

from collections import deque
from enum import Enum, auto
from itertools import islice
from typing import Any, Final, Protocol

from engine.indicators.candles import Candle, Interval, merge
from engine.live.protocol import Kind, Topic
from engine.live.source import CANDLES_KEPT, TAPE_LENGTH, BoardSnapshot, TokenSnapshot
from engine.persistence.market import GRADUATED, GRADUATING_PERCENT, candle_json

TRADES_PER_FRAME: Final = 100
"""Trades one frame of the tape carries; of more, the newest, and `omitted` counts the rest."""

TRADES_KEPT: Final = 500
"""Trades of a token that a client which comes back can be told of, if it missed no more."""

LAST_TRADES: Final = 10
"""Trades that come with the `token` topic."""

TOKEN_CANDLE: Final = Interval.M1
"""The candle that comes with the `token` topic."""

FIGURES: Final[tuple[str, ...]] = (
    "stage",
    "supply",
    "reserve_lamports",
    "market_cap_lamports",
    "liquidity_lamports",
    "volume_24h_lamports",
    "holders",
    "creator_fees_lamports",
    "pool_tokens",
)
HEADLINE: Final[tuple[str, ...]] = ("seq", "price", "last_trade_at_ms", *FIGURES)
SUMMARY: Final[tuple[str, ...]] = (
    "address",
    "name",
    "symbol",
    "image",
    "creator",
    "simulated",
    "paused",
    "created_at_ms",
    "graduated_at_ms",
    "curve_supply",
    "raise_lamports",
    "total_supply",
    *HEADLINE,
)
"""What the board says of a token."""

TRADE: Final = (
    "token",
    "seq",
    "side",
    "lamports",
    "tokens",
    "price",
    "price_before",
    "trader",
    "sim",
    "first_buy",
    "at_ms",
)

Event = dict[str, Any]
Data = dict[str, Any]


class Applied(Enum):
    """What an event meant."""

    NOTHING = auto()
    CHANGED = auto()
    RELOAD = auto()


class Feed(Protocol):
    """The common side of both feeds."""

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
        if topic.kind is Kind.BOARD:
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


class TokenFeed:
    """One token, for its `token`, `trades` and `candles` topics."""

    def __init__(self, snapshot: TokenSnapshot) -> None:
        self._token = dict(snapshot.token)
        self._tape = deque(({key: trade[key] for key in TRADE} for trade in snapshot.trades), maxlen=TRADES_KEPT)
        self._candles = {
            interval: deque(candles, maxlen=CANDLES_KEPT) for interval, candles in snapshot.candles.items()
        }
        self._flushed_seq = self.seq
        self._clear()

    @property
    def seq(self) -> int:
        """The last `seq` applied."""
        return int(self._token["seq"])

    def apply(self, event: Event) -> Applied:
        """Take in a `trade`, `stage` or `indicators` event; RELOAD when one before it was missed.

        A new stage means RELOAD as well: more of the token changes with it than events say.
        """
        kind, seq, stage = event.get("type"), event.get("seq", self.seq), self._token["stage"]
        if kind == "trade":
            if seq <= self.seq:
                return Applied.NOTHING
            if seq > self.seq + 1:
                return Applied.RELOAD
            self._trade(event)
        elif seq != self.seq:
            # A stage never replaces a trade: if it knows more than this feed, a trade was lost.
            return Applied.RELOAD if seq > self.seq else Applied.NOTHING
        else:
            self._set({key: event[key] for key in ("paused", *FIGURES) if key in event})
        return Applied.CHANGED if self._token["stage"] == stage else Applied.RELOAD

    def flush(self) -> Update | None:
        """What happened since the last flush, None for nothing."""
        if not self._fields:
            return None
        update = Update(self._flushed_seq + 1, self.seq, self._fields, self._new_trades, self._new_candles)
        self._flushed_seq = self.seq
        self._clear()
        return update

    def snapshot(self, topic: Topic) -> Data:
        """Everything the topic shows."""
        if topic.kind is Kind.TRADES:
            return {"trades": list(islice(self._tape, TAPE_LENGTH))}
        if topic.kind is Kind.CANDLES:
            assert topic.interval is not None
            return {"candles": [candle_json(candle) for candle in self._candles[topic.interval]]}
        running = self._candles[TOKEN_CANDLE]
        return {
            "token": self._token,
            "trades": list(islice(self._tape, LAST_TRADES)),
            "candle": candle_json(running[-1]) if running else None,
        }

    def missed(self, topic: Topic, after_seq: int) -> Data | None:
        """The trades after that `seq`, newest first. Candles that changed meanwhile are not known one by one."""
        count = self.seq - after_seq
        trades = list(islice(self._tape, max(count, 0)))
        if count < 0 or len(trades) < count or (count and topic.kind is Kind.CANDLES):
            return None
        if topic.kind is Kind.TRADES:
            return {"trades": trades, "omitted": 0}
        if topic.kind is Kind.CANDLES:
            return {"candles": []}
        if not count:
            return self._token
        running = self._candles[TOKEN_CANDLE]
        return {**self._token, "trades": trades[:LAST_TRADES], "candle": candle_json(running[-1])}

    def _trade(self, event: Event) -> None:
        trade = {key: event[key] for key in TRADE}
        self._tape.appendleft(trade)
        self._new_trades.append(trade)
        self._token["seq"] = event["seq"]
        figures = {key: event[key] for key in FIGURES if key in event}
        self._set({**figures, "price": event["price"], "last_trade_at_ms": event["at_ms"]})
        before, price, lamports = int(event["price_before"]), int(event["price"]), int(event["lamports"])
        for interval, candles in self._candles.items():
            running = candles[-1] if candles else None
            candle = merge(running, before, price, lamports, event["at_ms"], interval.ms)
            if running is not None and candle.bucket_ms == running.bucket_ms:
                candles[-1] = candle
            else:
                candles.append(candle)
            self._new_candles[interval][candle.bucket_ms] = candle

    def _set(self, fields: Data) -> None:
        self._token.update(fields)
        self._fields.update(fields)

    def _clear(self) -> None:
        self._fields: Data = {}
        self._new_trades: list[Event] = []
        self._new_candles: dict[Interval, dict[int, Candle]] = {interval: {} for interval in Interval}


class BoardFeed:
    """The board: summaries of the listed tokens and which column holds whom.

    Its `seq` counts this hub's own board frames. A delta says of each changed token its new fields, keyed by
    `address`, and the columns only when their members changed.
    """

    def __init__(self, snapshot: BoardSnapshot) -> None:
        self._frames = 1
        self._tokens: dict[str, Data] = {}
        self._columns: dict[str, list[str]] = {}
        self._dirty: dict[str, Data] = {}
        self._columns_changed = False
        self.replace(snapshot)
        self._dirty = {}
        self._columns_changed = False

    @property
    def seq(self) -> int:
        """The number of the last frame."""
        return self._frames

    def token_seq(self, address: str) -> int | None:
        """The `seq` of a listed token."""
        token = self._tokens.get(address)
        return None if token is None else int(token["seq"])

    def replace(self, snapshot: BoardSnapshot) -> None:
        """Take in the board as the database has it; what differs goes out with the next flush."""
        columns = {name: [token["address"] for token in tokens] for name, tokens in snapshot.items()}
        tokens = {
            token["address"]: {key: token[key] for key in SUMMARY} for listed in snapshot.values() for token in listed
        }
        for address, token in tokens.items():
            if self._tokens.get(address) != token:
                self._dirty[address] = token
        self._columns_changed |= columns != self._columns
        self._tokens, self._columns = tokens, columns

    def apply(self, event: Event) -> Applied:
        """Take in a `headline`, `indicators` or `launched` event; RELOAD when it may move a token between columns."""
        token = self._tokens.get(event["token"])
        if event.get("type") == "launched":
            return Applied.RELOAD if token is None else Applied.NOTHING
        if token is None:
            # Tokens beyond the columns' ends trade too; only one that may belong into a column is worth a read.
            return Applied.RELOAD if event.get("stage") in GRADUATED else Applied.NOTHING
        if event.get("seq", token["seq"]) < token["seq"]:
            return Applied.NOTHING
        before = _standing(token)
        fields = {key: event[key] for key in HEADLINE if key in event}
        if "last_trade_at_ms" in fields and not fields["last_trade_at_ms"]:
            fields |= {"last_trade_at_ms": None, "price": None}
        token.update(fields)
        self._dirty.setdefault(event["token"], {"address": event["token"]}).update(fields)
        return Applied.CHANGED if _standing(token) == before else Applied.RELOAD

    def flush(self) -> Update | None:
        """What changed since the last flush, None for nothing."""
        if not self._dirty and not self._columns_changed:
            return None
        data: Data = {"tokens": list(self._dirty.values())}
        if self._columns_changed:
            data["columns"] = self._columns
        self._frames += 1
        self._dirty = {}
        self._columns_changed = False
        return Update(self._frames, self._frames, data, [], {})

    def snapshot(self, _: Topic) -> Data:
        """Every listed token and the columns."""
        return {"tokens": list(self._tokens.values()), "columns": self._columns}

    def missed(self, topic: Topic, after_seq: int) -> Data | None:
        """Its numbers are this hub's own: nobody who comes back can continue them."""
        return None


def _standing(token: Data) -> tuple[str, bool]:
    """What decides a token's column: its stage, and whether it is about to graduate."""
    raised, needed = int(token["reserve_lamports"]), int(token["raise_lamports"])
    return token["stage"], raised * 100 >= needed * GRADUATING_PERCENT
