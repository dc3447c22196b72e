"""Balances rebuilt from trades and transfers: equal where nothing is amiss, and every lost or changed row shows."""

import random

import pytest

from engine.identifiers import SOL
from engine.ledger.rebuild import Misfit, misfits

Rows = list[tuple[object, ...]]


def history(accounts: int, trades_each: int, seed: int) -> tuple[Rows, Rows, Rows]:
    """Random balances, trades and transfers that fit together, kept by adding up as they are made."""
    draw = random.Random(seed)
    balances: dict[tuple[str, str], int] = {}
    numbers: dict[str, int] = {}
    trades: Rows = []
    transfers: Rows = []
    for each in range(accounts):
        owner = f"account-{each}"
        numbers[owner] = 1
        balances[owner, SOL] = draw.randint(0, 10**12)
        transfers.append((owner, 1, SOL, balances[owner, SOL], "deposit", 0))
        for _ in range(trades_each):
            numbers[owner] += 1
            token, lamports, tokens = f"token-{draw.randint(0, 2)}", draw.randint(1, 10**9), draw.randint(1, 2**40)
            side = draw.choice(["buy", "sell"])
            sign = 1 if side == "buy" else -1
            balances[owner, SOL] -= sign * lamports
            balances[owner, token] = balances.get((owner, token), 0) + sign * tokens
            trades.append((owner, numbers[owner], token, side, lamports, tokens))
    rows: Rows = [
        (owner, asset, amount, numbers[owner] if asset == SOL else 0) for (owner, asset), amount in balances.items()
    ]
    return rows, trades, transfers


@pytest.mark.parametrize("seed", range(5))
def test_movements_lead_to_the_table(seed: int) -> None:
    assert misfits(*history(20, 30, seed)) == []


def test_nothing_is_nothing() -> None:
    assert misfits([], [], []) == []


@pytest.mark.parametrize("change", [1, -1])
def test_a_balance_changed_by_one_unit_is_named(change: int) -> None:
    balances, trades, transfers = history(3, 10, 1)
    owner, asset, amount, number = balances[2]
    balances[2] = owner, asset, amount + change, number
    assert misfits(balances, trades, transfers) == [Misfit(owner, asset, amount + change, amount)]


def test_a_lost_trade_shows_in_both_assets_and_in_the_numbers() -> None:
    balances, trades, transfers = history(3, 10, 1)
    owner, _, token, *_ = trades.pop(15)
    assert {(each.account_id, each.what) for each in misfits(balances, trades, transfers)} == {
        (owner, SOL),
        (owner, token),
        (owner, "account_seq"),
    }


def test_a_balance_without_any_movement_and_a_movement_without_a_balance_are_named() -> None:
    balances, trades, transfers = history(1, 0, 1)
    balances.append(("account-0", "token-9", 5, 0))
    transfers.append(("account-7", 1, SOL, 3, "deposit", 0))
    assert misfits(balances, trades, transfers) == [
        Misfit("account-0", "token-9", 5, 0),
        Misfit("account-7", SOL, 0, 3),
    ]
