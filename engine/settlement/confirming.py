"""Confirming: what became of the transactions in flight, told by their statuses and never by a clock.

Landed is what the cluster's history knows. Dropped is what it does not know after the finalized chain has left the
transaction's blockhash behind; only then, or after a finalized error, is a settlement signed again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final

from engine import crash_points, logs, metrics
from engine.crash_points import Point
from engine.identifiers import SOL
from engine.persistence import settlements as rows
from engine.persistence.database import Connection, RowMapping
from engine.ports import BusMessage, SignatureStatus
from engine.services import Services
from engine.settlement import rents
from engine.settlement.flights import Flight, Flights
from engine.settlement.freezing import freeze, vault_is_short
from engine.settlement.settlement import Kind, Settlement, State
from engine.settlement.transactions import blockhash_of, fee_lamports_of
from engine.trading import events
from engine.trading.orders import OrderState
from engine.trading.rows import booking_id

log = logging.getLogger(__name__)

MAX_ERRORS: Final = 3
"""Landed errors after which a settlement is left to an operator."""

OnConfirmed = Callable[[Connection, Mapping[str, Any], int], list[BusMessage]]
"""Called in the confirming transaction with the settlement's row and the time in epoch ms; returns what to publish."""

OnFailed = Callable[[Connection, Mapping[str, Any], int, str], list[BusMessage]]
"""Likewise for one that failed for good, with the error."""


