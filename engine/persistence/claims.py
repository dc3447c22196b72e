"""The claims' statements: what creators have earned by the trades of their tokens, and how it becomes theirs."""

from typing import Any

from sqlalchemy import Connection, func, select

from engine.persistence.bulk import insert_rows, update_rows
from engine.persistence.trading import BALANCE_STATE, BALANCES, SETTLEMENTS, TOKENS, TRANSFERS
from engine.trading.rows import Row

CLAIM = "claim"

_CLAIMED = ("seq", "creator_fees_lamports", "updated_at_ms")


def book(connection: Connection, token: Row, sol: Row, transfer: Row, settlement: Row) -> None:
    """Write a claim: the vault owes it no more, the creator's balance has it, and a settlement will move it."""
    update_rows(connection, TOKENS, ("address",), _CLAIMED, [token])
    update_rows(connection, BALANCES, ("account_id", "asset"), BALANCE_STATE, [sol])
    insert_rows(connection, TRANSFERS, [transfer])
    insert_rows(connection, SETTLEMENTS, [settlement])


def creator_fees_json(connection: Connection, account_id: str) -> list[dict[str, Any]]:
    """Of each token this account launched: what waits to be claimed and what was; the newest token first."""
    claimed = (
        select(TRANSFERS.c.token, func.sum(TRANSFERS.c.amount).label("lamports"))
        .where(TRANSFERS.c.account_id == account_id, TRANSFERS.c.kind == CLAIM)
        .group_by(TRANSFERS.c.token)
        .subquery()
    )
    query = (
        select(
            TOKENS.c.address,
            TOKENS.c.symbol,
            TOKENS.c.name,
            TOKENS.c.stage,
            TOKENS.c.creator_fees_lamports,
            claimed.c.lamports.label("claimed_lamports"),
        )
        .join_from(TOKENS, claimed, claimed.c.token == TOKENS.c.address, isouter=True)
        .where(TOKENS.c.creator == account_id, TOKENS.c.tradable_at_ms > 0)
        .order_by(TOKENS.c.created_at_ms.desc(), TOKENS.c.address)
    )
    return [
        {
            "token": row["address"],
            "symbol": row["symbol"],
            "name": row["name"],
            "stage": row["stage"],
            "claimable_lamports": str(row["creator_fees_lamports"]),
            "claimed_lamports": str(int(row["claimed_lamports"] or 0)),
        }
        for row in connection.execute(query).mappings()
    ]
