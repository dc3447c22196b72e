"""Bots' keys: rows under the hash of a secret that was shown once. A revoked key stays, so that it can be shown."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from engine.persistence.tables import AccountRow, ApiKeyRow, table

_KEYS, _ACCOUNTS = table(ApiKeyRow), table(AccountRow)


def add_key(connection: Connection, key: Mapping[str, Any]) -> None:
    """Keep a new key's row."""
    connection.execute(insert(_KEYS), [dict(key)])


def lock_account(connection: Connection, account_id: str) -> None:
    """Nobody else gives this account a key before the transaction ends."""
    connection.execute(select(_ACCOUNTS.c.account_id).where(_ACCOUNTS.c.account_id == account_id).with_for_update())


def count_keys(connection: Connection, account_id: str) -> int:
    """How many good keys the account has."""
    statement = select(func.count()).select_from(_KEYS)
    statement = statement.where(_KEYS.c.account_id == account_id, _KEYS.c.revoked_at_ms == 0)
    return int(connection.execute(statement).scalar_one())


def key_by_hash(connection: Connection, key_hash: str) -> Mapping[str, Any] | None:
    """The good key with that hash and its account's columns; None for none."""
    statement = (
        select(_KEYS.c.key_id, _KEYS.c.scopes, _KEYS.c.used_at_ms, _ACCOUNTS)
        .join_from(_KEYS, _ACCOUNTS, _KEYS.c.account_id == _ACCOUNTS.c.account_id)
        .where(_KEYS.c.key_hash == key_hash, _KEYS.c.revoked_at_ms == 0)
    )
    row = connection.execute(statement).mappings().first()
    return None if row is None else dict(row)


def touch_key(connection: Connection, key_id: str, now_ms: int) -> None:
    """The key was used."""
    connection.execute(update(_KEYS).where(_KEYS.c.key_id == key_id).values(used_at_ms=now_ms))


def revoke_key(connection: Connection, account_id: str, key_id: str, now_ms: int) -> bool:
    """End a key of that account; False where it has no such good key."""
    mine = (_KEYS.c.key_id == key_id) & (_KEYS.c.account_id == account_id) & (_KEYS.c.revoked_at_ms == 0)
    return connection.execute(update(_KEYS).where(mine).values(revoked_at_ms=now_ms)).rowcount == 1


def keys_json(connection: Connection, account_id: str) -> list[dict[str, Any]]:
    """The account's keys, the newest first, without anything that could be used."""
    statement = select(_KEYS).where(_KEYS.c.account_id == account_id)
    statement = statement.order_by(_KEYS.c.created_at_ms.desc(), _KEYS.c.key_id)
    return [
        {
            "key_id": row["key_id"],
            "name": row["name"],
            "scopes": row["scopes"].split(" "),
            "created_at_ms": row["created_at_ms"],
            "used_at_ms": row["used_at_ms"] or None,
            "revoked_at_ms": row["revoked_at_ms"] or None,
        }
        for row in connection.execute(statement).mappings()
    ]