def _nothing(connection: Connection, settlement: Mapping[str, Any], now_ms: int, error: str) -> list[BusMessage]:
    """An operator looks at it; the ledger waits for that."""
    return []


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the end of one kind of settlement sets off in the ledger."""

    confirmed: OnConfirmed
    failed: OnFailed = _nothing


HooksByKind = Mapping[Kind, Hooks]
"""Kinds that are left out set off nothing."""


class Confirmer:
    """Asks where flights stand and moves their rows."""

    def __init__(
        self,
        services: Services,
        flights: Flights,
        hooks: HooksByKind,
    ) -> None:
        self._services, self._flights, self._hooks = services, flights, hooks

    async def look(self, flights: Sequence[Flight], search_history: bool = False, since_slot: int = 0) -> list[Flight]:
        """Ask for the statuses of these and act on them; the ones that did not land.

        Raises:
            engine.errors.Unavailable: the chain cannot be asked.
        """
        if not flights:
            return []
        signatures = [flight.signature for flight in flights]
        crash_points.before(Point.SEEN)
        found = await self._services.chain.statuses(signatures, search_history, since_slot)
        crash_points.after(Point.SEEN)
        pairs = [
            (flight, status)
            for flight, status in zip(flights, found, strict=True)
            if flight.signature in self._flights.by_signature
        ]
        await self._confirm([pair for pair in pairs if _is_success(pair[1])])
        for flight, status in pairs:
            if status is not None and status.error is not None and status.finalized:
                await self._landed_with_error(flight, status.error)
        return [flight for flight, status in pairs if status is None]

    async def give_back_expired(self, missing: Sequence[Flight]) -> list[Flight]:
        """Of transactions that have no status, take back those that can never land; the others."""
        expired, slot = await self._expired(missing)
        dropped = await self.look(expired, search_history=True, since_slot=slot)
        for flight in dropped:
            log.warning("settlement %s was dropped; it will be signed again", flight.settlement.settlement_id)
            change = partial(
                rows.take_back, settlement=flight.settlement, state=State.PENDING, errors=flight.settlement.errors
            )
            await self._services.database.write(change)
            self._flights.drop(flight)
            metrics.settlements_dropped.inc()
        gone = {flight.signature for flight in expired}
        return [flight for flight in missing if flight.signature not in gone]

    async def _expired(self, missing: Sequence[Flight]) -> tuple[list[Flight], int]:
        """Those whose blockhash is too old for every block to come, and the finalized slot this was seen at.

        The height alone is not believed: a node that lags once, when it says how long a blockhash is good, makes a
        living transaction look dead. The finalized state itself must refuse the blockhash too. Whoever then looks for
        the transaction in the history of a node that has seen this slot, and finds none, has the proof.
        """
        if not missing:
            return [], 0
        chain = self._services.chain
        tip = await chain.finalized()
        overdue = {
            flight.signature: blockhash_of(flight.transaction)
            for flight in missing
            if flight.settlement.last_valid_block_height < tip.height
        }
        usable = await chain.usable_blockhashes(sorted(set(overdue.values())), tip.slot)
        expired = {signature for signature, blockhash in overdue.items() if blockhash not in usable}
        return [flight for flight in missing if flight.signature in expired], tip.slot

    async def follow_to_finality(self) -> list[Flight]:
        """Let go of confirmed transactions that are finalized; those that have no status at the moment.

        One that the cluster took back and can never land any more is signed again: the ledger has moved for good.
        """
        missing = await self._not_final(list(self._flights.unfinalized.values()))
        expired, slot = await self._expired(missing)
        vanished = await self._not_final(expired, search_history=True, since_slot=slot)
        for flight in vanished:
            await self._vanished(flight)
        gone = {flight.signature for flight in expired}
        return [flight for flight in missing if flight.signature not in gone]

    async def _not_final(
        self, flights: list[Flight], search_history: bool = False, since_slot: int = 0
    ) -> list[Flight]:
        """Let go of the finalized ones; those that have no status."""
        signatures = [flight.signature for flight in flights]
        found = await self._services.chain.statuses(signatures, search_history, since_slot) if flights else []
        for flight, status in zip(flights, found, strict=True):
            if status is not None and status.finalized:
                self._flights.unfinalized.pop(flight.signature, None)
        return [flight for flight, status in zip(flights, found, strict=True) if status is None]

    async def _vanished(self, flight: Flight) -> None:
        settlement = replace(flight.settlement, state=State.CONFIRMED)
        log.error("alert=confirmed_vanished settlement %s is signed again", settlement.settlement_id)
        change = partial(rows.take_back, settlement=settlement, state=State.PENDING, errors=settlement.errors)
        await self._services.database.write(change)
        self._flights.drop(flight)

    async def _confirm(self, landed: list[tuple[Flight, SignatureStatus | None]]) -> None:
        """Record these with what the chain took for their token accounts; one it does not show yet comes again."""
        if not landed:
            return
        left = await rents.left_lamports(self._services.chain, [flight.settlement for flight, _ in landed])
        shown = [pair for pair in landed if left.get(pair[0].settlement.settlement_id, 0) is not None]
        pairs = [(flight.settlement, status.slot) for flight, status in shown if status is not None]
        if not pairs:
            return
        crash_points.before(Point.RECORDED)
        messages = await self._services.database.write(partial(self._record, landed=pairs, left=left))
        crash_points.after(Point.RECORDED)
        self._count(pairs)
        for flight, _ in shown:
            self._flights.land(flight)
        crash_points.before(Point.TOLD)
        self._services.bus.publish(messages)
        crash_points.after(Point.TOLD)

    def _count(self, confirmed: list[tuple[Settlement, int]]) -> None:
        now_ms = self._services.clock.now_ms()
        for settlement, slot in confirmed:
            ids = {"settlement_id": settlement.settlement_id, "signature": settlement.signature}
            logs.step("confirmed", **ids, kind=settlement.kind.value, slot=slot)
            metrics.settlements_confirmed.labels(settlement.kind).inc()
            metrics.settlement_confirm.observe(max(0, now_ms - settlement.created_at_ms) / 1000)

    def _record(
        self, connection: Connection, landed: list[tuple[Settlement, int]], left: Mapping[str, int | None]
    ) -> list[BusMessage]:
        """In one transaction: the rows, what they set off, what was left of rents, and the events about them."""
        now_ms = self._services.clock.now_ms()
        changed = rows.confirm(connection, landed, _fee_lamports, now_ms)
        confirmed = [settlement for settlement, _ in landed if settlement.settlement_id in changed]
        trades = {settlement.settlement_id: settlement for settlement in confirmed if settlement.kind is Kind.TRADE}
        fills = rows.fills(connection, list(trades)) if trades else {}
        messages = [_order_event(fill, trades[order_id], now_ms) for order_id, fill in fills.items()]
        for settlement in confirmed:
            if settlement.kind in self._hooks:
                messages += self._hooks[settlement.kind].confirmed(connection, asdict(settlement), now_ms)
        return messages + rents.book(connection, confirmed, left, now_ms)

    async def _landed_with_error(self, flight: Flight, error: str) -> None:
        settlement = flight.settlement
        errors = settlement.errors + 1
        state = State.FAILED if errors >= _errors_allowed(settlement.kind) else State.PENDING
        level = logging.ERROR if state is State.FAILED else logging.WARNING
        alert = "alert=settlement_failed " if state is State.FAILED else ""
        log.log(level, "%ssettlement %s landed with an error: %s", alert, settlement.settlement_id, error)
        fee = self._network_fee(flight, await self._services.signer.fee_payer())
        at_vault = state is State.FAILED and await vault_is_short(self._services, settlement)
        record = partial(
            self._record_error, flight=flight, state=state, errors=errors, error=error[:300], fee=fee, at_vault=at_vault
        )
        self._services.bus.publish(await self._services.database.write(record))
        self._flights.drop(flight)

    def _record_error(
        self,
        connection: Connection,
        flight: Flight,
        state: State,
        errors: int,
        error: str,
        fee: dict[str, Any],
        at_vault: bool,
    ) -> list[BusMessage]:
        """The row's new state and the network fee, which the platform paid for nothing."""
        settlement = flight.settlement
        if not rows.take_back(connection, settlement, state, errors, error):
            return []
        rows.book_network_fee(connection, fee)
        return (
            self._after_failure(connection, settlement, self._services.clock.now_ms(), error, at_vault)
            if state is State.FAILED
            else []
        )

    async def give_up(self, settlement: Settlement, error: str) -> None:
        """A pending settlement can never be sent; trying again cannot help, its row is a fault of ours, or worse."""
        log.error("alert=settlement_refused settlement %s: %s", settlement.settlement_id, error)
        record = partial(self._record_refusal, settlement=settlement, error=error[:300])
        self._services.bus.publish(await self._services.database.write(record))

    def _record_refusal(self, connection: Connection, settlement: Settlement, error: str) -> list[BusMessage]:
        if not rows.take_back(connection, settlement, State.FAILED, settlement.errors, error):
            return []
        return self._after_failure(connection, settlement, self._services.clock.now_ms(), error)

    def _after_failure(
        self, connection: Connection, settlement: Settlement, now_ms: int, error: str, at_vault: bool = False
    ) -> list[BusMessage]:
        if not settlement.kind.is_undone_by_failure:
            reason = f"Settlement {settlement.settlement_id} cannot be brought to Solana: {error}"
            freeze(connection, settlement, at_vault, reason, now_ms)
        if settlement.kind not in self._hooks:
            return []
        return self._hooks[settlement.kind].failed(connection, asdict(settlement), now_ms, error)

    def _network_fee(self, flight: Flight, fee_payer: str) -> dict[str, Any]:
        return {
            "transfer_id": booking_id("fee", flight.signature),
            "kind": "network_fee",
            "account_id": None,
            "asset": SOL,
            "amount": -fee_lamports_of(flight.transaction),
            "account_seq": 0,
            "token": flight.settlement.token,
            "address": fee_payer,
            "signature": flight.signature,
            "settlement_id": flight.settlement.settlement_id,
            "created_at_ms": self._services.clock.now_ms(),
        }


