"""Accounts as they are read: who they are, what they hold, what they ordered. And how one is made.

Portable statements over one `Connection`. Answers ending in `_json` are what the API says: amounts as decimal
strings, times in epoch milliseconds, null where something does not apply.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, and_, insert, or_, select
from sqlalchemy.exc import IntegrityError

from engine.errors import Refusal
from engine.identifiers import SOL
from engine.persistence.tables import (
    AccountRow,
    BalanceRow,
    OrderRow,
    ParkedRow,
    SettlementRow,
    TokenRow,
    TradeRow,
    WalletRow,
    table,
)
from engine.trading.orders import Order, OrderState
from engine.units import MAX_AMOUNT, token_value_lamports

Row = Mapping[str, Any]

MAX_PAGE: Final = 200
TRADING_WALLET: Final = "trading"
NO_ORDER: Final = "-"
"""No order's id. Not the empty string, which is NULL to Oracle."""

CONFIRMED: Final = "confirmed"
"""The state of a settlement that Solana has confirmed."""

_CURSOR = re.compile(r"([0-9]{1,19})\.([0-9a-f]{32})\Z")


_ACCOUNTS, _WALLETS, _BALANCES = table(AccountRow), table(WalletRow), table(BalanceRow)
_ORDERS, _TRADES, _SETTLEMENTS = table(OrderRow), table(TradeRow), table(SettlementRow)
_TOKENS, _PARKED = table(TokenRow), table(ParkedRow)


class InvalidCursor(Refusal):
    """A page cursor that none of our answers contained."""

    code = "invalid_cursor"
    status = 422


class AlreadyThere(Exception):
    """Somebody else made the account first; the transaction must be rolled back."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to make, with the trading wallet whose key exists already."""

    account_id: str
    wallet: str
    key_name: str
    simulated: bool
    created_at_ms: int


def account(connection: Connection, account_id: str) -> Row | None:
    """The account's row, or None."""
    row = connection.execute(select(_ACCOUNTS).where(_ACCOUNTS.c.account_id == account_id)).mappings().first()
    return None if row is None else dict(row)


def add_account(connection: Connection, new: NewAccount) -> None:
    """Make the account, its trading wallet and its empty SOL balance.

    Raises:
        AlreadyThere: it exists.
    """
    own = {"account_id": new.account_id, "created_at_ms": new.created_at_ms}
    try:
        connection.execute(insert(_ACCOUNTS), [{**own, "wallet": new.wallet, "simulated": int(new.simulated)}])
        wallet = {**own, "address": new.wallet, "kind": TRADING_WALLET, "key_name": new.key_name, "token": None}
        connection.execute(insert(_WALLETS), [wallet])
        balance = {"account_id": new.account_id, "asset": SOL, "amount": 0, "account_seq": 0}
        connection.execute(insert(_BALANCES), [balance])
    except IntegrityError as error:
        raise AlreadyThere(new.account_id) from error


@dataclass(frozen=True, slots=True)
class Position:
    """A token's row and what one account has of SOL and of it; None of the token: no token account yet."""

    token: Row | None
    lamports: int
    tokens: int | None
    known_body_hash: str | None
    parked_body: bytes | None = None
    frozen: str | None = None


