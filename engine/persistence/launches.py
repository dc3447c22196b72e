"""The launch's statements: the token's row with its keys and settlement, and the changes of its stage."""

from sqlalchemy import Connection, func, insert, select

from engine.persistence.bulk import insert_rows, update_rows
from engine.persistence.tables import WalletRow, table
from engine.persistence.trading import (
    ACCOUNTS,
    BALANCE_STATE,
    BALANCES,
    SETTLEMENTS,
    TOKENS,
    TRANSFERS,
    lock_tokens,
)
from engine.trading.rows import Row

WALLETS = table(WalletRow)

_STAGE = ("stage", "failure", "tradable_at_ms", "updated_at_ms")


def exists(connection: Connection, token: str) -> bool:
    """Whether the token has a row."""
    return bool(connection.execute(select(func.count()).where(TOKENS.c.address == token)).scalar_one())


def lock(connection: Connection, token: str) -> Row:
    """The token's row, locked."""
    return lock_tokens(connection, [token])[token]


def creator(connection: Connection, account_id: str) -> Row:
    """The creator's account: its trading wallet, and whether it calls itself simulated."""
    statement = select(ACCOUNTS.c.wallet, ACCOUNTS.c.simulated).where(ACCOUNTS.c.account_id == account_id)
    return dict(connection.execute(statement).mappings().one())


def book(connection: Connection, token: Row, wallets: list[Row], sol: Row, transfer: Row, settlement: Row) -> None:
    """Write a launch: the token, its keys, what the creator paid, and the settlement that makes it real."""
    connection.execute(insert(TOKENS), [token])
    insert_rows(connection, WALLETS, wallets)
    update_rows(connection, BALANCES, ("account_id", "asset"), BALANCE_STATE, [sol])
    insert_rows(connection, TRANSFERS, [transfer])
    insert_rows(connection, SETTLEMENTS, [settlement])


def write_stage(connection: Connection, token: Row) -> None:
    """The token's stage is another one now."""
    update_rows(connection, TOKENS, ("address",), _STAGE, [token])


def write_failure(connection: Connection, token: Row, sol: Row, refund: Row) -> None:
    """The launch failed: close the token and give the money back."""
    write_stage(connection, token)
    update_rows(connection, BALANCES, ("account_id", "asset"), BALANCE_STATE, [sol])
    insert_rows(connection, TRANSFERS, [refund])
