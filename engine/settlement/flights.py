"""What the settlement worker keeps in mind between database reads: attempts on their way, and what just settled.

A shadow of rows, never the truth: it is filled from the database at start, and a row moves only by compare-and-set.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.settlement.settlement import Settlement


@dataclass(slots=True)
class Flight:
    """A signed settlement whose end is not known yet. `sent_at_ms` is 0 until its bytes were handed over."""

    settlement: Settlement
    signature: str
    transaction: bytes
    sent_at_ms: int = 0


class Flights:
    """The attempts in flight by signature, the failed ones whose money stays reserved, and the newly confirmed.

    Confirmed ones are kept twice: until balance reads show them, and until they are finalized.
    """

    def __init__(self) -> None:
        self.by_signature: dict[str, Flight] = {}
        self.failed: dict[str, Settlement] = {}
        self.confirmed: list[tuple[Settlement, int]] = []
        self.unfinalized: dict[str, Flight] = {}
        self.newest_slot = 0
        self.given_back = 0
        """How often a settlement went back to pending: a plan made across such a moment missed it."""

    def __len__(self) -> int:
        return len(self.by_signature)

    def add(self, settlement: Settlement) -> Flight:
        """A signed settlement is on its way."""
        flight = _flight(settlement)
        self.by_signature[flight.signature] = flight
        return flight

    def land(self, flight: Flight, slot: int) -> None:
        """It was confirmed in that slot."""
        self.by_signature.pop(flight.signature, None)
        self.remember_confirmed([(flight.settlement, slot)])

    def give_back(self, flight: Flight) -> None:
        """It waits to be signed again."""
        self.by_signature.pop(flight.signature, None)
        self.unfinalized.pop(flight.signature, None)
        self.given_back += 1

    def fail(self, settlement: Settlement) -> None:
        """It will not be tried again; the money of one that is not undone stays reserved."""
        if settlement.signature is not None:
            self.by_signature.pop(settlement.signature, None)
        if not settlement.kind.is_undone_by_failure:
            self.failed[settlement.settlement_id] = settlement
        self.given_back += 1

    def remember_confirmed(self, confirmed: Iterable[tuple[Settlement, int]]) -> None:
        """Keep what balance reads of older slots do not show yet."""
        for settlement, slot in confirmed:
            self.confirmed.append((settlement, slot))
            flight = _flight(settlement)
            self.unfinalized[flight.signature] = flight
            self.newest_slot = max(self.newest_slot, slot)

    def forget_confirmed(self, slot: int) -> None:
        """Balances were read at that slot, and every later read is of that slot or a newer one."""
        self.confirmed = [item for item in self.confirmed if item[1] > slot]

    def forget_failed(self, pending: Iterable[Settlement]) -> None:
        """An operator may have made a failed settlement pending again."""
        for settlement in pending:
            self.failed.pop(settlement.settlement_id, None)

    def unsettled(self) -> list[Settlement]:
        """Everything whose outflow is still to come, besides what is pending."""
        return [flight.settlement for flight in self.by_signature.values()] + list(self.failed.values())


def _flight(settlement: Settlement) -> Flight:
    if settlement.signature is None or settlement.signed_bytes is None:
        raise ValueError(f"settlement {settlement.settlement_id} is not signed")
    return Flight(settlement, settlement.signature, settlement.signed_bytes)
