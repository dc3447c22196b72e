"""Accounts as they are read: who they are, and what they hold. And how one is made.

Portable statements over one `Connection`. Answers ending in `_json` are what the API says: amounts as decimal
strings, times in epoch milliseconds, null where something does not apply.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from engine.identifiers import SOL
from engine.persistence.controls import platform_paused
from engine.persistence.paging import MAX_PAGE
from engine.persistence.tables import (
    AccountRow,
    BalanceRow,
    OrderRow,
    ParkedRow,
    TokenRow,
    WalletRow,
    table,
)
from engine.trading.orders import OrderState
from engine.units import token_value_lamports

Row = Mapping[str, Any]

ACCOUNTS_AT_ONCE: Final = 500
TRADING_WALLET: Final = "trading"
NO_ORDER: Final = "-"
"""No order's id. Not the empty string, which is NULL to Oracle."""

_ACCOUNTS, _WALLETS, _BALANCES = table(AccountRow), table(WalletRow), table(BalanceRow)
_ORDERS, _TOKENS, _PARKED = table(OrderRow), table(TokenRow), table(ParkedRow)


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


def _position() -> Select[Any]:
    sol, held = _BALANCES.alias("sol"), _BALANCES.alias("held")
    return (
        select(
            _TOKENS,
            sol.c.amount.label("lamports_of_account"),
            sol.c.frozen.label("frozen_account"),
            held.c.amount.label("tokens_of_account"),
            _ORDERS.c.body_hash.label("known_body_hash"),
            _PARKED.c.body.label("parked_body"),
            platform_paused().label("platform_paused"),
        )
        .select_from(_TOKENS)
        .outerjoin(sol, and_(sol.c.account_id == bindparam("of_account"), sol.c.asset == SOL))
        .outerjoin(held, and_(held.c.account_id == bindparam("of_account"), held.c.asset == _TOKENS.c.address))
        .outerjoin(_ORDERS, _ORDERS.c.order_id == bindparam("of_order"))
        .outerjoin(
            _PARKED, and_(_PARKED.c.parked_id == bindparam("of_order"), _PARKED.c.state == OrderState.PARKED.value)
        )
        .where(_TOKENS.c.address == bindparam("of_token"))
    )


_POSITION: Final = _position()
"""Built once: every quote and every order asks it."""


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

    The token counts as paused while the platform is. `known_body_hash` is that of the decided order with this id,
    `parked_body` the message of the parked one.
    """
    row = (
        connection.execute(_POSITION, {"of_account": account_id, "of_token": token, "of_order": order_id})
        .mappings()
        .first()
    )
    if row is None:
        return Position(None, 0, None, None)
    held_tokens, known_hash = row["tokens_of_account"], row["known_body_hash"]
    lamports = row["lamports_of_account"] or 0
    token_row = dict(row) | {"paused": int(bool(row["paused"]) or row["platform_paused"] is not None)}
    return Position(token_row, lamports, held_tokens, known_hash, row["parked_body"], row["frozen_account"])


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


def account_seqs(connection: Connection, account_ids: Sequence[str]) -> dict[str, int]:
    """The last number of each account that exists; 500 accounts to a statement."""
    found: dict[str, int] = {}
    for begin in range(0, len(account_ids), ACCOUNTS_AT_ONCE):
        some = account_ids[begin : begin + ACCOUNTS_AT_ONCE]
        sol = and_(_BALANCES.c.asset == SOL, _BALANCES.c.account_id.in_(some))
        rows = connection.execute(select(_BALANCES.c.account_id, _BALANCES.c.account_seq).where(sol))
        found.update({row.account_id: row.account_seq for row in rows})
    return found


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
