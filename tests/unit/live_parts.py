"""A source, sockets and events for hub tests, all in memory and under the test's control."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from engine.indicators.candles import Interval, Tick, fold
from engine.live import Frame, Limits
from engine.live.source import TAPE_LENGTH, AccountSnapshot, BoardSnapshot, TokenSnapshot
from engine.persistence.market import GRADUATED
from engine.ports import BusMessage
from engine.trading import events
from tests.market_data import address, token_values, trade_values

TOKEN = address(7)
START_MS = 1_700_000_000_000
QUICK = Limits(
    sweep_ms=5,
    heartbeat_ms=60_000,
    repair_ms=20,
    token_reload_ms=5,
    board_reload_ms=5,
    board_refresh_ms=600_000,
    linger_ms=0,
)
FIXED = ("decimals", "fee_bps", "name", "symbol", "description", "image", "uri", "creator", "vault", "failure")


class FakeClock:
    def now_ms(self) -> int:
        return START_MS


class FakeMarket:
    """A database of one moment and the worker that writes it; `publish` is the bus half of a commit."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.tape: dict[str, list[dict[str, Any]]] = {}
        self.accounts: dict[str, dict[str, Any]] = {}
        self.reads = 0
        self.board_reads = 0
        self.reading = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()

    def launch(self, number: int = 7, **changes: Any) -> str:
        row = token_values(number, **changes)
        self.rows[row["address"]] = row
        self.tape[row["address"]] = []
        return str(row["address"])

    def trade(self, token: str = TOKEN, price: int = 1_000, at_ms: int = START_MS, **changes: Any) -> list[BusMessage]:
        """Commit one trade; returns its events."""
        row = self.rows[token]
        before, row["seq"] = row["price"], row["seq"] + 1
        row.update(price=price, last_trade_at_ms=at_ms, market_cap_lamports=price * 600, **changes)
        trade = trade_values(token, row["seq"], price=price, executed_at_ms=at_ms)
        self.tape[token].append(trade | {"price_before": before})
        return [events.trade(trade, before, row), events.headline(row)]

    def token_json(self, token: str) -> dict[str, Any]:
        row = self.rows[token]
        traded = bool(row["last_trade_at_ms"])
        return {
            **{key: row[key] for key in FIXED},
            **events.figures(row),
            **events.indicators_json(row),
            "address": token,
            "seq": row["seq"],
            "simulated": False,
            "paused": bool(row["paused"]),
            "created_at_ms": row["created_at_ms"],
            "graduated_at_ms": row["graduated_at_ms"] or None,
            "last_trade_at_ms": row["last_trade_at_ms"] if traded else None,
            "price": str(row["price"]) if traded else None,
            "curve_supply": str(row["curve_supply"]),
            "total_supply": str(row["total_supply"]),
            "raise_lamports": "80000000000",
        }

    def _snapshot(self, token: str) -> TokenSnapshot | None:
        if token not in self.rows:
            return None
        tape = self.tape[token]
        ticks = [Tick(row["executed_at_ms"], row["price_before"], row["price"], row["lamports"]) for row in tape]
        told = [orjson.loads(events.trade(row, row["price_before"], self.rows[token]).payload) for row in tape]
        return TokenSnapshot(
            self.token_json(token),
            told[::-1][:TAPE_LENGTH],
            {interval: fold(ticks, interval.ms)[-3:] for interval in Interval},
        )

    async def token(self, token: str) -> TokenSnapshot | None:
        self.reads += 1
        snapshot = self._snapshot(token)
        self.reading.set()
        await self.may_read.wait()
        return snapshot

    async def board(self) -> BoardSnapshot:
        self.board_reads += 1
        listed = sorted(self.rows.values(), key=lambda row: -row["created_at_ms"])
        on_curve = [row for row in listed if row["stage"] == "curve"]
        return {
            "new": [self.token_json(row["address"]) for row in on_curve],
            "graduating": [
                self.token_json(row["address"]) for row in on_curve if row["reserve_lamports"] >= 40_000_000_000
            ],
            "graduated": [self.token_json(row["address"]) for row in listed if row["stage"] in GRADUATED],
        }

    async def account(self, account_id: str) -> AccountSnapshot:
        balances = {"account_seq": 0, "lamports": "0", "frozen": None, "tokens": []}
        return AccountSnapshot(self.accounts.get(account_id, balances), [])

    async def account_seqs(self, account_ids: Sequence[str]) -> dict[str, int]:
        return {each: int(self.accounts[each]["account_seq"]) for each in account_ids if each in self.accounts}

    async def changed_since(self, at_ms: int) -> list[tuple[str, int]]:
        return [(token, row["seq"]) for token, row in self.rows.items()]


class FakeSocket:
    """Keeps what it is sent; `stuck` bytes look like a network that takes nothing."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.stuck = 0
        self.closed: int | None = None
        self.broken = False

    async def send(self, frame: Frame) -> None:
        if self.broken:
            raise ConnectionResetError
        self.frames.append(frame)

    def backlog(self) -> int:
        return self.stuck

    def close(self, code: int, reason: str) -> None:
        self.closed = code

    def said(self, channel: str) -> list[dict[str, Any]]:
        """The messages of one channel, in order."""
        return [message for frame in self.frames if (message := orjson.loads(frame.body))["channel"] == channel]

    def errors(self) -> list[str]:
        """The codes of the errors, in order."""
        return [message["data"]["code"] for message in self.said("error")]


async def until(condition: Callable[[], Any], limit_s: float = 5.0) -> None:
    """Wait for it to become true."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 (what is waited for is not ours to signal)
            await asyncio.sleep(0.002)


def subscribe(kind: str, token: str | None = TOKEN, interval: str | None = None) -> str:
    """A subscribe message."""
    subscription = {"type": kind, "token": token, "interval": interval}
    return orjson.dumps({"method": "subscribe", "subscription": subscription}).decode()


def contiguous(messages: list[dict[str, Any]]) -> bool:
    """Whether a client that applies the rule of the protocol would see no gap."""
    last = None
    for message in messages:
        if message["from_seq"] and (last is None or message["from_seq"] != last + 1):
            return False
        last = message["seq"]
    return True
