"""Both sides read so that they fit together, holding by holding, however much moves meanwhile.

The order of the reads makes a look exact: first the chain, whose every answer is true at a slot; then the ledger in
one snapshot; then where the signed settlements stand. So each settlement is known to have landed before or after the
slot of each answer.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from engine.identifiers import SOL
from engine.ledger.comparison import Holding, Line, Moving, Read, compare
from engine.persistence import comparison as rows
from engine.persistence import rents
from engine.persistence.database import Connection
from engine.persistence.deposits import booked
from engine.services import Services
from engine.settlement.outlays import outlay
from engine.settlement.outlays import transfer_ids as transfer_ids_of
from engine.settlement.rents import left_lamports
from engine.settlement.settlement import Settlement, State
from engine.settlement.transactions import fee_lamports_of

HOLDINGS_PER_READ: Final = 100
READS_AT_ONCE: Final = 4
RECENT_MS: Final = 3 * 60_000
"""A settlement this young may be confirmed in a slot after a read without having been seen unsettled before it."""
FEES_FINAL_MS: Final = 10 * 60_000
FEES_AGAIN_MS: Final = 30 * 60_000
"""Fees are summed once for settlements that old, and all of them again after this time."""

_FOR_EVER_MS: Final = 2**62


@dataclass(frozen=True, slots=True)
class Look:
    """One look: the lines, what each address is (`wallets`, `vaults` …), and the chain's side as it was read.

    `started_ms` and `unsettled` are from before that read, and `booked` are the transfers that were asked for.
    """

    lines: list[Line]
    roles: dict[str, str]
    read: Read
    started_ms: int
    unsettled: list[str]
    booked: set[str]

    @property
    def slots(self) -> dict[Holding, int]:
        """The slot that each holding was read at."""
        return self.read.slots


@dataclass(frozen=True, slots=True)
class _Ledger:
    """The ledger's side; `rents` is what was booked as left of moving settlements' rents: who has it, lamports."""

    books: rows.Books
    moving: list[tuple[Settlement, int]]
    rents: dict[str, tuple[str, int]]
    booked: set[str]


@dataclass(slots=True)
class _Fees:
    """Network fees of settlements made before a time, summed before: their sum does not change any more."""

    lamports: int = 0
    before_ms: int = 0
    sum_again_at_ms: int = 0


class Sides:
    """One look at a time: `look()`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._fees = _Fees()

    def sum_fees_again(self) -> None:
        """The fee payer did not fit: a settlement thought to be final may have changed."""
        self._fees = _Fees()

    async def look(self, addresses: Collection[str] | None = None) -> Look:
        """Compare these addresses' holdings, or all of them.

        Raises:
            engine.errors.Unavailable: the chain cannot be asked.
        """
        services = self._services
        started_ms = services.clock.now_ms()
        known, unsettled = await services.database.read(lambda c: (rows.books(c), rows.unsettled_ids(c)))
        read = await self._read([each for each in known.amounts if addresses is None or each[0] in addresses])
        return await self.again(Look([], {}, read, started_ms, unsettled, set()))

    async def again(self, look: Look, transfer_ids: Collection[str] = ()) -> Look:
        """The same chain's side against the ledger as it is now, which may have booked some of these transfers."""
        found = await self._services.database.read(partial(self._ledger, look=look, transfer_ids=transfer_ids))
        fee_payer = next(iter(found.books.fee_payers), None)
        moving = await self._landed(found)
        lines = compare(found.books.amounts, look.read, moving, fee_payer)
        return replace(look, lines=lines, roles=_roles(found.books), booked=found.booked)

    async def _read(self, holdings: Sequence[Holding]) -> Read:
        """The chain's side, in as few requests as possible; an address's holdings in one, so that they fit together."""
        read, limit = Read(), asyncio.Semaphore(READS_AT_ONCE)

        async def ask(part: Sequence[Holding]) -> None:
            async with limit:
                addresses = [address for address, asset in part if asset == SOL]
                found = await self._services.chain.balances(addresses, [each for each in part if each[1] != SOL])
            read.amounts.update({(address, str(SOL)): lamports for address, lamports in found.lamports.items()})
            read.amounts.update(found.tokens)
            read.slots.update(dict.fromkeys(part, found.slot))

        await asyncio.gather(*(ask(part) for part in _parts(sorted(holdings))))
        return read

    def _ledger(self, connection: Connection, look: Look, transfer_ids: Collection[str]) -> _Ledger:
        """The ledger's side, all of one snapshot."""
        books = rows.books(connection)
        slot = min(look.slots.values(), default=0)
        moving = rows.moving(connection, slot, look.started_ms - RECENT_MS, look.unsettled)
        fees_lamports = self._network_fees(connection, moving)
        for holding in books.fee_payers:
            books.fee_payers[holding] -= fees_lamports
        booked_rents = rents.booked(connection, transfer_ids_of(each for each, _ in moving))
        return _Ledger(books, moving, booked_rents, booked(connection, transfer_ids))

    def _network_fees(self, connection: Connection, moving: Iterable[tuple[Settlement, int]]) -> int:
        fees, now_ms = self._fees, self._services.clock.now_ms()
        if now_ms >= fees.sum_again_at_ms:
            fees = _Fees(sum_again_at_ms=now_ms + FEES_AGAIN_MS)
        open_since_ms = min((each.created_at_ms for each, _ in moving), default=now_ms)
        final_ms = max(min(open_since_ms, now_ms) - FEES_FINAL_MS, fees.before_ms)
        fees.lamports += rows.network_fees(connection, fees.before_ms, final_ms)
        fees.before_ms = final_ms
        self._fees = fees
        return fees.lamports + rows.network_fees(connection, final_ms, _FOR_EVER_MS)

    async def _landed(self, ledger: _Ledger) -> list[Moving]:
        """Where each stands on the chain now: what was signed may have landed without being booked."""
        signed = [each for each, _ in ledger.moving if each.state is State.SIGNED and each.signature]
        found = await self._services.chain.statuses([each.signature for each in signed if each.signature])
        statuses = dict(zip((each.settlement_id for each in signed), found, strict=True))
        landed = [each for each, status in zip(signed, found, strict=True) if status and status.error is None]
        left = await left_lamports(self._services.chain, landed)
        known: list[Moving] = []
        for settlement, slot in ledger.moving:
            name = settlement.settlement_id
            fee_lamports = fee_lamports_of(settlement.signed_bytes) if settlement.signed_bytes else 0
            charged_lamports = fee_lamports - settlement.charge_lamports
            payer, booked_lamports = ledger.rents.get(name, ("", 0))
            if settlement.state is State.CONFIRMED:
                known.append(
                    Moving(settlement, slot, False, charged_lamports, True, payer, booked_lamports, booked_lamports)
                )
                continue
            status = statuses.get(name)
            if status is not None and status.error is not None:
                known.append(Moving(settlement, status.slot, True, fee_lamports, False, payer, 0, booked_lamports))
                continue
            left_now = left.get(name) or 0
            if left_now and (paid := outlay(settlement)) is not None:
                payer = paid.payer
            landed_slot = None if status is None else status.slot
            known.append(
                Moving(settlement, landed_slot, False, charged_lamports, False, payer, left_now, booked_lamports)
            )
        return known


def _roles(books: rows.Books) -> dict[str, str]:
    by_role = {"wallets": books.wallets, "vaults": books.vaults, "fee_payers": books.fee_payers}
    return {address: role for role, amounts in by_role.items() for address, _ in amounts}


def _parts(holdings: Sequence[Holding]) -> Iterable[list[Holding]]:
    """Parts of one request each; holdings of one address stay together as long as they fit."""
    part: list[Holding] = []
    group: list[Holding] = []
    for holding in holdings:
        if group and (group[0][0] != holding[0] or len(group) == HOLDINGS_PER_READ):
            if len(part) + len(group) > HOLDINGS_PER_READ:
                yield part
                part = []
            part += group
            group = []
        group.append(holding)
    if len(part) + len(group) > HOLDINGS_PER_READ:
        yield part
        part = []
    if part or group:
        yield part + group
