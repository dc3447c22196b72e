"""Orders as the API says them: a decided one with what became of it on the chain, an account's in pages, a queued one.

Amounts are decimal strings, times epoch milliseconds, null where something does not apply.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from engine.persistence.paging import page_after
from engine.persistence.tables import OrderRow, SettlementRow, TradeRow, table
from engine.trading.orders import Order, OrderState

CONFIRMED: Final = "confirmed"
"""The state of a settlement that Solana has confirmed."""

_ORDERS, _TRADES, _LEG = table(OrderRow), table(TradeRow), table(SettlementRow).alias("leg")

_DECIDED: Final = (
    select(
        _ORDERS,
        _TRADES.c.lamports,
        _TRADES.c.tokens,
        _TRADES.c.fee_lamports,
        _TRADES.c.price,
        _LEG.c.signature,
        _LEG.c.state.label("settlement_state"),
        _LEG.c.confirmed_at_ms,
    )
    .select_from(_ORDERS)
    .outerjoin(_TRADES, _TRADES.c.order_id == _ORDERS.c.order_id)
    .outerjoin(_LEG, _LEG.c.settlement_id == _ORDERS.c.order_id)
)
_ORDER: Final = _DECIDED.where(_ORDERS.c.order_id == bindparam("of_order"))


def order_json(connection: Connection, order_id: str) -> dict[str, Any] | None:
    """One decided order, None while nobody has decided it."""
    row = connection.execute(_ORDER, {"of_order": order_id}).mappings().first()
    return None if row is None else _order_json(row)


def orders_json(
    connection: Connection, account_id: str, limit: int, cursor: str | None = None, token: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """The account's decided orders, newest first, and the cursor of the next page, None at the end.

    Raises:
        InvalidCursor: the cursor is not one of ours.
    """
    query = _DECIDED.where(_ORDERS.c.account_id == account_id)
    if token is not None:
        query = query.where(_ORDERS.c.token == token)
    page, next_cursor = page_after(connection, query, (_ORDERS.c.decided_at_ms, _ORDERS.c.order_id), limit, cursor)
    return [_order_json(row) for row in page], next_cursor


def queued_json(order: Order, state: OrderState = OrderState.QUEUED) -> dict[str, Any]:
    """An accepted order that nobody has decided yet, queued or parked, with the keys of a decided one."""
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "token": order.token,
        "side": order.side.value,
        "state": state.value,
        "reason": None,
        "detail": None,
        "amount": str(order.amount),
        "bound": str(order.bound),
        "lamports": None,
        "tokens": None,
        "fee_lamports": None,
        "price": None,
        "signature": None,
        "accepted_at_ms": order.accepted_at_ms,
        "decided_at_ms": None,
        "confirmed_at_ms": None,
    }


def _order_json(row: Mapping[Any, Any]) -> dict[str, Any]:
    confirmed = row["settlement_state"] == CONFIRMED
    return {
        "order_id": row["order_id"],
        "client_order_id": row["client_order_id"],
        "token": row["token"],
        "side": row["side"],
        "state": OrderState.CONFIRMED.value if confirmed else row["state"],
        "reason": row["reason"],
        "detail": row["detail"],
        "amount": str(row["amount"]),
        "bound": str(row["bound"]),
        "lamports": _text(row["lamports"]),
        "tokens": _text(row["tokens"]),
        "fee_lamports": _text(row["fee_lamports"]),
        "price": _text(row["price"]),
        "signature": row["signature"],
        "accepted_at_ms": row["accepted_at_ms"],
        "decided_at_ms": row["decided_at_ms"],
        "confirmed_at_ms": row["confirmed_at_ms"] if confirmed else None,
    }


def _text(amount: int | None) -> str | None:
    return None if amount is None else str(amount)
