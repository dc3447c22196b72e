"""Landed is what succeeded; signed anew is only what can provably never land."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine.ports import ChainTip, SignatureStatus
from engine.services import Services
from engine.settlement.confirming import Confirmer
from engine.settlement.flights import Flights
from engine.settlement.settlement import State
from tests.fakes import FakeChain, fake_services, migrated_database
from tests.ledger_world import SIGNED
from tests.unit.settlement.samples import BUY

LAST_HEIGHT = 150


class Chain(FakeChain):
    """Finalized up to a height, takes a blockhash or not, and says one thing of every transaction."""

    def __init__(self, height: int, takes_blockhash: bool, status: SignatureStatus | None = None) -> None:
        super().__init__()
        self.height, self.takes_blockhash, self.status = height, takes_blockhash, status

    async def finalized(self) -> ChainTip:
        return ChainTip(self.height, self.height)

    async def usable_blockhashes(self, blockhashes: Sequence[str], slot: int) -> set[str]:
        return set(blockhashes) if self.takes_blockhash else set()

    async def statuses(
        self, signatures: Sequence[str], search_history: bool = False, since_slot: int = 0
    ) -> list[SignatureStatus | None]:
        return [self.status] * len(signatures)

    async def lamports_moved(self, wanted: Sequence[tuple[str, str]]) -> list[int | None]:
        return [BUY.rent_lamports] * len(wanted)


@pytest.fixture
def flights() -> Flights:
    """One transaction on its way."""
    flights = Flights()
    signed = {"state": State.SIGNED, "attempt": 1, "signature": "s", "signed_bytes": SIGNED}
    flights.add(replace(BUY, **signed, last_valid_block_height=LAST_HEIGHT))
    return flights


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with fake_services(tmp_path, migrated_database(tmp_path)) as services:
        yield services


@pytest.mark.parametrize(
    ("height", "takes_blockhash", "is_given_back"),
    [
        (LAST_HEIGHT - 1, True, False),
        (LAST_HEIGHT, False, False),
        (LAST_HEIGHT + 1, True, False),
        (LAST_HEIGHT + 1, False, True),
    ],
)
async def test_a_missing_transaction_is_given_back_when_height_and_blockhash_both_say_it_is_over(
    services: Services, flights: Flights, height: int, takes_blockhash: bool, is_given_back: bool
) -> None:
    missing = list(flights.by_signature.values())
    confirmer = Confirmer(replace(services, chain=Chain(height, takes_blockhash)), flights, {})
    assert await confirmer.give_back_expired(missing) == ([] if is_given_back else missing)
    assert len(flights) == (0 if is_given_back else 1)


@pytest.mark.parametrize("error", [None, "InstructionError(2, Custom(1))"])
async def test_a_transaction_that_landed_with_an_error_is_not_confirmed(
    services: Services, flights: Flights, error: str | None
) -> None:
    status = SignatureStatus(7, confirmed=True, finalized=False, error=error)
    confirmer = Confirmer(replace(services, chain=Chain(LAST_HEIGHT, True, status)), flights, {})
    await confirmer.look(list(flights.by_signature.values()))
    assert (len(flights), len(flights.unfinalized)) == ((0, 1) if error is None else (1, 0))
