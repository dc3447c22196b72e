"""What came in for an account, and the token accounts it could close, as its owner is shown them."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from engine.identifiers import SOL
from engine.persistence.trading import ACCOUNTS, BALANCES, TOKENS, TRANSFERS

DEPOSIT = "deposit"


def deposits_json(connection: Connection, account_id: str, limit: int) -> list[dict[str, Any]]:
    """The account's newest deposits, with the keys of a withdrawal that arrived."""
    statement = (
        select(TRANSFERS, TOKENS.c.symbol, TOKENS.c.decimals)
        .join_from(TRANSFERS, TOKENS, TOKENS.c.address == TRANSFERS.c.asset, isouter=True)
        .where(TRANSFERS.c.account_id == account_id, TRANSFERS.c.kind == DEPOSIT)
        .order_by(TRANSFERS.c.account_seq.desc())
        .limit(limit)
    )
    return [
        {
            "withdrawal_id": row["transfer_id"],
            "kind": DEPOSIT,
            "direction": "in",
            "asset": row["asset"],
            "symbol": "SOL" if row["asset"] == SOL else row["symbol"],
            "decimals": 9 if row["asset"] == SOL else row["decimals"],
            "amount": str(row["amount"]),
            "state": "confirmed",
            "signature": row["signature"],
            "cancellable": False,
            "created_at_ms": row["created_at_ms"],
        }
        for row in connection.execute(statement).mappings()
    ]


def empty_accounts_json(connection: Connection, account_id: str) -> list[dict[str, Any]]:
    """The token accounts that hold nothing."""
    statement = (
        select(TOKENS.c.address, TOKENS.c.symbol)
        .join_from(BALANCES, TOKENS, BALANCES.c.asset == TOKENS.c.address)
        .where(BALANCES.c.account_id == account_id, BALANCES.c.amount == 0)
        .order_by(TOKENS.c.symbol, TOKENS.c.address)
    )
    return [{"token": row.address, "symbol": row.symbol} for row in connection.execute(statement)]


@dataclass(frozen=True, slots=True)
class TokenHolding:
    """A token account of an account's trading wallet."""

    account_id: str
    wallet: str
    token: str


def token_holdings(connection: Connection) -> list[TokenHolding]:
    """Every token account that the ledger knows of, empty ones too."""
    return [TokenHolding(row.account_id, row.wallet, row.asset) for row in connection.execute(_TOKEN_HOLDINGS)]


_TOKEN_HOLDINGS: Final = (
    select(BALANCES.c.account_id, ACCOUNTS.c.wallet, BALANCES.c.asset)
    .join_from(BALANCES, ACCOUNTS, ACCOUNTS.c.account_id == BALANCES.c.account_id)
    .where(BALANCES.c.asset != SOL)
)
