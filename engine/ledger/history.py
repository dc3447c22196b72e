"""The ledger's state as its immutable rows lead to it: trades and transfers, in the order of their numbers. Pure.

Graduations and claims take a number of their token too: their settlement's, whose figures never change.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine.identifiers import SOL
from engine.indicators.candles import MINUTE_MS, Candle, merge

Row = Mapping[str, Any]

TOKEN_MOVEMENTS: Final = ("graduation", "claim", "sweep")
"""Kinds of settlements that move a token's row without being trades."""


class Inconsistent(ValueError):
    """The rows contradict each other: a number is missing or double, or a figure is not what those before led to."""


@dataclass(slots=True)
class TokenState:
    """What a token's movements leave behind."""

    seq: int = 0
    supply: int = 0
    reserve_lamports: int = 0
    creator_fees_lamports: int = 0
    platform_fees_lamports: int = 0
    price: int = 0
    last_trade_at_ms: int = 0
    graduated_at_ms: int = 0


@dataclass(slots=True)
class TokenHistory:
    """A token's state, and the candles on the way there."""

    state: TokenState = field(default_factory=TokenState)
    candles: list[Candle] = field(default_factory=list)


@dataclass(slots=True)
class AccountHistory:
    """What an account has of each asset, and its last number."""

    account_seq: int = 0
    amounts: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def token_history(token: str, movements: Iterable[Row], surpluses: Mapping[str, int]) -> TokenHistory:
    """Where a token's trades and other movements lead; `surpluses` are graduations' rounding by settlement.

    Raises:
        Inconsistent: the token's numbers are not 1, 2, 3 …, or a movement does not fit what came before it.
    """
    history = TokenHistory()
    state = history.state
    for row in sorted(movements, key=lambda row: row["seq"]):
        _demand(row["seq"] == state.seq + 1, f"token {token}: number {state.seq + 1} is missing or double")
        state.seq = row["seq"]
        if "settlement_id" not in row:
            _grow_candles(history.candles, state.price, row)
            _trade(token, state, row)
        elif row["kind"] == "graduation":
            _graduate(token, state, row, surpluses.get(row["settlement_id"], 0))
        elif row["kind"] == "sweep":
            state.platform_fees_lamports -= row["lamports"]
            _demand(state.platform_fees_lamports >= 0, f"token {token}: sweep {state.seq} takes more than had accrued")
        else:
            state.creator_fees_lamports -= row["lamports"]
            _demand(state.creator_fees_lamports == 0, f"token {token}: claim {state.seq} takes not what had accrued")
    return history


def account_history(account_id: str, movements: Iterable[Row]) -> AccountHistory:
    """Where an account's trades and transfers lead.

    Raises:
        Inconsistent: the account's numbers are not 1, 2, 3 …, or a balance was negative once.
    """
    history = AccountHistory()
    for row in sorted(movements, key=lambda row: row["account_seq"]):
        number = history.account_seq + 1
        _demand(row["account_seq"] == number, f"account {account_id}: number {number} is missing or double")
        history.account_seq = number
        for asset, amount in _moves(row):
            history.amounts[asset] += amount
            _demand(history.amounts[asset] >= 0, f"account {account_id}: less than nothing of {asset} after {number}")
    return history


def _moves(row: Row) -> list[tuple[str, int]]:
    if "transfer_id" in row:
        return [(row["asset"], row["amount"])]
    sign = 1 if row["side"] == "buy" else -1
    return [(SOL, -sign * row["lamports"]), (row["token"], sign * row["tokens"])]


def _grow_candles(candles: list[Candle], price_before: int, trade: Row) -> None:
    running = candles[-1] if candles else None
    candle = merge(running, price_before, trade["price"], trade["lamports"], trade["executed_at_ms"], MINUTE_MS)
    if running is not None and candle.bucket_ms == running.bucket_ms:
        candles[-1] = candle
    else:
        candles.append(candle)


def _trade(token: str, state: TokenState, trade: Row) -> None:
    name = f"token {token}: trade {trade['seq']}"
    sign = 1 if trade["side"] == "buy" else -1
    _demand(trade["lamports"] == trade["curve_lamports"] + sign * trade["fee_lamports"], f"{name}: legs do not add up")
    _demand(trade["executed_at_ms"] >= state.last_trade_at_ms, f"{name} is before the one before it")
    state.supply += sign * trade["tokens"]
    state.reserve_lamports += sign * trade["curve_lamports"]
    state.creator_fees_lamports += trade["creator_fee_lamports"]
    state.platform_fees_lamports += trade["fee_lamports"] - trade["creator_fee_lamports"]
    state.price = trade["price"]
    state.last_trade_at_ms = trade["executed_at_ms"]
    led_to = state.supply, state.reserve_lamports
    _demand(led_to == (trade["supply"], trade["reserve_lamports"]), f"{name} leads to {led_to}, and says otherwise")


def _graduate(token: str, state: TokenState, graduation: Row, surplus_lamports: int) -> None:
    name = f"token {token}: graduation {graduation['seq']}"
    _demand(surplus_lamports >= 0, f"{name}: the curve did not cover its integral")
    state.reserve_lamports -= surplus_lamports
    state.platform_fees_lamports += surplus_lamports
    state.graduated_at_ms = state.last_trade_at_ms
    _demand(
        state.reserve_lamports == graduation["lamports"], f"{name}: the pool opens with another amount than it says"
    )


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Inconsistent(otherwise)
