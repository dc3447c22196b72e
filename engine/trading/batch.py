"""A batch of orders applied to the rows that one transaction locked: pure bookkeeping, no I/O.

The rows live only as long as the transaction; nothing here outlives it. The result is the rows to write and the
events to publish once they are committed.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.identifiers import SOL
from engine.indicators.candles import MINUTE_MS, Candle, merge
from engine.ports import BusMessage
from engine.trading import events
from engine.trading.execution import Fill, Purse, Rejection, decide
from engine.trading.orders import Order, OrderState, Reason, Side
from engine.trading.prices import Stage, liquidity_lamports, terms_of
from engine.trading.rows import (
    Row,
    graduation_settlement_row,
    graduation_surplus_row,
    order_event,
    order_row,
    sol_transfer_row,
    trade_row,
    trade_settlement_row,
)
from engine.units import LOCKED_LAMPORTS, PRICE_UNITS_PER_LAMPORT

log = logging.getLogger(__name__)

BalanceKey = tuple[str, str]


@dataclass(slots=True)
class Locked:
    """The rows a transaction has locked and read: tokens by address, balances by (account, asset), running candles."""

    tokens: dict[str, Row]
    balances: dict[BalanceKey, Row]
    candles: dict[str, Candle]


@dataclass(slots=True)
class Changes:
    """The rows to write, each group for one statement, and the events that follow the commit."""

    orders: list[Row] = field(default_factory=list)
    trades: list[Row] = field(default_factory=list)
    settlements: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    tokens: dict[str, Row] = field(default_factory=dict)
    new_balances: dict[BalanceKey, Row] = field(default_factory=dict)
    balances: dict[BalanceKey, Row] = field(default_factory=dict)
    new_candles: dict[str, Candle] = field(default_factory=dict)
    candles: dict[str, Candle] = field(default_factory=dict)
    events: list[BusMessage] = field(default_factory=list)

    @property
    def messages(self) -> list[BusMessage]:
        """Every event in order, then the board's headlines, once per token."""
        return self.events + [events.headline(token) for token in self.tokens.values()]


