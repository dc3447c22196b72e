"""What is stopped because the chain refused it: accounts that may neither trade nor withdraw, and tokens nobody trades.
An operator's hold on a token, whose orders wait, stands here too.

The reason is kept where the decision is made, on rows that trading locks anyway: an account's on its SOL balance, a
token's on the token. An operator ends it (`workers/frozen.py`).
"""

from typing import Any, Final

from sqlalchemy import Connection, select, update

from engine.identifiers import SOL
from engine.persistence.settlements import KEPT_BY_FAILURE
from engine.persistence.trading import BALANCES, SETTLEMENTS, TOKENS
from engine.settlement.settlement import State

REASON_LENGTH: Final = 200


def freeze_account(connection: Connection, account_id: str, reason: str) -> bool:
    """Freeze it; False if it was frozen already, and then the first reason stays."""
    found = (BALANCES.c.account_id == account_id) & (BALANCES.c.asset == SOL) & BALANCES.c.frozen.is_(None)
    return connection.execute(update(BALANCES).where(found).values(frozen=reason[:REASON_LENGTH])).rowcount == 1


def hold_token(connection: Connection, token: str, reason: str, now_ms: int) -> bool:
    """Stop every trade of it; False if it was held already."""
    values = {"held": 1, "paused": 1, "failure": reason[:REASON_LENGTH], "updated_at_ms": now_ms}
    found = (TOKENS.c.address == token) & (TOKENS.c.held == 0)
    return connection.execute(update(TOKENS).where(found).values(values)).rowcount == 1


def set_held(connection: Connection, token: str, is_held: bool) -> bool | None:
    """Hold the token's orders or let them go; None when there is no such token.

    False when it stood so already, and for a token that is held because its vault cannot pay (`hold_token`).
    """
    mine = select(TOKENS.c.held, TOKENS.c.failure).where(TOKENS.c.address == token).with_for_update()
    before = connection.execute(mine).one_or_none()
    if before is None:
        return None
    if bool(before.held) == is_held or before.failure is not None:
        return False
    connection.execute(update(TOKENS).where(TOKENS.c.address == token).values(held=int(is_held)))
    return True


def reason_of(connection: Connection, account_id: str) -> str | None:
    """Why an account is frozen; None if it is not."""
    found = (BALANCES.c.account_id == account_id) & (BALANCES.c.asset == SOL)
    return connection.execute(select(BALANCES.c.frozen).where(found)).scalar()


def release(connection: Connection, address: str, now_ms: int) -> bool:
    """Let an account or a token go on; False if it was neither frozen nor held."""
    account = (BALANCES.c.account_id == address) & (BALANCES.c.asset == SOL) & BALANCES.c.frozen.is_not(None)
    if connection.execute(update(BALANCES).where(account).values(frozen=None)).rowcount:
        return True
    token = (TOKENS.c.address == address) & (TOKENS.c.held == 1)
    values = {"held": 0, "paused": 0, "failure": None, "updated_at_ms": now_ms}
    return connection.execute(update(TOKENS).where(token).values(values)).rowcount == 1


def retry(connection: Connection, settlement_id: str) -> bool:
    """Let a failed settlement be signed again; False if it has not failed, or was undone when it did."""
    found = (SETTLEMENTS.c.settlement_id == settlement_id) & (SETTLEMENTS.c.state == State.FAILED.value)
    kept = SETTLEMENTS.c.kind.in_(KEPT_BY_FAILURE)
    values = {"state": State.PENDING.value, "errors": 0}
    return connection.execute(update(SETTLEMENTS).where(found, kept).values(values)).rowcount == 1


def frozen(connection: Connection) -> list[dict[str, Any]]:
    """Everything that waits for an operator: {what, id, reason}."""
    accounts = select(BALANCES.c.account_id, BALANCES.c.frozen).where(BALANCES.c.asset == SOL)
    tokens = select(TOKENS.c.address, TOKENS.c.failure).where(TOKENS.c.held == 1)
    failed = select(SETTLEMENTS.c.settlement_id, SETTLEMENTS.c.error).where(
        SETTLEMENTS.c.state == State.FAILED.value, SETTLEMENTS.c.kind.in_(KEPT_BY_FAILURE)
    )
    groups = {"account": accounts.where(BALANCES.c.frozen.is_not(None)), "token": tokens, "settlement": failed}
    return [
        {"what": what, "id": row[0], "reason": row[1]}
        for what, statement in groups.items()
        for row in connection.execute(statement)
    ]
