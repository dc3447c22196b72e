"""How the platform stands: buying, withdrawals, and ledger against chain."""

from dataclasses import dataclass

import orjson

from engine.ledger.proof import PROOF
from engine.persistence import controls, reports, switches
from engine.persistence.database import Connection
from engine.persistence.switches import Switch


@dataclass(frozen=True, slots=True)
class Status:
    """Times are epoch milliseconds; a `…_since_ms` is None while the thing is on. `agrees` is None before any check."""

    buying_paused_since_ms: int | None
    withdrawals_frozen_since_ms: int | None
    withdrawals_reason: str | None
    agrees: bool | None
    differences: int
    checked_at_ms: int | None


def status(connection: Connection) -> Status:
    """The state, in three statements."""
    report = reports.latest(connection, PROOF)
    body = orjson.loads(report[0]) if report is not None else {}
    withdrawals = switches.state(connection, Switch.WITHDRAWALS_FROZEN)
    frozen = withdrawals if withdrawals is not None and withdrawals.is_set else None
    return Status(
        buying_paused_since_ms=controls.paused_since_ms(connection),
        withdrawals_frozen_since_ms=frozen.changed_at_ms if frozen else None,
        withdrawals_reason=frozen.reason if frozen else None,
        agrees=body.get("agrees"),
        differences=body.get("differences", 0),
        checked_at_ms=body.get("checked_at_ms"),
    )
