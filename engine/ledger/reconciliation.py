"""Reconciliation: what does not fit is looked at again, and freezes the withdrawals if it stays.

A check never alarms on one look: a node may show an account before its transaction. What the second and the third look
find unexplained too is named, published and freezes withdrawals until an operator lifts that.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final

import orjson

from engine import metrics
from engine.errors import Refusal, Unavailable
from engine.ledger import proof
from engine.ledger.comparison import Holding, Line
from engine.ledger.foreign import Foreign
from engine.ledger.rotation import Rotation
from engine.ledger.sides import Look, Sides
from engine.persistence import comparison as rows
from engine.persistence import reports, switches
from engine.persistence.database import Connection, DatabaseError
from engine.persistence.switches import Switch, SwitchState
from engine.services import Services

log = logging.getLogger(__name__)

NAME: Final = "reconcile"
LOOKS: Final = 3
LOOK_AGAIN_S: Final = 1.5
LIFTED: Final = "lifted"
"""The report of the last lift: outflows seen before it are not found again."""


class StillDifferent(Refusal):
    """Withdrawals stay frozen: something still is unexplained."""

    code = "still_different"
    status = 409


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that nothing explains, named for an operator. `found` is the chain's figure, or the rebuilt one."""

    check: str
    address: str
    asset: str
    ledger: int
    found: int
    detail: str | None = None

    def __str__(self) -> str:
        words = f"{self.check}: {self.address} {self.asset} ledger {self.ledger} found {self.found}"
        return f"{words} ({self.detail})" if self.detail else words


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of one check; the look's lines are those of the last look at each holding."""

    look: Look
    findings: list[Finding]
    at_ms: int
    looks: int


class Reconciler:
    """One check at a time: `check()` looks, `check_and_record()` has consequences; or `run` until told to stop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sides = Sides(services)
        self._foreign = Foreign(services)
        self._rotation = Rotation(services.database)
        self._told: list[Finding] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Check every `reconcile_ms`, counted from start to start, until `stop` is set."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            due_s = loop.time() + self._services.settings.reconcile_ms / 1000
            try:
                await self.check_and_record()
            except Unavailable as error:
                log.warning("reconciliation waits: %s", error)
            except DatabaseError:
                log.exception("alert=database_error reconciliation waits for the database")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(0.0, due_s - loop.time()))

    async def check_and_record(self) -> Checked:
        """One check, its result published; withdrawals are frozen if anything is found.

        Raises:
            engine.errors.Unavailable: the chain cannot be asked; nothing was recorded.
        """
        started_s = asyncio.get_running_loop().time()
        checked = await self.check()
        took_s = asyncio.get_running_loop().time() - started_s
        metrics.reconciled_at.by(lambda: checked.at_ms / 1000)
        metrics.reconcile_differences.by(lambda: len(checked.findings))
        metrics.reconcile_seconds.by(lambda: took_s)
        frozen = await self._services.database.write(partial(_record, checked=checked))
        if checked.findings and (frozen or checked.findings != self._told):
            log.error("alert=ledger_differs %d differences: %s", len(checked.findings), _summary(checked.findings))
        self._told = checked.findings
        return checked

    async def lift(self, reason: str) -> bool:
        """Let withdrawals go on after a check that finds nothing; False if they were not frozen.

        What left without our signature is taken note of by this and not found again.

        Raises:
            StillDifferent: something is unexplained.
            engine.errors.Unavailable: the chain cannot be asked.
        """
        checked = await self.check()
        standing = [each for each in checked.findings if each.check != OUTFLOW]
        if standing:
            raise StillDifferent(f"Withdrawals stay frozen: {_summary(standing)}", differences=len(standing))
        return await self._services.database.write(partial(_lift, reason=reason, now_ms=checked.at_ms))

    async def check(self) -> Checked:
        """One check, without any consequence."""
        look = await self._sides.look()
        lines = {(line.address, line.asset): line for line in look.lines}
        suspects = await self._suspects(look, lines)
        looks = 1
        while suspects and looks < LOOKS:
            log.info("looking again: %s", "; ".join(str(lines[holding]) for holding in sorted(suspects)[:5]))
            await asyncio.sleep(LOOK_AGAIN_S)
            looks += 1
            again = await self._sides.look({address for address, _ in suspects})
            lines |= {(line.address, line.asset): line for line in again.lines}
            suspects &= await self._suspects(again, lines)
        findings = [
            Finding(CHAIN, line.address, line.asset, line.ledger + line.in_flight_amount, line.chain)
            for line in (lines[holding] for holding in sorted(suspects))
        ]
        findings += await self._ledger_findings()
        return Checked(replace(look, lines=list(lines.values())), findings, self._services.clock.now_ms(), looks)

    async def _suspects(self, look: Look, lines: dict[Holding, Line]) -> set[Holding]:
        """The holdings of this look that nothing explains; arrivals that are not booked yet are noted in `lines`."""
        unexplained = {(line.address, line.asset) for line in look.lines if line.unexplained}
        for holding in look.slots.keys() - unexplained:
            self._foreign.agreed(holding, look.slots[holding])
        if not unexplained:
            return set()
        if any(look.roles[address] == "fee_payers" for address, _ in unexplained):
            self._sides.sum_fees_again()
        for holding in unexplained:
            await self._foreign.learn(holding)
        asked = [each for holding in unexplained for each in self._foreign.transfer_ids(holding)]
        again = await self._sides.again(look, asked)
        suspects: set[Holding] = set()
        for line in again.lines:
            holding = line.address, line.asset
            if holding in unexplained:
                arrivals = self._foreign.on_its_way(holding, again)
                lines[holding] = replace(line, in_flight=(*line.in_flight, *arrivals))
                if lines[holding].unexplained:
                    suspects.add(holding)
        return suspects

    async def _ledger_findings(self) -> list[Finding]:
        """What is wrong inside the ledger: balances their movements do not lead to, and what left by nobody's order."""
        turn = await self._rotation.turn()
        findings = [
            Finding(REBUILD, each.account_id, each.what, each.table, each.rebuilt, "trades and transfers")
            for each in turn.misfits
        ]
        lifted_ms, left = await self._services.database.read(_outflows)
        left += [
            ((account_id, asset), amount) for account_id, asset, amount, at_ms in turn.outflows if at_ms > lifted_ms
        ]
        return findings + [Finding(OUTFLOW, *holding, 0, amount, "nobody here signed it") for holding, amount in left]


