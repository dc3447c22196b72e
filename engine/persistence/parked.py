"""Parked orders: what could not be executed and waits for an operator, who ends each once.

The table is the truth. The broker's dead-letter queue is only the way here: a message leaves it once its row is kept.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from engine.persistence.tables import OrderRow, ParkedRow, table
from engine.trading.orders import Order, OrderState, UnreadableOrder, decoded

PARKED: Final = "parked"
"""The state of a row that nobody has ended."""

REPLAY: Final = "replay"
REJECT: Final = "reject"
"""How an operator may want it ended."""

MAX_PAGE: Final = 1_000
MAX_SHOWN: Final = 50


_PARKED, _ORDERS = table(ParkedRow), table(OrderRow)


def parked_row(token: str, body: bytes, cause: str, now_ms: int) -> dict[str, Any]:
    """The row of a message. Its id is the order's; of what is no order it is the hash of queue and body."""
    try:
        order = decoded(body)
    except UnreadableOrder:
        order = None
    return {
        "parked_id": hashlib.blake2b(token.encode() + body, digest_size=16).hexdigest()
        if order is None
        else order.order_id,
        "account_id": None if order is None else order.account_id,
        "token": token[:44],
        "body": body,
        "cause": cause,
        "state": PARKED,
        "note": None,
        "parked_at_ms": now_ms,
        "ended_at_ms": 0,
    }


def park(rows: Sequence[Mapping[str, Any]], connection: Connection) -> int:
    """Keep the messages, one that was ended before and came back as parked again; returns how many are parked now.

    An order that is final is none of them. Raises IntegrityError when somebody else parks one at the same moment.
    """
    parked = 0
    for row in {row["parked_id"]: row for row in rows}.values():
        parked_id = row["parked_id"]
        if connection.execute(select(_ORDERS.c.order_id).where(_ORDERS.c.order_id == parked_id)).first():
            continue
        state = connection.execute(select(_PARKED.c.state).where(_PARKED.c.parked_id == parked_id)).scalar()
        if state is None:
            connection.execute(insert(_PARKED), [dict(row)])
        else:
            again = {name: row[name] for name in ("body", "cause", "state", "note", "parked_at_ms", "ended_at_ms")}
            connection.execute(update(_PARKED).where(_PARKED.c.parked_id == parked_id).values(again))
        parked += 1
    return parked


def waiting(connection: Connection) -> list[dict[str, Any]]:
    """The parked messages, oldest first, at most a thousand."""
    query = select(_PARKED).where(_PARKED.c.state == PARKED).order_by(_PARKED.c.parked_at_ms, _PARKED.c.parked_id)
    return [dict(row) for row in connection.execute(query.limit(MAX_PAGE)).mappings()]


def one(connection: Connection, parked_id: str) -> dict[str, Any] | None:
    """A message that is or was parked."""
    row = connection.execute(select(_PARKED).where(_PARKED.c.parked_id == parked_id)).mappings().first()
    return None if row is None else dict(row)


def end(connection: Connection, parked_id: str, state: str, note: str | None, now_ms: int) -> bool:
    """Take the message out of `parked`; False when somebody has done so already."""
    ended = update(_PARKED).where(_PARKED.c.parked_id == parked_id, _PARKED.c.state == PARKED)
    return connection.execute(ended.values(state=state, note=note, ended_at_ms=now_ms)).rowcount == 1


def want(connection: Connection, parked_id: str, wanted: str, note: str) -> bool:
    """Have a trade worker end it so, `note` saying why; False when it is not parked any more."""
    found = update(_PARKED).where(_PARKED.c.parked_id == parked_id, _PARKED.c.state == PARKED)
    return connection.execute(found.values(wanted=wanted, wanted_note=note)).rowcount == 1


def wanted(connection: Connection) -> list[dict[str, Any]]:
    """What operators want ended: {parked_id, wanted, wanted_note}, oldest first."""
    columns = (_PARKED.c.parked_id, _PARKED.c.wanted, _PARKED.c.wanted_note)
    query = select(*columns).where(_PARKED.c.state == PARKED, _PARKED.c.wanted.is_not(None))
    return [dict(row) for row in connection.execute(query.order_by(_PARKED.c.parked_at_ms)).mappings()]


def take_up(connection: Connection, parked_id: str) -> bool:
    """Take such a wish up; of several workers one can. Whoever dies of it leaves the order parked, unwanted."""
    mine = (_PARKED.c.parked_id == parked_id) & _PARKED.c.wanted.is_not(None)
    return connection.execute(update(_PARKED).where(mine).values(wanted=None)).rowcount == 1


def parked_order(connection: Connection, order_id: str) -> Order | None:
    """The order, if it is parked now."""
    query = select(_PARKED.c.body).where(_PARKED.c.parked_id == order_id, _PARKED.c.state == PARKED)
    body = connection.execute(query.where(_PARKED.c.account_id.is_not(None))).scalar()
    return None if body is None else decoded(bytes(body))


def decided_state(connection: Connection, order_id: str) -> OrderState | None:
    """Where the order ended, None while it is not final."""
    state = connection.execute(select(_ORDERS.c.state).where(_ORDERS.c.order_id == order_id)).scalar()
    return None if state is None else OrderState(state)
