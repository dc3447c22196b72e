"""The proof that ledger and chain agree: the last check's totals, for everybody."""

import time
from typing import Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from blitzhub.api.dependencies import READS, InServices, PerAddress
from blitzhub.api.models import PROBLEMS
from engine.errors import Unavailable
from engine.ledger.proof import PROOF
from engine.persistence import controls, reports, switches
from engine.persistence.database import Connection
from engine.persistence.switches import Switch

KEPT_S: Final = 1.0
"""Every open page asks; so often a second the database is asked."""

router = APIRouter(tags=["proof"])


class NotCheckedYet(Unavailable):
    """No check has ended since this platform began."""

    code = "not_checked_yet"


class Proof(BaseModel):
    """What the last check found. Amounts are decimal strings of lamports or base units."""

    agrees: bool
    differences: int = Field(description="Holdings and sums that nothing explains; operators know which.")
    checked_at_ms: int
    age_ms: int = Field(description="Time since the check; more than 30,000 means that none has ended of late.")
    slot: int = Field(description="Oldest slot of the chain that was read.")
    figures: dict[str, Any] = Field(
        description="Of SOL and of each token, by kind of address: holdings, ledger, in_flight and chain, where "
        "chain = ledger + in_flight if they agree."
    )
    hash: str = Field(
        description="SHA-256, in hex, of the other fields but age, freeze and pause, as JSON without spaces, "
        "its keys sorted."
    )
    withdrawals_frozen_since_ms: int | None
    buying_paused_since_ms: int | None = Field(description="Since when operators let nobody buy or launch.")


@router.get("/proof", responses=PROBLEMS, dependencies=[Depends(PerAddress(READS))])
async def proof(request: Request, response: Response, services: InServices) -> Proof:
    """Ledger against chain: totals per token and in SOL, how old the check is, and a hash over the figures."""
    state = request.app.state
    until_s, found = getattr(state, "proof", (0.0, None))
    if time.monotonic() >= until_s:
        found = await services.database.read(_latest)
        state.proof = time.monotonic() + KEPT_S, found
    if found is None:
        raise NotCheckedYet("Ledger and chain have not been compared yet.")
    body, frozen_since_ms, paused_since_ms = found
    age_ms = max(0, services.clock.now_ms() - body["checked_at_ms"])
    response.headers["Cache-Control"] = "public, max-age=2"
    switched = {"withdrawals_frozen_since_ms": frozen_since_ms, "buying_paused_since_ms": paused_since_ms}
    return Proof(**body, age_ms=age_ms, **switched)


def _latest(connection: Connection) -> tuple[dict[str, Any], int | None, int | None] | None:
    report = reports.latest(connection, PROOF)
    if report is None:
        return None
    switch = switches.state(connection, Switch.WITHDRAWALS_FROZEN)
    frozen_since_ms = switch.changed_at_ms if switch is not None and switch.is_set else None
    return orjson.loads(report[0]), frozen_since_ms, controls.paused_since_ms(connection)
