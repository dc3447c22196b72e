"""What a settlement worker keeps in mind between database reads: the attempts it follows.

A shadow of rows, never the truth: it is filled from the database, and a row moves only by compare-and-set.
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
    """The attempts in flight, and the confirmed ones that are not finalized yet, by signature."""

    def __init__(self) -> None:
        self.by_signature: dict[str, Flight] = {}
        self.unfinalized: dict[str, Flight] = {}

    def __len__(self) -> int:
        return len(self.by_signature)

    def add(self, settlement: Settlement) -> Flight:
        """A signed settlement is on its way."""
        flight = _flight(settlement)
        return self.by_signature.setdefault(flight.signature, flight)

    def land(self, flight: Flight) -> None:
        """It was confirmed."""
        self.drop(flight)
        self.unfinalized[flight.signature] = flight

    def drop(self, flight: Flight) -> None:
        """It ended: failed, or waiting to be signed again."""
        self.by_signature.pop(flight.signature, None)
        self.unfinalized.pop(flight.signature, None)

    def remember_confirmed(self, confirmed: Iterable[Settlement]) -> None:
        """Follow these to their finality."""
        for settlement in confirmed:
            flight = _flight(settlement)
            self.unfinalized.setdefault(flight.signature, flight)


def _flight(settlement: Settlement) -> Flight:
    if settlement.signature is None or settlement.signed_bytes is None:
        raise ValueError(f"settlement {settlement.settlement_id} is not signed")
    return Flight(settlement, settlement.signature, settlement.signed_bytes)