class Batch:
    """Applies orders one after another. `wallets` maps accounts to their trading wallets."""

    def __init__(self, locked: Locked, wallets: Mapping[str, str], now_ms: int, account_rent_lamports: int) -> None:
        self._locked = locked
        self._wallets = wallets
        self._now_ms = now_ms
        self._account_rent_lamports = account_rent_lamports
        self.changes = Changes()

    def apply(self, order: Order) -> None:
        """Decide one order and book the outcome. A decision that raises is a bug: rejected, with an alert."""
        token = self._locked.tokens.get(order.token)
        try:
            decision = decide(order, token, self._purse(order), self._now_ms, self._account_rent_lamports)
        except Exception:
            log.exception("alert=engine_error order=%s: its decision raised", order.order_id)
            decision = Rejection(Reason.ENGINE_ERROR)
        if isinstance(decision, Rejection):
            self.reject(order, decision)
        else:
            assert token is not None
            self._fill(order, token, decision)

    def _purse(self, order: Order) -> Purse:
        sol = self._locked.balances.get((order.account_id, SOL))
        held = self._locked.balances.get((order.account_id, order.token))
        return Purse(
            free_lamports=(sol["amount"] if sol else 0) - LOCKED_LAMPORTS,
            tokens=held["amount"] if held else 0,
            has_token_account=held is not None,
            frozen=sol.get("frozen") if sol else None,
        )

    def reject(self, order: Order, rejection: Rejection) -> None:
        """Book a no."""
        sol = self._locked.balances.get((order.account_id, SOL))
        account_seq = sol["account_seq"] if sol else 0
        self._record(order, OrderState.REJECTED, account_seq, rejection=rejection)

    def _fill(self, order: Order, token: Row, fill: Fill) -> None:
        sol = self._locked.balances[order.account_id, SOL]
        wallet = self._wallets[order.account_id]
        at_ms = max(self._now_ms, token["last_trade_at_ms"])
        price_before = token["price"]
        if fill.rent_lamports:
            self._book_rent(order, sol, wallet, fill.rent_lamports)
        holders = self._move_balances(order, sol, fill)
        self._move_token(token, fill, at_ms, holders)
        trade = trade_row(order, fill, token["seq"], sol["account_seq"], at_ms)
        self.changes.trades.append(trade)
        self.changes.settlements.append(
            trade_settlement_row(trade, wallet, token["vault"], fill.rent_lamports, self._now_ms)
        )
        self._merge_candle(trade, price_before)
        self.changes.events.append(events.trade(trade, price_before, token))
        if fill.graduates:
            self._graduate(token)
        self._record(order, OrderState.FILLED, sol["account_seq"], fill=fill)

    def _book_rent(self, order: Order, sol: Row, wallet: str, rent_lamports: int) -> None:
        sol["account_seq"] += 1
        sol["amount"] -= rent_lamports
        self.changes.transfers.append(
            sol_transfer_row(
                "rent",
                order.account_id,
                -rent_lamports,
                sol["account_seq"],
                order.token,
                wallet,
                order.order_id,
                self._now_ms,
            )
        )

    def _move_balances(self, order: Order, sol: Row, fill: Fill) -> int:
        """Move both legs of the trade on the account; returns the change in the number of holders."""
        sign = 1 if order.side is Side.BUY else -1
        sol["account_seq"] += 1
        sol["amount"] -= sign * fill.lamports
        self.changes.balances[order.account_id, SOL] = sol
        key = (order.account_id, order.token)
        held = self._locked.balances.get(key)
        if held is None:
            held = {"account_id": order.account_id, "asset": order.token, "amount": 0, "account_seq": 0}
            self._locked.balances[key] = self.changes.new_balances[key] = held
        elif key not in self.changes.new_balances:
            self.changes.balances[key] = held
        before: int = held["amount"]
        after = before + sign * fill.tokens
        held["amount"] = after
        return (after > 0) - (before > 0)

    def _move_token(self, token: Row, fill: Fill, at_ms: int, holders: int) -> None:
        token["seq"] += 1
        token["supply"] = fill.supply
        token["reserve_lamports"] = fill.reserve_lamports
        token["creator_fees_lamports"] += fill.creator_fee_lamports
        token["platform_fees_lamports"] += fill.fee_lamports - fill.creator_fee_lamports
        token["price"] = fill.price
        token["market_cap_lamports"] = market_cap_lamports(token)
        token["liquidity_lamports"] = liquidity_lamports(token)
        token["holders"] += holders
        token["last_trade_at_ms"] = at_ms
        token["updated_at_ms"] = self._now_ms
        self.changes.tokens[token["address"]] = token

    def _graduate(self, token: Row) -> None:
        """Open the pool: the exact integral beside the tokens kept for it; what rounding left is the platform's.

        A movement of the vault like any other, with a number of its own. The next order trades on the pool.
        """
        surplus_lamports = token["reserve_lamports"] - terms_of(token).raise_lamports
        token["seq"] += 1
        token["stage"] = Stage.GRADUATING.value
        token["graduated_at_ms"] = token["last_trade_at_ms"]
        token["reserve_lamports"] -= surplus_lamports
        token["platform_fees_lamports"] += surplus_lamports
        token["liquidity_lamports"] = liquidity_lamports(token)
        settlement = graduation_settlement_row(token, self._now_ms)
        self.changes.settlements.append(settlement)
        if surplus_lamports:
            self.changes.transfers.append(graduation_surplus_row(settlement, surplus_lamports))
        self.changes.events.append(events.stage_changed(token))

    def _merge_candle(self, trade: Row, price_before: int) -> None:
        token = trade["token"]
        running = self._locked.candles.get(token)
        candle = merge(running, price_before, trade["price"], trade["lamports"], trade["executed_at_ms"], MINUTE_MS)
        self._locked.candles[token] = candle
        is_new = running is None or candle.bucket_ms > running.bucket_ms
        group = self.changes.new_candles if is_new or token in self.changes.new_candles else self.changes.candles
        group[token] = candle

    def _record(
        self,
        order: Order,
        state: OrderState,
        account_seq: int,
        fill: Fill | None = None,
        rejection: Rejection | None = None,
    ) -> None:
        self.changes.orders.append(order_row(order, state, rejection, self._now_ms))
        event = order_event(order, state, account_seq, self._now_ms, fill, rejection)
        self.changes.events.append(events.order_decided(order.account_id, event))


def candle_row(token: str, candle: Candle) -> Row:
    """The candle as its table keeps it."""
    return {"token": token, **candle._asdict()}


def market_cap_lamports(token: Mapping[str, Any]) -> int:
    """Price x total supply, floored to the lamport."""
    whole_token = 10 ** int(token["decimals"])
    return int(token["price"] * token["total_supply"] // (whole_token * PRICE_UNITS_PER_LAMPORT))
