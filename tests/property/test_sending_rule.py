"""The sending rule against a simulated chain: never overdraws, and always gets a solvent ledger onto the chain."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.identifiers import SOL
from engine.settlement.planning import Holdings, sendable
from engine.settlement.settlement import Settlement, State
from engine.trading.orders import Side
from engine.units import LOCKED_LAMPORTS
from tests.unit.settlement.samples import BUY

TOKENS, WALLETS = 2, 3
Key = tuple[str, str]


class Market:
    """A ledger whose every settlement was affordable in ledger order, and the chain's balances before any of them."""

    def __init__(self, draw: random.Random, trades: int) -> None:
        self.start: dict[Key, int] = {
            (f"w{n}", str(SOL)): LOCKED_LAMPORTS + draw.randrange(0, 1_000) for n in range(WALLETS)
        }
        for number in range(TOKENS):
            self.start[f"v{number}", str(SOL)] = LOCKED_LAMPORTS
            self.start[f"v{number}", f"t{number}"] = 10_000
        self.ledger = dict(self.start)
        self.seqs: dict[str, int] = {}
        self.settlements = [made for made in (self._trade(draw, number) for number in range(trades)) if made]

    def _trade(self, draw: random.Random, number: int) -> Settlement | None:
        wallet, place = f"w{draw.randrange(WALLETS)}", draw.randrange(TOKENS)
        vault, token, side = f"v{place}", f"t{place}", draw.choice([Side.BUY, Side.SELL])
        lamports, tokens = draw.randrange(1, 600), draw.randrange(1, 900)
        rent = draw.choice([0, 0, 20]) if side is Side.BUY else 0
        made = replace(
            BUY,
            settlement_id=f"{number:032}",
            wallet=wallet,
            vault=vault,
            token=token,
            side=side,
            lamports=lamports,
            tokens=tokens,
            rent_lamports=rent,
            account_seq=self._next(wallet),
            seq=self._next(vault),
        )
        after = dict(self.ledger)
        move(after, made)
        if any(amount < (LOCKED_LAMPORTS if asset == SOL else 0) for (_, asset), amount in after.items()):
            return None
        self.ledger = after
        return made

    def _next(self, payer: str) -> int:
        self.seqs[payer] = self.seqs.get(payer, 0) + 1
        return self.seqs[payer]


def move(balances: dict[Key, int], settlement: Settlement) -> None:
    for payer, asset, amount in settlement.outflows():
        payee = settlement.vault if payer == settlement.wallet else settlement.wallet
        arrives = amount - (settlement.rent_lamports if asset == SOL else 0)
        balances[payer, asset] = balances.get((payer, asset), 0) - amount
        balances[payee, asset] = balances.get((payee, asset), 0) + arrives


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), trades=st.integers(1, 40))
def test_every_settlement_of_a_solvent_ledger_lands_in_some_order_without_overdrawing(seed: int, trades: int) -> None:
    draw = random.Random(seed)
    market = Market(draw, trades)
    chain, slot = dict(market.start), 0
    pending, flying, confirmed = list(market.settlements), list[Settlement](), list[tuple[Settlement, int]]()
    idle = 0
    while pending or flying:
        seen = Holdings(slot, dict(chain))
        chosen = sendable(pending, flying, confirmed, seen)
        flying += [replace(settlement, state=State.SIGNED) for settlement in chosen]
        pending = [settlement for settlement in pending if settlement not in chosen]
        idle = 0 if chosen or flying else idle + 1
        assert idle < 2, "nothing may be sent although nothing is in flight"
        draw.shuffle(flying)
        for _ in range(draw.randrange(0, len(flying) + 1)):
            slot += draw.randrange(0, 2)
            landed = flying.pop()
            move(chain, landed)
            assert all(amount >= (LOCKED_LAMPORTS if asset == SOL else 0) for (_, asset), amount in chain.items()), (
                landed
            )
            confirmed.append((landed, slot))
    assert {key: amount for key, amount in chain.items() if amount} == {
        key: amount for key, amount in market.ledger.items() if amount
    }


@given(st.integers(0, 3))
def test_what_was_confirmed_after_the_read_is_still_reserved(slots_later: int) -> None:
    held = BUY.lamports + BUY.rent_lamports
    holdings = Holdings(7, {(BUY.wallet, str(SOL)): LOCKED_LAMPORTS + held, (BUY.vault, BUY.token): 2 * BUY.tokens})
    later = replace(BUY, settlement_id="b" * 32, account_seq=BUY.account_seq + 1, seq=BUY.seq + 1)
    found = sendable([later], [], [(BUY, 7 + slots_later)], holdings)
    assert found == ([later] if slots_later == 0 else [])


@given(st.booleans())
def test_only_earlier_outflows_are_reserved(earlier: bool) -> None:
    held = BUY.lamports + BUY.rent_lamports
    holdings = Holdings(7, {(BUY.wallet, str(SOL)): LOCKED_LAMPORTS + held, (BUY.vault, BUY.token): 2 * BUY.tokens})
    step = -1 if earlier else 1
    other = replace(BUY, settlement_id="b" * 32, account_seq=BUY.account_seq + step, seq=BUY.seq + step)
    assert sendable([BUY], [other], [], holdings) == ([] if earlier else [BUY])


@given(st.sampled_from([0, 1]))
def test_the_locked_minimum_is_never_spent(short: int) -> None:
    needed = LOCKED_LAMPORTS + BUY.lamports + BUY.rent_lamports
    holdings = Holdings(7, {(BUY.wallet, str(SOL)): needed - short, (BUY.vault, BUY.token): BUY.tokens})
    assert sendable([BUY], [], [], holdings) == ([] if short else [BUY])
