"""What operators switch: tokens, accounts, the platform; read as it stands and set, each in one statement.

An operator's freeze of an account has a reason of its own, so that it never lifts one that settlement has set.
"""

from typing import Any, Final

from sqlalchemy import Connection, ScalarSelect, delete, insert, select, update

from engine.identifiers import SOL
from engine.persistence.tables import AccountRow, PauseRow, table
from engine.persistence.trading import BALANCES, TOKENS

_PAUSES, _ACCOUNTS = table(PauseRow), table(AccountRow)

PLATFORM: Final = "platform"
OPERATORS_FREEZE: Final = "An operator has put this account on hold."
"""What the owner of an account that an operator froze is told."""

TOKEN_FLAGS: Final = ("paused", "held", "hidden")

_PAUSED_SINCE: Final = select(_PAUSES.c.paused_at_ms).where(_PAUSES.c.scope == PLATFORM)
"""Built once: the workers ask it again and again."""


def platform_paused() -> ScalarSelect[Any]:
    """A column for other statements: when all buying was paused, NULL while it is not."""
    return _PAUSED_SINCE.scalar_subquery()


def paused_since_ms(connection: Connection) -> int | None:
    """Since when all buying is paused, None while it is not."""
    return connection.execute(_PAUSED_SINCE).scalar()


def pause(connection: Connection, now_ms: int) -> bool:
    """Pause all buying; False when it is. Raises IntegrityError when somebody else does at the same moment."""
    if paused_since_ms(connection) is not None:
        return False
    connection.execute(insert(_PAUSES).values(scope=PLATFORM, paused_at_ms=now_ms))
    return True


def resume(connection: Connection) -> bool:
    """Let everybody buy again; False when they may."""
    return connection.execute(delete(_PAUSES).where(_PAUSES.c.scope == PLATFORM)).rowcount == 1


def token(connection: Connection, address: str) -> dict[str, Any] | None:
    """The token's row, None for none."""
    row = connection.execute(select(TOKENS).where(TOKENS.c.address == address)).mappings().first()
    return None if row is None else dict(row)


def set_token(connection: Connection, address: str, flag: str, is_set: bool, now_ms: int) -> dict[str, Any] | None:
    """Set or lift one of `TOKEN_FLAGS`; the row as it is then, None when it stood so already or there is no such token.

    A token whose vault cannot pay keeps what that has set.
    """
    assert flag in TOKEN_FLAGS
    found = (TOKENS.c.address == address) & (TOKENS.c[flag] == int(not is_set))
    if flag != "hidden":
        found &= TOKENS.c.failure.is_(None)
    change = update(TOKENS).where(found).values({flag: int(is_set), "updated_at_ms": now_ms})
    return token(connection, address) if connection.execute(change).rowcount else None


def account(connection: Connection, account_id: str) -> dict[str, Any] | None:
    """Why the account is frozen, if it is; None when there is no such account."""
    query = (
        select(_ACCOUNTS.c.account_id, BALANCES.c.frozen, BALANCES.c.account_seq)
        .join_from(_ACCOUNTS, BALANCES, BALANCES.c.account_id == _ACCOUNTS.c.account_id)
        .where(_ACCOUNTS.c.account_id == account_id, BALANCES.c.asset == SOL)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def set_frozen(connection: Connection, account_id: str, is_frozen: bool) -> bool:
    """Freeze the account by an operator's hand, or lift that; False when it stood so, or settlement froze it."""
    mine = (BALANCES.c.account_id == account_id) & (BALANCES.c.asset == SOL)
    mine &= BALANCES.c.frozen.is_(None) if is_frozen else BALANCES.c.frozen == OPERATORS_FREEZE
    change = update(BALANCES).where(mine).values(frozen=OPERATORS_FREEZE if is_frozen else None)
    return connection.execute(change).rowcount == 1


def switched(connection: Connection) -> list[dict[str, Any]]:
    """Everything an operator has switched and not switched back: {what, target, symbol}."""
    flags = (TOKENS.c.paused == 1) | (TOKENS.c.held == 1) | (TOKENS.c.hidden == 1)
    columns = (TOKENS.c.address, TOKENS.c.symbol, TOKENS.c.paused, TOKENS.c.held, TOKENS.c.hidden, TOKENS.c.failure)
    tokens = connection.execute(select(*columns).where(flags).order_by(TOKENS.c.symbol)).mappings()
    found = [
        {"what": flag, "target": row["address"], "symbol": row["symbol"], "failure": row["failure"]}
        for row in tokens
        for flag in TOKEN_FLAGS
        if row[flag]
    ]
    frozen = select(BALANCES.c.account_id, BALANCES.c.frozen).where(
        BALANCES.c.asset == SOL, BALANCES.c.frozen.is_not(None)
    )
    return found + [
        {
            "what": "frozen",
            "target": row["account_id"],
            "symbol": None,
            "failure": None if row["frozen"] == OPERATORS_FREEZE else row["frozen"],
        }
        for row in connection.execute(frozen).mappings()
    ]
