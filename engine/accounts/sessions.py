"""Sessions: a random cookie in the browser, only its hash in the database, an idle and an absolute end."""

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from engine.accounts.accounts import Account, from_row
from engine.accounts.tickets import end_tickets
from engine.errors import Refusal
from engine.identifiers import AccountId, new_secret
from engine.persistence import sessions as rows
from engine.services import Services

_SEEN_STEP_MS: Final = 3_600_000
"""How stale `seen_at_ms` may be: the price of not writing to the database with every request."""

_MAX_COOKIE: Final = 100


class SignInAgain(Refusal):
    """This takes a sign-in of the last minutes."""

    code = "sign_in_again"
    status = 403


def secret_hash(secret: str) -> str:
    """What is stored of a cookie: its SHA-256 in hex, useless to whoever reads the database."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


async def open_session(services: Services, account_id: AccountId, replaced: str | None) -> str:
    """Begin a session and return its cookie; the browser's earlier session, if any, ends with it."""
    cookie = new_secret()
    now_ms = services.clock.now_ms()
    new = rows.NewSession(secret_hash(cookie), account_id, now_ms, now_ms + services.settings.session_absolute_ms)
    old = None if replaced is None else secret_hash(replaced)
    idle_since_ms = now_ms - services.settings.session_idle_ms
    await services.database.write(partial(rows.replace, new=new, old=old, idle_since_ms=idle_since_ms))
    return cookie


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser: whose, and since when."""

    account: Account
    signed_in_at_ms: int


async def account_of(services: Services, cookie: str | None) -> Account | None:
    """The account signed in under that cookie, None for nobody."""
    found = await session_of(services, cookie)
    return None if found is None else found.account


async def session_of(services: Services, cookie: str | None) -> Session | None:
    """The session under that cookie, None for none, an ended or an unknown one. Looked up each time."""
    if not cookie or len(cookie) > _MAX_COOKIE:
        return None
    session_hash = secret_hash(cookie)
    row = await services.database.read(partial(rows.session, session_hash=session_hash))
    now_ms = services.clock.now_ms()
    if row is None or now_ms >= min(row["expires_at_ms"], row["seen_at_ms"] + services.settings.session_idle_ms):
        return None
    if now_ms - row["seen_at_ms"] > min(_SEEN_STEP_MS, services.settings.session_idle_ms // 10):
        await services.database.write(partial(rows.touch, session_hash=session_hash, now_ms=now_ms))
    return Session(from_row(row), row["signed_in_at_ms"])


async def close_session(services: Services, cookie: str | None) -> None:
    """Sign out: the session is gone on every backend at once."""
    if cookie:
        session = await session_of(services, cookie)
        await services.database.write(partial(rows.delete_session, session_hash=secret_hash(cookie)))
        if session is not None:
            await end_tickets(services, session.account.account_id)


async def close_sessions(services: Services, account_id: AccountId) -> int:
    """Sign out everywhere; how many sessions ended."""
    ended = await services.database.write(partial(rows.delete_sessions, account_id=account_id))
    await end_tickets(services, account_id)
    return ended


async def open_sessions(services: Services, account_id: AccountId, cookie: str | None) -> list[dict[str, Any]]:
    """The account's sessions, as the API says them; the one under that cookie is marked."""
    now_ms = services.clock.now_ms()
    alive = rows.Alive(now_ms, now_ms - services.settings.session_idle_ms)
    read = partial(rows.sessions_json, account_id=account_id, own_hash=secret_hash(cookie or ""), alive=alive)
    return await services.database.read(read)