CHAIN: Final = "chain"
REBUILD: Final = "rebuild"
OUTFLOW: Final = "outflow"


def _outflows(connection: Connection) -> tuple[int, list[tuple[Holding, int]]]:
    """When withdrawals were last lifted, and what left addresses of no account since, signed by nobody here."""
    lifted = reports.latest(connection, LIFTED)
    lifted_ms = 0 if lifted is None else lifted[1]
    return lifted_ms, rows.foreign_outflows(connection, lifted_ms)


def _record(connection: Connection, checked: Checked) -> bool:
    """Publish the result and freeze withdrawals where there is a difference; whether this froze them."""
    look, at_ms = checked.look, checked.at_ms
    body = proof.published(look.lines, look.roles, len(checked.findings), min(look.slots.values(), default=0), at_ms)
    reports.store(connection, proof.PROOF, orjson.dumps(body), at_ms)
    findings: list[dict[str, Any]] = [asdict(each) for each in checked.findings]
    reports.store(connection, proof.FINDINGS, orjson.dumps(findings), at_ms)
    if not findings:
        return False
    to = SwitchState(True, _summary(checked.findings), NAME, at_ms)
    return switches.turn(connection, Switch.WITHDRAWALS_FROZEN, to)


def _lift(connection: Connection, reason: str, now_ms: int) -> bool:
    reports.store(connection, LIFTED, orjson.dumps({"reason": reason}), now_ms)
    return switches.turn(connection, Switch.WITHDRAWALS_FROZEN, SwitchState(False, reason, "operator", now_ms))


def _summary(findings: Sequence[Finding]) -> str:
    """The first of them in words, as many as fit a switch's reason."""
    words = "; ".join(str(each) for each in findings)
    return words if len(words) <= 300 else f"{words[:280]}… {len(findings)} in all"
