"""The feed of one token: its figures, its tape and its candles. Pure."""

from collections import deque
from itertools import islice
from typing import Final

from engine.indicators.candles import Candle, Interval, merge
from engine.live.feed import LAST_TRADES, TOKEN_CANDLE, Applied, Data, Event, Update
from engine.live.protocol import Kind, Topic
from engine.live.source import CANDLES_KEPT, TAPE_LENGTH, TokenSnapshot
from engine.persistence import indicators
from engine.persistence.candles import candle_json

TRADES_KEPT: Final = 500
"""Trades of a token that a client which comes back can be told of, if it missed no more."""

FIGURES: Final[tuple[str, ...]] = (
    "stage",
    "supply",
    "reserve_lamports",
    "market_cap_lamports",
    "liquidity_lamports",
    "holders",
    "creator_fees_lamports",
    "pool_tokens",
)
INDICATORS: Final = (*indicators.FIGURES, "measured_at_ms")
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
        elif kind == "stage" and any(event.get(name, is_set) != is_set for name, is_set in self._switches()):
            return Applied.RELOAD  # an operator's doing, which has no number of its own
        elif kind == "indicators":
            if event["measured_at_ms"] <= self._token["measured_at_ms"]:
                return Applied.NOTHING
            self._set({key: event[key] for key in INDICATORS})
        elif seq != self.seq:
            # A stage never replaces a trade: if it knows more than this feed, a trade was lost.
            return Applied.RELOAD if seq > self.seq else Applied.NOTHING
        else:
            self._set({key: event[key] for key in FIGURES if key in event})
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

    def _switches(self) -> list[tuple[str, bool]]:
        return [(name, bool(self._token[name])) for name in ("paused", "held")]

    def _set(self, fields: Data) -> None:
        self._token.update(fields)
        self._fields.update(fields)

    def _clear(self) -> None:
        self._fields: Data = {}
        self._new_trades: list[Event] = []
        self._new_candles: dict[Interval, dict[int, Candle]] = {interval: {} for interval in Interval}
