"""A batch of orders applied to the rows that one transaction locked: pure bookkeeping, no I/O.

The rows live only as long as the transaction; nothing here outlives it. The result is the rows to write and the
events to publish once they are committed.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine.identifiers import SOL
from engine.ports import BusMessage
from engine.trading import events
from engine.trading.execution import LOCKED_LAMPORTS, Fill, Purse, Rejection, Stage, decide, terms_of
from engine.trading.orders import Order, OrderState, Reason, Side

log = logging.getLogger(__name__)

Row = dict[str, Any]
BalanceKey = tuple[str, str]

CANDLE_MS: Final = 60_000
LAMPORTS_PER_PRICE_UNIT: Final = 1_000_000
"""Price units (10^-15 SOL) in a lamport (10^-9 SOL)."""


@dataclass(slots=True)
class Locked:
    """The rows a transaction has locked and read: tokens by address, balances by (account, asset), open candles."""

    tokens: dict[str, Row]
    balances: dict[BalanceKey, Row]
    candles: dict[tuple[str, int], Row]


@dataclass(slots=True)
class Changes:
    """The rows to write, each list for one statement, and the events that follow the commit."""

    orders: list[Row] = field(default_factory=list)
    trades: list[Row] = field(default_factory=list)
    settlements: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    tokens: dict[str, Row] = field(default_factory=dict)
    new_balances: dict[BalanceKey, Row] = field(default_factory=dict)
    balances: dict[BalanceKey, Row] = field(default_factory=dict)
    new_candles: dict[tuple[str, int], Row] = field(default_factory=dict)
    candles: dict[tuple[str, int], Row] = field(default_factory=dict)
    events: list[BusMessage] = field(default_factory=list)

    @property
    def messages(self) -> list[BusMessage]:
        """Every event in order, the board's headlines last and once per token."""
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
            self._reject(order, decision)
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
        )

    def _reject(self, order: Order, rejection: Rejection) -> None:
        self._record(order, OrderState.REJECTED, rejection)
        sol = self._locked.balances.get((order.account_id, SOL))
        self._tell(order, OrderState.REJECTED, sol["account_seq"] if sol else 0, rejection=rejection)

    def _fill(self, order: Order, token: Row, fill: Fill) -> None:
        sol = self._locked.balances[order.account_id, SOL]
        at_ms = max(self._now_ms, token["last_trade_at_ms"])
        if fill.rent_lamports:
            self._book_rent(order, sol, fill.rent_lamports)
        price_before, was_traded = token["price"], token["seq"] > 0
        sign = 1 if order.side is Side.BUY else -1
        holders = self._move_balances(order, sol, sign, fill)
        self._move_token(token, fill, at_ms, holders)
        trade = self._trade_row(order, token, sol["account_seq"], fill, at_ms)
        self.changes.trades.append(trade)
        self.changes.settlements.append(self._settlement_row(order, token, trade, fill))
        self._record(order, OrderState.FILLED, None)
        self._merge_candle(trade, price_before if was_traded else fill.price)
        self.changes.events.append(events.trade(trade, price_before, token))
        if fill.graduates:
            self.changes.events.append(events.stage_changed(token))
        self._tell(order, OrderState.FILLED, sol["account_seq"], fill=fill)

    def _book_rent(self, order: Order, sol: Row, rent_lamports: int) -> None:
        sol["account_seq"] += 1
        sol["amount"] -= rent_lamports
        self.changes.transfers.append(
            {
                "transfer_id": transfer_id("rent", order.order_id),
                "kind": "rent",
                "account_id": order.account_id,
                "asset": SOL,
                "amount": -rent_lamports,
                "account_seq": sol["account_seq"],
                "token": order.token,
                "address": self._wallets[order.account_id],
                "settlement_id": order.order_id,
                "created_at_ms": self._now_ms,
            }
        )

    def _move_balances(self, order: Order, sol: Row, sign: int, fill: Fill) -> int:
        """Move both legs of the trade on the account; returns the change in the number of holders."""
        sol["account_seq"] += 1
        sol["amount"] -= sign * fill.lamports
        self.changes.balances[order.account_id, SOL] = sol
        key = (order.account_id, order.token)
        held = self._locked.balances.get(key)
        if held is None:
            held = {"account_id": order.account_id, "asset": order.token, "amount": 0, "account_seq": 0}
            self._locked.balances[key] = held
            self.changes.new_balances[key] = held
        before = held["amount"]
        held["amount"] = before + sign * fill.tokens
        if key not in self.changes.new_balances:
            self.changes.balances[key] = held
        return (held["amount"] > 0) - (before > 0)

    def _move_token(self, token: Row, fill: Fill, at_ms: int, holders: int) -> None:
        token["seq"] += 1
        token["supply"] = fill.supply
        token["reserve_lamports"] = fill.reserve_lamports
        token["creator_fees_lamports"] += fill.creator_fee_lamports
        token["platform_fees_lamports"] += fill.fee_lamports - fill.creator_fee_lamports
        token["price"] = fill.price
        token["market_cap_lamports"] = market_cap_lamports(token)
        token["liquidity_lamports"] = fill.reserve_lamports
        token["holders"] += holders
        token["last_trade_at_ms"] = at_ms
        token["updated_at_ms"] = self._now_ms
        if fill.graduates:
            token["stage"] = Stage.GRADUATED
            token["graduated_at_ms"] = at_ms
        self.changes.tokens[token["address"]] = token

    def _trade_row(self, order: Order, token: Row, account_seq: int, fill: Fill, at_ms: int) -> Row:
        return {
            "order_id": order.order_id,
            "token": order.token,
            "seq": token["seq"],
            "account_id": order.account_id,
            "account_seq": account_seq,
            "side": order.side.value,
            "simulated": int(order.simulated),
            "lamports": fill.lamports,
            "curve_lamports": fill.curve_lamports,
            "fee_lamports": fill.fee_lamports,
            "creator_fee_lamports": fill.creator_fee_lamports,
            "tokens": fill.tokens,
            "price": fill.price,
            "supply": fill.supply,
            "reserve_lamports": fill.reserve_lamports,
            "executed_at_ms": at_ms,
        }

    def _settlement_row(self, order: Order, token: Row, trade: Row, fill: Fill) -> Row:
        return {
            "settlement_id": order.order_id,
            "kind": "trade",
            "side": order.side.value,
            "token": order.token,
            "seq": trade["seq"],
            "account_id": order.account_id,
            "account_seq": trade["account_seq"],
            "wallet": self._wallets[order.account_id],
            "vault": token["vault"],
            "lamports": fill.lamports,
            "tokens": fill.tokens,
            "rent_lamports": fill.rent_lamports,
            "state": "pending",
            "attempt": 0,
            "errors": 0,
            "last_valid_block_height": 0,
            "slot": 0,
            "fee_lamports": 0,
            "created_at_ms": self._now_ms,
            "confirmed_at_ms": 0,
        }

    def _record(self, order: Order, state: OrderState, rejection: Rejection | None) -> None:
        self.changes.orders.append(
            {
                "order_id": order.order_id,
                "account_id": order.account_id,
                "client_order_id": order.client_order_id,
                "body_hash": order.body_hash,
                "token": order.token,
                "side": order.side.value,
                "amount": order.amount,
                "bound": order.bound,
                "deadline_ms": order.deadline_ms,
                "state": state.value,
                "reason": rejection.reason.value if rejection else None,
                "detail": rejection.detail[:300] if rejection and rejection.detail else None,
                "accepted_at_ms": order.accepted_at_ms,
                "decided_at_ms": self._now_ms,
            }
        )

    def _merge_candle(self, trade: Row, open_price: int) -> None:
        bucket_ms = trade["executed_at_ms"] // CANDLE_MS * CANDLE_MS
        key, price = (trade["token"], bucket_ms), trade["price"]
        candle = self._locked.candles.get(key)
        if candle is None:
            candle = {
                "token": trade["token"],
                "bucket_ms": bucket_ms,
                "open_price": open_price,
                "high_price": open_price,
                "low_price": open_price,
                "close_price": open_price,
                "volume_lamports": 0,
                "trades": 0,
            }
            self._locked.candles[key] = candle
            self.changes.new_candles[key] = candle
        elif key not in self.changes.new_candles:
            self.changes.candles[key] = candle
        candle["high_price"] = max(candle["high_price"], price)
        candle["low_price"] = min(candle["low_price"], price)
        candle["close_price"] = price
        candle["volume_lamports"] += trade["lamports"]
        candle["trades"] += 1

    def _tell(
        self,
        order: Order,
        state: OrderState,
        account_seq: int,
        fill: Fill | None = None,
        rejection: Rejection | None = None,
    ) -> None:
        self.changes.events.append(
            events.order_decided(
                order.account_id,
                {
                    "order_id": order.order_id,
                    "client_order_id": order.client_order_id,
                    "token": order.token,
                    "side": order.side.value,
                    "state": state.value,
                    "reason": rejection.reason.value if rejection else None,
                    "detail": rejection.detail if rejection else None,
                    "lamports": str(fill.lamports) if fill else None,
                    "tokens": str(fill.tokens) if fill else None,
                    "price": str(fill.price) if fill else None,
                    "signature": None,
                    "account_seq": account_seq,
                    "at_ms": self._now_ms,
                },
            )
        )


def market_cap_lamports(token: Mapping[str, Any]) -> int:
    """Price x total supply, floored to the lamport."""
    whole_token = 10 ** int(token["decimals"])
    return int(token["price"] * token["total_supply"] // (whole_token * LAMPORTS_PER_PRICE_UNIT))


def raise_lamports(token: Mapping[str, Any]) -> int:
    """What the token's whole curve raises; progress to graduation is the reserve's part of it."""
    return terms_of(token).raise_lamports


def transfer_id(*parts: str) -> str:
    """The id of a booked movement: the BLAKE2b-128 hash of what makes it unique."""
    return hashlib.blake2b(":".join(parts).encode(), digest_size=16).hexdigest()