def position(connection: Connection, account_id: str | None, token: str, order_id: str = NO_ORDER) -> Position:
    """Everything an order or a quote is checked against, in one statement.

    `known_body_hash` is that of the decided order with this id, `parked_body` the message of the parked one.
    """
    sol, held = _BALANCES.alias("sol"), _BALANCES.alias("held")
    query = (
        select(
            _TOKENS,
            sol.c.amount.label("lamports_of_account"),
            sol.c.frozen.label("frozen_account"),
            held.c.amount.label("tokens_of_account"),
            _ORDERS.c.body_hash.label("known_body_hash"),
            _PARKED.c.body.label("parked_body"),
        )
        .select_from(_TOKENS)
        .outerjoin(sol, and_(sol.c.account_id == account_id, sol.c.asset == SOL))
        .outerjoin(held, and_(held.c.account_id == account_id, held.c.asset == _TOKENS.c.address))
        .outerjoin(_ORDERS, _ORDERS.c.order_id == order_id)
        .outerjoin(_PARKED, and_(_PARKED.c.parked_id == order_id, _PARKED.c.state == OrderState.PARKED.value))
        .where(_TOKENS.c.address == token)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return Position(None, 0, None, None)
    held_tokens, known_hash = row["tokens_of_account"], row["known_body_hash"]
    lamports = row["lamports_of_account"] or 0
    return Position(dict(row), lamports, held_tokens, known_hash, row["parked_body"], row["frozen_account"])


def balances_json(connection: Connection, account_id: str, locked_lamports: int) -> dict[str, Any]:
    """SOL with its free part, why the account is frozen if it is, and every token held, last traded first."""
    sol = _BALANCES.c.account_id == account_id
    row = connection.execute(select(_BALANCES).where(sol, _BALANCES.c.asset == SOL)).mappings().first()
    lamports, account_seq = (row["amount"], row["account_seq"]) if row else (0, 0)
    query = (
        select(_BALANCES.c.amount, _TOKENS)
        .join_from(_BALANCES, _TOKENS, _BALANCES.c.asset == _TOKENS.c.address)
        .where(_BALANCES.c.account_id == account_id, _BALANCES.c.amount > 0)
        .order_by(_TOKENS.c.last_trade_at_ms.desc(), _TOKENS.c.address)
    )
    return {
        "lamports": str(lamports),
        "locked_lamports": str(min(lamports, locked_lamports)),
        "free_lamports": str(max(0, lamports - locked_lamports)),
        "account_seq": account_seq,
        "frozen": row["frozen"] if row else None,
        "tokens": [_holding_json(held) for held in connection.execute(query).mappings()],
    }


def _holding_json(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "token": row["address"],
        "name": row["name"],
        "symbol": row["symbol"],
        "image": None if row["image"] is None else f"/api/images/{row['image']}",
        "decimals": row["decimals"],
        "stage": row["stage"],
        "amount": str(row["amount"]),
        "price": str(row["price"]),
        "value_lamports": str(token_value_lamports(row["amount"], row["price"], row["decimals"])),
    }


def holders_json(connection: Connection, token: str, limit: int) -> list[dict[str, Any]]:
    """The largest holders of a token; vaults are none. `share_bps` is of the total supply, floored."""
    query = (
        select(
            _BALANCES.c.account_id,
            _BALANCES.c.amount,
            _ACCOUNTS.c.simulated,
            _TOKENS.c.creator,
            _TOKENS.c.total_supply,
        )
        .join_from(_BALANCES, _TOKENS, _BALANCES.c.asset == _TOKENS.c.address)
        .join(_ACCOUNTS, _ACCOUNTS.c.account_id == _BALANCES.c.account_id)
        .where(_BALANCES.c.asset == token, _BALANCES.c.amount > 0)
        .order_by(_BALANCES.c.amount.desc(), _BALANCES.c.account_id)
        .limit(max(1, min(limit, MAX_PAGE)))
    )
    return [
        {
            "account": row["account_id"],
            "amount": str(row["amount"]),
            "share_bps": row["amount"] * 10_000 // row["total_supply"],
            "creator": row["account_id"] == row["creator"],
            "sim": bool(row["simulated"]),
        }
        for row in connection.execute(query).mappings()
    ]


def order_json(connection: Connection, order_id: str) -> dict[str, Any] | None:
    """One decided order, None while nobody has decided it."""
    row = connection.execute(_decided().where(_ORDERS.c.order_id == order_id)).mappings().first()
    return None if row is None else _order_json(row)


def orders_json(
    connection: Connection, account_id: str, limit: int, cursor: str | None = None, token: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """The account's decided orders, newest first, and the cursor of the next page, None at the end.

    Raises:
        InvalidCursor: the cursor is not one of ours.
    """
    query = _decided().where(_ORDERS.c.account_id == account_id)
    if token is not None:
        query = query.where(_ORDERS.c.token == token)
    page, next_cursor = page_after(connection, query, (_ORDERS.c.decided_at_ms, _ORDERS.c.order_id), limit, cursor)
    return [_order_json(row) for row in page], next_cursor


def page_after(
    connection: Connection,
    query: Select[Any],
    by: tuple[Column[Any], Column[Any]],
    limit: int,
    cursor: str | None,
) -> tuple[Sequence[Mapping[Any, Any]], str | None]:
    """A page of the query's rows, the latest first by time and id, and the cursor of the next one, None at the end.

    Raises:
        InvalidCursor: the cursor is not one of ours.
    """
    limit, (at, row_id) = max(1, min(limit, MAX_PAGE)), by
    if cursor is not None:
        match = _CURSOR.match(cursor)
        if match is None or int(match[1]) > MAX_AMOUNT:
            raise InvalidCursor("This cursor is not one of ours; start again without it.")
        at_ms = int(match[1])
        query = query.where(or_(at < at_ms, and_(at == at_ms, row_id < match[2])))
    rows = connection.execute(query.order_by(at.desc(), row_id.desc()).limit(limit + 1)).mappings().all()
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], None if last is None else f"{last[at]}.{last[row_id]}"


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


def _decided() -> Select[Any]:
    settlement = _SETTLEMENTS.alias("leg")
    return (
        select(
            _ORDERS,
            _TRADES.c.lamports,
            _TRADES.c.tokens,
            _TRADES.c.fee_lamports,
            _TRADES.c.price,
            settlement.c.signature,
            settlement.c.state.label("settlement_state"),
            settlement.c.confirmed_at_ms,
        )
        .select_from(_ORDERS)
        .outerjoin(_TRADES, _TRADES.c.order_id == _ORDERS.c.order_id)
        .outerjoin(settlement, settlement.c.settlement_id == _ORDERS.c.order_id)
    )


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
