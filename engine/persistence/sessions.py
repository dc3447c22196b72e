"""Sessions and sign-in nonces: rows under the hash of a secret that only the browser has."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from engine.persistence.tables import AccountRow, NonceRow, SessionRow, table

_SESSIONS, _NONCES, _ACCOUNTS = table(SessionRow), table(NonceRow), table(AccountRow)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to begin, seen for the first time when it is created."""

    session_hash: str
    account_id: str
    created_at_ms: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Alive:
    """Which sessions have not ended: they expire after `now_ms` and were seen after `idle_since_ms`."""

    now_ms: int
    idle_since_ms: int


@dataclass(frozen=True, slots=True)
class NewNonce:
    """A nonce as given out; `message_input` is the JSON that the signed text is rebuilt from."""

    nonce: str
    presession_hash: str
    message_input: str
    expires_at_ms: int


def replace(connection: Connection, new: NewSession, old: str | None, idle_since_ms: int) -> None:
    """Begin a session, end the one it replaces, and forget every one that has ended by itself."""
    ended = or_(_SESSIONS.c.expires_at_ms <= new.created_at_ms, _SESSIONS.c.seen_at_ms <= idle_since_ms)
    mine = _SESSIONS.c.account_id == new.account_id
    connection.execute(delete(_SESSIONS).where(mine, ended))
    if old is not None:
        delete_session(connection, old)
    connection.execute(insert(_SESSIONS), [{**asdict(new), "seen_at_ms": new.created_at_ms}])


def session(connection: Connection, session_hash: str) -> Mapping[str, Any] | None:
    """The session's times and its account's columns, None for an unknown one."""
    query = (
        select(
            _SESSIONS.c.seen_at_ms,
            _SESSIONS.c.expires_at_ms,
            _SESSIONS.c.created_at_ms.label("signed_in_at_ms"),
            _ACCOUNTS,
        )
        .join_from(_SESSIONS, _ACCOUNTS, _SESSIONS.c.account_id == _ACCOUNTS.c.account_id)
        .where(_SESSIONS.c.session_hash == session_hash)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def touch(connection: Connection, session_hash: str, now_ms: int) -> None:
    """The session was used."""
    statement = update(_SESSIONS).where(_SESSIONS.c.session_hash == session_hash).values(seen_at_ms=now_ms)
    connection.execute(statement)


def delete_session(connection: Connection, session_hash: str) -> None:
    """End the session; harmless for an unknown one."""
    connection.execute(delete(_SESSIONS).where(_SESSIONS.c.session_hash == session_hash))


def delete_sessions(connection: Connection, account_id: str) -> int:
    """End every session of the account; how many there were."""
    return connection.execute(delete(_SESSIONS).where(_SESSIONS.c.account_id == account_id)).rowcount


def sessions_json(connection: Connection, account_id: str, own_hash: str, alive: Alive) -> list[dict[str, Any]]:
    """The account's sessions that have not ended, the newest first; `current` is the one under that hash."""
    mine = (_SESSIONS.c.account_id == account_id) & (_SESSIONS.c.expires_at_ms > alive.now_ms)
    statement = select(_SESSIONS).where(mine, _SESSIONS.c.seen_at_ms > alive.idle_since_ms)
    return [
        {
            "current": row["session_hash"] == own_hash,
            "created_at_ms": row["created_at_ms"],
            "seen_at_ms": row["seen_at_ms"],
            "expires_at_ms": row["expires_at_ms"],
        }
        for row in connection.execute(statement.order_by(_SESSIONS.c.created_at_ms.desc())).mappings()
    ]


def add_nonce(connection: Connection, new: NewNonce, forget_before_ms: int) -> None:
    """Remember a nonce, and forget those that expired before that moment."""
    connection.execute(delete(_NONCES).where(_NONCES.c.expires_at_ms < forget_before_ms))
    connection.execute(insert(_NONCES), [asdict(new)])


def take_nonce(connection: Connection, nonce: str, presession_hash: str) -> Mapping[str, Any] | None:
    """Use the nonce up and return its row; None when that browser has no such nonce (any more).

    Of any number of simultaneous calls one gets the row: the one whose DELETE removed it.
    """
    mine = (_NONCES.c.nonce == nonce) & (_NONCES.c.presession_hash == presession_hash)
    row = connection.execute(select(_NONCES).where(mine)).mappings().first()
    if row is None or connection.execute(delete(_NONCES).where(mine)).rowcount != 1:
        return None
    return dict(row)
