"""The database rows of a decided order: pure builders, one per table."""

import hashlib
from typing import Any

from engine.identifiers import SOL
from engine.trading.execution import Fill, Rejection
from engine.trading.orders import Order, OrderState
from engine.trading.prices import pool_tokens

Row = dict[str, Any]


def booking_id(*parts: str) -> str:
    """The id of a booked movement: the BLAKE2b-128 hash of what makes it unique."""
    return hashlib.blake2b(":".join(parts).encode(), digest_size=16).hexdigest()


def order_row(order: Order, state: OrderState, rejection: Rejection | None, now_ms: int) -> Row:
    """The final order, filled or rejected."""
    return {
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
        "decided_at_ms": now_ms,
    }


def trade_row(order: Order, fill: Fill, seq: int, account_seq: int, at_ms: int) -> Row:
    """The fill as the ledger keeps it."""
    return {
        "order_id": order.order_id,
        "token": order.token,
        "seq": seq,
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


def trade_settlement_row(trade: Row, wallet: str, vault: str, rent_lamports: int, now_ms: int) -> Row:
    """The fill's on-chain leg, waiting to be sent."""
    return pending_settlement(
        {
            "settlement_id": trade["order_id"],
            "kind": "trade",
            "side": trade["side"],
            "token": trade["token"],
            "seq": trade["seq"],
            "account_id": trade["account_id"],
            "account_seq": trade["account_seq"],
            "wallet": wallet,
            "vault": vault,
            "lamports": trade["lamports"],
            "tokens": trade["tokens"],
            "rent_lamports": rent_lamports,
        },
        now_ms,
    )


def graduation_settlement_row(token: Row, now_ms: int) -> Row:
    """The mark of a graduation on the chain: a memo with the figures the pool opens with, which moves nothing."""
    return pending_settlement(
        {
            "settlement_id": booking_id("graduation", token["address"]),
            "kind": "graduation",
            "side": None,
            "token": token["address"],
            "seq": token["seq"],
            "account_id": token["creator"],
            "account_seq": 0,
            "wallet": token["vault"],
            "vault": token["vault"],
            "lamports": token["reserve_lamports"],
            "tokens": pool_tokens(token),
            "rent_lamports": 0,
        },
        now_ms,
    )


def graduation_surplus_row(settlement: Row, surplus_lamports: int) -> Row:
    """What the curve's rounding left above the integral, which is the platform's: no account's balance moves."""
    return {
        "transfer_id": booking_id("surplus", settlement["settlement_id"]),
        "kind": "surplus",
        "account_id": None,
        "asset": SOL,
        "amount": surplus_lamports,
        "account_seq": 0,
        "token": settlement["token"],
        "address": settlement["vault"],
        "settlement_id": settlement["settlement_id"],
        "created_at_ms": settlement["created_at_ms"],
    }


def pending_settlement(legs: Row, now_ms: int) -> Row:
    """A settlement of these legs that nobody has signed yet."""
    return legs | {
        "state": "pending",
        "attempt": 0,
        "errors": 0,
        "last_valid_block_height": 0,
        "slot": 0,
        "fee_lamports": 0,
        "created_at_ms": now_ms,
        "confirmed_at_ms": 0,
    }


def sol_transfer_row(
    kind: str,
    account_id: str,
    lamports: int,
    account_seq: int,
    token: str,
    wallet: str,
    settlement_id: str,
    now_ms: int,
) -> Row:
    """A booked movement of an account's SOL that belongs to a settlement; `lamports` is signed."""
    return {
        "transfer_id": booking_id(kind, settlement_id),
        "kind": kind,
        "account_id": account_id,
        "asset": SOL,
        "amount": lamports,
        "account_seq": account_seq,
        "token": token,
        "address": wallet,
        "settlement_id": settlement_id,
        "created_at_ms": now_ms,
    }


def order_event(
    order: Order, state: OrderState, account_seq: int, at_ms: int, fill: Fill | None, rejection: Rejection | None
) -> Row:
    """The decided order as its account hears of it; see `events.order_decided`."""
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "token": order.token,
        "side": order.side.value,
        "state": state.value,
        "reason": rejection.reason.value if rejection else None,
        "detail": rejection.detail if rejection else None,
        "lamports": str(fill.lamports) if fill else None,
        "tokens": str(fill.tokens) if fill else None,
        "rent_lamports": str(fill.rent_lamports) if fill else None,
        "price": str(fill.price) if fill else None,
        "signature": None,
        "account_seq": account_seq,
        "at_ms": at_ms,
    }
