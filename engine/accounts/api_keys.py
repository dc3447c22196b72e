"""Bots' keys: a secret shown once, its hash in the database, and what each key may do."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from engine.accounts.accounts import Account, from_row
from engine.accounts.sessions import secret_hash
from engine.accounts.tickets import end_tickets
from engine.errors import NotFound, Refusal
from engine.identifiers import new_secret
from engine.persistence import api_keys as rows
from engine.persistence.database import Connection
from engine.services import Services

MAX_KEYS: Final = 20
_PREFIX: Final = "bh_"
_MAX_SECRET: Final = 100
_LONGEST_NAME: Final = 40
_USED_STEP_MS: Final = 60_000
"""How stale `used_at_ms` may be: the price of not writing to the database with every request."""


class Scope(StrEnum):
    """What a caller may do: look at the account, trade and launch, take money out."""

    READ = "read"
    TRADE = "trade"
    WITHDRAW = "withdraw"


class InvalidApiKey(Refusal):
    """Unknown, revoked, or no key at all."""

    code = "invalid_api_key"
    status = 401


class ApiKeyRefused(Refusal):
    """A key without a name, or without anything it may do."""

    code = "invalid_api_key_request"
    status = 422


class TooManyApiKeys(Refusal):
    """One has to be revoked first."""

    code = "too_many_api_keys"
    status = 409


class UnknownApiKey(NotFound):
    """The account has no such key, or it was revoked."""

    code = "unknown_api_key"


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whose key it is, and what it may do."""

    account: Account
    scopes: frozenset[Scope]


async def create_api_key(services: Services, account: Account, name: object, scopes: object) -> dict[str, Any]:
    """Make a key; the answer's `secret` is told here and never again.

    Raises:
        ApiKeyRefused, TooManyApiKeys.
    """
    wanted = _read_scopes(scopes)
    if not isinstance(name, str) or not 0 < len(name.strip()) <= _LONGEST_NAME or not name.strip().isprintable():
        raise ApiKeyRefused("A key has a name of 1 to 40 characters, each of which can be seen.")
    secret, now_ms = _PREFIX + new_secret(), services.clock.now_ms()
    row = {
        "key_id": secrets.token_hex(8),
        "account_id": account.account_id,
        "key_hash": secret_hash(secret),
        "name": name.strip(),
        "scopes": " ".join(wanted),
        "created_at_ms": now_ms,
        "used_at_ms": 0,
        "revoked_at_ms": 0,
    }
    await services.database.write(partial(_add, row=row))
    return {"key_id": row["key_id"], "name": row["name"], "scopes": wanted, "created_at_ms": now_ms, "secret": secret}


def _add(connection: Connection, row: dict[str, Any]) -> None:
    rows.lock_account(connection, row["account_id"])
    if rows.count_keys(connection, row["account_id"]) >= MAX_KEYS:
        raise TooManyApiKeys(f"An account has at most {MAX_KEYS} keys; revoke one first.")
    rows.add_key(connection, row)


def _read_scopes(scopes: object) -> list[str]:
    known = [scope.value for scope in Scope]
    if not isinstance(scopes, Iterable) or isinstance(scopes, str | bytes):
        raise ApiKeyRefused("scopes is a list.")
    asked = list(scopes)
    if not asked or any(one not in known for one in asked):
        raise ApiKeyRefused(f"scopes holds some of {', '.join(known)}.")
    return [scope for scope in known if scope in asked]


async def holder_of(services: Services, secret: str) -> KeyHolder:
    """Whose key this is; looked up each time, so that a revoked one ends at once.

    Raises:
        InvalidApiKey: nobody's.
    """
    row = None
    if secret.startswith(_PREFIX) and len(secret) <= _MAX_SECRET:
        row = await services.database.read(partial(rows.key_by_hash, key_hash=secret_hash(secret)))
    if row is None:
        raise InvalidApiKey("This API key is unknown or was revoked.")
    now_ms = services.clock.now_ms()
    if now_ms - row["used_at_ms"] > _USED_STEP_MS:
        await services.database.write(partial(rows.touch_key, key_id=row["key_id"], now_ms=now_ms))
    return KeyHolder(from_row(dict(row)), frozenset(Scope(scope) for scope in row["scopes"].split(" ")))


async def revoke_api_key(services: Services, account: Account, key_id: str) -> None:
    """End a key, on every backend at once.

    Raises:
        UnknownApiKey.
    """
    end = partial(rows.revoke_key, account_id=account.account_id, key_id=key_id, now_ms=services.clock.now_ms())
    if not await services.database.write(end):
        raise UnknownApiKey("You have no such key, or it was revoked before.")
    await end_tickets(services, account.account_id)
