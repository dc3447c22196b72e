"""Switches over the whole platform: set by a service or an operator with a reason, lifted by an operator with another.

Whoever does what a switch forbids asks in its own transaction, so what is set holds at once on every backend.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, insert, select, update

from engine.persistence.tables import SwitchRow, table

_SWITCHES: Final = table(SwitchRow)


class Switch(StrEnum):
    """What can be switched. `withdrawals_frozen`: none is accepted and none that is accepted is signed."""

    WITHDRAWALS_FROZEN = "withdrawals_frozen"


@dataclass(frozen=True, slots=True)
class SwitchState:
    """Where a switch stands, why, by whose hand (a service's name or an operator's) and since when."""

    is_set: bool
    reason: str
    changed_by: str
    changed_at_ms: int


def state(connection: Connection, switch: Switch) -> SwitchState | None:
    """Where it stands; None if it was never set."""
    row = connection.execute(select(_SWITCHES).where(_SWITCHES.c.name == switch.value)).mappings().first()
    if row is None:
        return None
    return SwitchState(bool(row["is_set"]), row["reason"], row["changed_by"], row["changed_at_ms"])


def lock(connection: Connection, switch: Switch) -> SwitchState:
    """Where it stands, and nobody else turns it, or locks it, before this transaction ends.

    Raises IntegrityError when two lock one that was never set at the same moment.
    """
    if state(connection, switch) is None:
        values = {"name": switch.value, "is_set": 0, "reason": "-", "changed_by": "-", "changed_at_ms": 0}
        connection.execute(insert(_SWITCHES).values(values))
    statement = select(_SWITCHES).where(_SWITCHES.c.name == switch.value).with_for_update()
    row = connection.execute(statement).mappings().one()
    return SwitchState(bool(row["is_set"]), row["reason"], row["changed_by"], row["changed_at_ms"])


def is_set(connection: Connection, switch: Switch) -> bool:
    """Whether it is set."""
    found = state(connection, switch)
    return found is not None and found.is_set


def turn(connection: Connection, switch: Switch, to: SwitchState) -> bool:
    """Set or lift it; False when it stood so already, and then the first reason stays.

    Raises IntegrityError when somebody else sets it for the first time at the same moment.
    """
    before = state(connection, switch)
    if to.is_set == (before is not None and before.is_set):
        return False
    values = {
        "is_set": int(to.is_set),
        "reason": to.reason[:300],
        "changed_by": to.changed_by[:60],
        "changed_at_ms": to.changed_at_ms,
    }
    if before is None:
        connection.execute(insert(_SWITCHES).values(name=switch.value, **values))
        return True
    change = update(_SWITCHES).where(_SWITCHES.c.name == switch.value, _SWITCHES.c.is_set == int(before.is_set))
    return connection.execute(change.values(values)).rowcount == 1
