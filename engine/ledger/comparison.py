"""Ledger against chain, holding by holding: what is in flight explains a difference line by line. Pure.

The one invariant: for every owned address and asset, at the slot of the chain's read,

    chain = ledger - what settlements have booked and not landed + what the chain has seen and the ledger not booked

A new kind of movement fits in by saying in `Settlement.effects` what its landing changes; where it changes a token's
row, `vault_amounts` says what the vault then holds.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.identifiers import SOL
from engine.settlement.settlement import Settlement

Holding = tuple[str, str]
"""An address and an asset."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """Why the chain shows `amount` more (or less) than the ledger: a settlement's id or a signature, and in words."""

    cause: str
    what: str
    amount: int


@dataclass(frozen=True, slots=True)
class Line:
    """One holding as both sides see it; lamports or base units."""

    address: str
    asset: str
    ledger: int
    chain: int
    in_flight: tuple[InFlight, ...] = ()

    @property
    def in_flight_amount(self) -> int:
        """How much more the chain should show than the ledger."""
        return sum(each.amount for each in self.in_flight)

    @property
    def unexplained(self) -> int:
        """How much more the chain shows than anything explains."""
        return self.chain - self.ledger - self.in_flight_amount


@dataclass(frozen=True, slots=True)
class Read:
    """The chain's side: what each holding amounts to, and the slot that is true at."""

    amounts: dict[Holding, int] = field(default_factory=dict)
    slots: dict[Holding, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moving:
    """A settlement that a read may not show. `landed_slot` is where it landed, None for nowhere yet.

    `fee_lamports` is what it costs the fee payer, `fee_booked` whether the ledger knows that already. One that landed
    with an error paid its fee and moved nothing. `rent_payer` has what its landing left of a token account's rent,
    `rent_left_lamports`, and the ledger has booked `rent_booked_lamports` of that.
    """

    settlement: Settlement
    landed_slot: int | None
    failed: bool = False
    fee_lamports: int = 0
    fee_booked: bool = False
    rent_payer: str = ""
    rent_left_lamports: int = 0
    rent_booked_lamports: int = 0


def compare(
    ledger: Mapping[Holding, int], read: Read, moving: Iterable[Moving], fee_payer: Holding | None
) -> list[Line]:
    """Every holding that both sides know, with what is in flight on it."""
    in_flight: dict[Holding, list[InFlight]] = defaultdict(list)
    for each in moving:
        for holding, entry in (*_half_seen(each, read), *_rent_left(each, read)):
            in_flight[holding].append(entry)
        if fee_payer is not None:
            in_flight[fee_payer] += _fee(each, read.slots.get(fee_payer))
    return [
        Line(*holding, ledger=ledger[holding], chain=amount, in_flight=tuple(in_flight.get(holding, ())))
        for holding, amount in read.amounts.items()
        if holding in ledger
    ]


def _half_seen(moving: Moving, read: Read) -> Iterable[tuple[Holding, InFlight]]:
    """What only one side has of this settlement: the ledger booked it or the read shows it, not both."""
    settlement = moving.settlement
    for address, asset, amount in settlement.effects():
        slot = read.slots.get((address, asset))
        if slot is None:
            continue
        shown, booked = _shows(moving, slot), settlement.is_booked(address)
        if shown != booked:
            seen = amount if shown else -amount
            yield (address, asset), InFlight(settlement.settlement_id, _words(settlement), seen)


def _shows(moving: Moving, slot: int) -> bool:
    return not moving.failed and moving.landed_slot is not None and moving.landed_slot <= slot


def _rent_left(moving: Moving, read: Read) -> Iterable[tuple[Holding, InFlight]]:
    """What a token account did not take of its rent is booked with the confirmation."""
    holding = moving.rent_payer, str(SOL)
    slot = read.slots.get(holding)
    if slot is None:
        return
    seen_lamports = moving.rent_left_lamports if _shows(moving, slot) else 0
    if seen_lamports != moving.rent_booked_lamports:
        lamports = seen_lamports - moving.rent_booked_lamports
        yield holding, InFlight(moving.settlement.settlement_id, "rent not spent", lamports)


def _fee(moving: Moving, slot: int | None) -> list[InFlight]:
    """The network's fee is booked with the confirmation: the chain may have it before the ledger, or the other way."""
    if slot is None or not moving.fee_lamports:
        return []
    seen = moving.landed_slot is not None and moving.landed_slot <= slot
    if seen == moving.fee_booked:
        return []
    amount = -moving.fee_lamports if seen else moving.fee_lamports
    return [InFlight(moving.settlement.settlement_id, "network fee", amount)]


def _words(settlement: Settlement) -> str:
    kind = settlement.kind.value if settlement.side is None else settlement.side.value
    return f"{kind} {settlement.state.value}"
