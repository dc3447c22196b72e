"""The comparison's one rule: what is in flight explains a difference to the unit, and nothing else does."""

from dataclasses import replace

import pytest

from engine.identifiers import SOL
from engine.ledger.comparison import Line, Moving, Read, compare
from engine.settlement.settlement import Kind, State
from engine.units import LOCKED_LAMPORTS
from tests.unit.settlement.samples import BUY, SELL, TOKEN_ACCOUNT_RENT, launch

SLOT = 100
FEE_PAYER = "payer", str(SOL)
HOLDINGS = {
    (BUY.wallet, str(SOL)): 10_000_000_000,
    (BUY.wallet, BUY.token): 70_000_000,
    (BUY.vault, str(SOL)): 5_000_000_000,
    (BUY.vault, BUY.token): 900_000_000_000,
    FEE_PAYER: 1_000_000_000,
}


def read(changes: dict[tuple[str, str], int]) -> Read:
    """The chain shows the ledger's amounts with these changes."""
    amounts = {holding: amount + changes.get(holding, 0) for holding, amount in HOLDINGS.items()}
    return Read(amounts, dict.fromkeys(HOLDINGS, SLOT))


def unexplained(lines: list[Line]) -> dict[tuple[str, str], int]:
    return {(line.address, line.asset): line.unexplained for line in lines if line.unexplained}


def without(*settlements: object) -> dict[tuple[str, str], int]:
    """What the chain lacks while these have not landed."""
    changes: dict[tuple[str, str], int] = {}
    for settlement in settlements:
        for address, asset, amount in settlement.effects():  # type: ignore[attr-defined]
            changes[address, asset] = changes.get((address, asset), 0) - amount
    return changes


@pytest.mark.parametrize(
    "settlement", [BUY, SELL, replace(launch(), lamports=9_000_000)], ids=["buy", "sell", "launch"]
)
@pytest.mark.parametrize("landed_slot", [None, SLOT + 1])
def test_what_has_not_landed_by_the_slot_of_the_read_explains_all_of_its_legs(
    settlement: object, landed_slot: int
) -> None:
    moving = [Moving(settlement, landed_slot)]
    lines = compare(HOLDINGS, read(without(settlement)), moving, FEE_PAYER)
    assert unexplained(lines) == {}
    assert sum(len(line.in_flight) for line in lines) == len(list(settlement.effects()))


def test_what_landed_by_then_explains_nothing_any_more() -> None:
    signed = replace(BUY, state=State.SIGNED)
    assert unexplained(compare(HOLDINGS, read({}), [Moving(signed, SLOT)], FEE_PAYER)) == {}
    missing = unexplained(compare(HOLDINGS, read(without(BUY)), [Moving(signed, SLOT)], FEE_PAYER))
    assert missing == without(BUY)


def test_what_landed_with_an_error_moved_nothing_and_cost_its_fee() -> None:
    moving = [Moving(replace(BUY, state=State.SIGNED), SLOT, failed=True, fee_lamports=15_000)]
    assert unexplained(compare(HOLDINGS, read(without(BUY) | {FEE_PAYER: -15_000}), moving, FEE_PAYER)) == {}


@pytest.mark.parametrize("amount", [1, -1])
@pytest.mark.parametrize("holding", list(HOLDINGS))
def test_one_unit_more_or_less_stays_unexplained_whatever_is_in_flight(holding: tuple[str, str], amount: int) -> None:
    changes = without(BUY, SELL)
    changes[holding] = changes.get(holding, 0) + amount
    lines = compare(HOLDINGS, read(changes), [Moving(BUY, None), Moving(SELL, None)], FEE_PAYER)
    assert unexplained(lines) == {holding: amount}


@pytest.mark.parametrize(
    ("landed_slot", "booked", "seen"),
    [(SLOT, False, -15_000), (SLOT + 1, True, 15_000), (SLOT, True, 0), (None, False, 0)],
)
def test_a_network_fee_is_in_flight_between_landing_and_booking(landed_slot: int, booked: bool, seen: int) -> None:
    moving = Moving(launch(), landed_slot, fee_lamports=15_000, fee_booked=booked)
    held = Read({FEE_PAYER: HOLDINGS[FEE_PAYER] + seen}, {FEE_PAYER: SLOT})
    (line,) = compare(HOLDINGS, held, [moving], FEE_PAYER)
    assert (line.unexplained, line.in_flight_amount) == (0, seen)


@pytest.mark.parametrize(
    ("landed_slot", "left", "booked", "seen"),
    [
        (SLOT, TOKEN_ACCOUNT_RENT, 0, TOKEN_ACCOUNT_RENT),
        (SLOT, -TOKEN_ACCOUNT_RENT, 0, -TOKEN_ACCOUNT_RENT),
        (SLOT, 5, 5, 0),
        (SLOT + 1, 5, 5, -5),
        (SLOT + 1, 5, 0, 0),
        (None, 0, 5, -5),
    ],
    ids=["to book", "overtook", "booked", "booked after the read", "landed after the read", "vanished"],
)
def test_what_is_left_of_a_rent_is_in_flight_between_landing_and_booking(
    landed_slot: int | None, left: int, booked: int, seen: int
) -> None:
    moving = Moving(launch(), landed_slot, rent_payer="payer", rent_left_lamports=left, rent_booked_lamports=booked)
    held = Read({FEE_PAYER: HOLDINGS[FEE_PAYER] + seen}, {FEE_PAYER: SLOT})
    (line,) = compare(HOLDINGS, held, [moving], FEE_PAYER)
    assert (line.unexplained, line.in_flight_amount) == (0, seen)


def test_a_graduation_moves_nothing() -> None:
    graduation = replace(BUY, kind=Kind.GRADUATION, side=None, wallet=BUY.vault, lamports=80, tokens=200)
    assert list(graduation.effects()) == []


def test_a_launch_brings_the_vault_its_endowment_and_the_whole_supply() -> None:
    row = launch()
    assert dict(((address, asset), amount) for address, asset, amount in row.effects()) == {
        (row.wallet, SOL): -row.lamports,
        (row.vault, SOL): LOCKED_LAMPORTS,
        (row.vault, row.token): row.tokens,
    }