def _errors_allowed(kind: Kind) -> int:
    """A withdrawal that the chain refuses is undone at once: trying again would cost the platform another fee."""
    return 1 if kind in (Kind.WITHDRAWAL, Kind.CLOSE) else MAX_ERRORS


def _fee_lamports(settlement: Settlement) -> int:
    """What the network took: by the bytes that landed, whatever the settings say by now."""
    assert settlement.signed_bytes is not None, "only what was signed can land"
    return fee_lamports_of(settlement.signed_bytes)


def _is_success(status: SignatureStatus | None) -> bool:
    return status is not None and status.error is None and status.confirmed


def _order_event(fill: RowMapping, settlement: Settlement, now_ms: int) -> BusMessage:
    return events.order_decided(
        fill["account_id"],
        {
            "order_id": fill["order_id"],
            "client_order_id": fill["client_order_id"],
            "token": fill["token"],
            "side": fill["side"],
            "state": OrderState.CONFIRMED.value,
            "reason": None,
            "detail": None,
            "lamports": str(fill["lamports"]),
            "tokens": str(fill["tokens"]),
            "rent_lamports": None,
            "price": str(fill["price"]),
            "signature": settlement.signature,
            "account_seq": fill["account_seq"],
            "at_ms": now_ms,
        },
    )
