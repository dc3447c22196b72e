"""Sending: pending settlements are planned, built, signed, stored and only then handed to the cluster."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from engine import crash_points, logs, metrics
from engine.crash_points import Point
from engine.errors import Unavailable
from engine.identifiers import SOL
from engine.persistence import settlements as rows
from engine.persistence.database import Connection
from engine.persistence.switches import Switch, is_set
from engine.ports import Blockhash, Signed, SigningRequest
from engine.services import Services
from engine.settlement.crew import Crew
from engine.settlement.flights import Flight, Flights
from engine.settlement.freezing import ShortPayers
from engine.settlement.planning import Holdings, sendable, short_payers
from engine.settlement.programs import MAX_TRANSACTION_BYTES
from engine.settlement.settlement import Settlement, State
from engine.settlement.signer import NotPending
from engine.settlement.signing import SignerRefused
from engine.settlement.transactions import ComputeBudget, build, message_bytes

log = logging.getLogger(__name__)

BLOCKHASH_MS: Final = 1_000
"""How long a blockhash is used: a fraction of the minute it is good for."""

BUILT_AT_ONCE: Final = 16
"""Building takes 0.1 ms each; the event loop breathes after this many."""

SIGNED_AT_ONCE: Final = 50
"""So many are signed, stored and sent before the next: a slow signer delays the first ones no longer."""


GiveUp = Callable[[Settlement, str], Awaitable[None]]
"""Called with a settlement that can never be sent, and why."""


@dataclass(frozen=True, slots=True)
class SendingLimits:
    """How much may be on its way at once, and what a transaction may use.

    Pending rows are read oldest first; `clock_skew_ms` is how far the clocks that dated them may differ.
    """

    in_flight: int
    budget: ComputeBudget
    clock_skew_ms: int


class Sender:
    """One round at a time: `round()`."""

    def __init__(
        self, services: Services, crew: Crew, flights: Flights, limits: SendingLimits, give_up: GiveUp
    ) -> None:
        self._services, self._crew, self._flights, self._limits = services, crew, flights, limits
        self._give_up, self._short = give_up, ShortPayers(services)
        self._window = limits.in_flight
        self._blockhash: Blockhash | None = None
        self._blockhash_at_ms = 0

    async def round(self) -> int:
        """Send what may be sent now; how many were signed.

        Raises:
            engine.errors.Unavailable: chain or signer cannot be asked; whatever is stored will be sent again.
        """
        free = self._limits.in_flight - len(self._flights)
        if free <= 0:
            return 0
        waiting, reserved, complete = await self._unsettled()
        if not waiting:
            return 0
        holdings = await self._holdings(waiting)
        # Read last: what was reserved before and is confirmed by now is in one of the two.
        confirmed = await self._services.database.read(partial(rows.settled_later, slot=holdings.slot))
        covered = sendable(waiting, reserved, confirmed, holdings)
        if len(covered) < len(waiting):
            await self._short.seen(short_payers(waiting, reserved, confirmed, holdings))
        if covered:
            self._window = self._limits.in_flight
        elif not complete:
            self._window *= 2
        mine = [settlement for settlement in covered if self._crew.is_mine(settlement.settlement_id)]
        chosen, count = await self._without_frozen(mine[:free]), 0
        postponed: list[Unavailable] = []
        for start in range(0, len(chosen), SIGNED_AT_ONCE):
            signed = await self._signed(chosen[start : start + SIGNED_AT_ONCE], postponed)
            if signed:
                await self.send(await self._stored(signed))
            count += len(signed)
        if postponed and not count:
            raise postponed[0]
        return count

    async def _without_frozen(self, chosen: list[Settlement]) -> list[Settlement]:
        """No withdrawal is signed while they are frozen, not even one that was released before."""
        if not any(settlement.kind.pays_out for settlement in chosen):
            return chosen
        if not await self._services.database.read(partial(is_set, switch=Switch.WITHDRAWALS_FROZEN)):
            return chosen
        return [settlement for settlement in chosen if not settlement.kind.pays_out]

    async def _unsettled(self) -> tuple[list[Settlement], list[Settlement], bool]:
        """The oldest pending settlements, cut where an older one may be missing; all that are reserved at the same
        moment, whoever follows them; and whether that is all that is pending.
        """
        while True:
            limit = self._window * len(self._crew.living)
            found, reserved = await self._services.database.read(partial(_pending_and_reserved, limit=limit))
            if len(found) < limit:
                return found, reserved, True
            cut_ms = found[-1].created_at_ms - self._limits.clock_skew_ms
            whole = [settlement for settlement in found if settlement.created_at_ms < cut_ms]
            if whole:
                return whole, reserved, False
            self._window *= 2

    async def _holdings(self, waiting: list[Settlement]) -> Holdings:
        keys = {(payer, asset) for settlement in waiting for payer, asset, _ in settlement.outflows()}
        wallets = sorted(payer for payer, asset in keys if asset == SOL)
        accounts = sorted(key for key in keys if key[1] != SOL)
        found = await self._services.chain.balances(wallets, accounts)
        return Holdings.of(found)

    async def _signed(self, chosen: list[Settlement], postponed: list[Unavailable]) -> list[Settlement]:
        """Those that were signed. One that never can be is given up, one that somebody else signed is dropped.

        Why others cannot be signed now is added to `postponed`.
        """
        if any(settlement.attempt for settlement in chosen):
            self._blockhash = None  # with the same one a repeated message would be the very transaction that failed
        blockhash = await self._fresh_blockhash()
        requests = await self._built(chosen, blockhash)
        crash_points.before(Point.SIGNED)
        answers = await self._services.signer.sign([request for _, request in requests])
        crash_points.after(Point.SIGNED)
        signed = []
        for (settlement, _), answer in zip(requests, answers, strict=True):
            if isinstance(answer, Signed) and len(answer.transaction) <= MAX_TRANSACTION_BYTES:
                signed.append(_as_signed(settlement, answer, blockhash))
            elif isinstance(answer, Signed):
                await self._give_up(settlement, f"the transaction has {len(answer.transaction)} bytes")
            elif isinstance(answer, SignerRefused) and not isinstance(answer, NotPending):
                metrics.signer_errors.labels("refused").inc()
                await self._give_up(settlement, answer.detail)
            else:
                log.warning("settlement %s is not signed now: %s", settlement.settlement_id, answer)
        unavailable = [answer for answer in answers if isinstance(answer, Unavailable)]
        metrics.signer_errors.labels("unavailable").inc(len(unavailable))
        metrics.settlements_signed.inc(len(signed))
        postponed += unavailable
        return signed

    async def _built(self, chosen: list[Settlement], blockhash: Blockhash) -> list[tuple[Settlement, SigningRequest]]:
        fee_payer = await self._services.signer.fee_payer()
        requests = []
        for number, settlement in enumerate(chosen):
            if number % BUILT_AT_ONCE == BUILT_AT_ONCE - 1:
                await asyncio.sleep(0)
            try:
                message = message_bytes(build(settlement, fee_payer, blockhash.value, self._limits.budget))
            except Exception as error:
                # One row that cannot be built must not keep all others from the chain.
                log.exception("settlement %s cannot be built", settlement.settlement_id)
                await self._give_up(settlement, repr(error))
            else:
                requests.append((settlement, SigningRequest(settlement.settlement_id, message)))
        return requests

    async def _stored(self, signed: list[Settlement]) -> list[Flight]:
        """The flights of those whose bytes are on disk now; the others were taken by somebody else and are dropped."""
        store = partial(rows.store_signed, signed=signed, worker=self._crew.name)
        crash_points.before(Point.STORED)
        stored = await self._services.database.write(store)
        crash_points.after(Point.STORED)
        flights = [self._flights.add(settlement) for settlement in signed if settlement.settlement_id in stored]
        for flight in flights:
            _follow(flight.settlement)
        return flights

    async def send(self, flights: list[Flight]) -> None:
        """Hand the stored bytes of these to the cluster, for the first time or again."""
        now_ms = self._services.clock.now_ms()
        for flight in flights:
            flight.sent_at_ms = now_ms
        chain = self._services.chain
        crash_points.before(Point.SENT)
        _, refusals = await asyncio.gather(
            chain.watch([flight.signature for flight in flights]),
            chain.send([flight.transaction for flight in flights]),
        )
        crash_points.after(Point.SENT)
        for flight, refusal in zip(flights, refusals, strict=True):
            if refusal is not None:
                log.warning("settlement %s: the node said %s", flight.settlement.settlement_id, refusal)

    async def _fresh_blockhash(self) -> Blockhash:
        now_ms = self._services.clock.now_ms()
        if self._blockhash is None or now_ms - self._blockhash_at_ms > BLOCKHASH_MS:
            self._blockhash, self._blockhash_at_ms = await self._services.chain.latest_blockhash(), now_ms
        return self._blockhash


def _follow(signed: Settlement) -> None:
    """A trade's settlement has its order's id."""
    ids = {"settlement_id": signed.settlement_id, "kind": signed.kind.value, "signature": signed.signature}
    logs.step("sent", **ids, attempt=signed.attempt)


def _pending_and_reserved(connection: Connection, limit: int) -> tuple[list[Settlement], list[Settlement]]:
    found = rows.pending(connection, limit)
    return found, rows.reserved(connection) if found else []


def _as_signed(settlement: Settlement, signed: Signed, blockhash: Blockhash) -> Settlement:
    return replace(
        settlement,
        state=State.SIGNED,
        attempt=settlement.attempt + 1,
        signature=signed.signature,
        signed_bytes=signed.transaction,
        last_valid_block_height=blockhash.last_valid_block_height,
    )
