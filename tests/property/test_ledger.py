"""Any tape of orders, cut into any batches, with any message sent again: the ledger stays whole."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.adapters.bus_memory import MemoryBus
from engine.persistence.database import Database
from engine.trading.orders import Order, Side
from engine.trading.worker import TradeWorker
from tests.fakes import START_MS, FakeBroker, FakeClock, migrated_database
from tests.ledger import ONE_SOL, RENT, SMALL_CURVE, account, all_of, check, fund, list_tokens, make_order, token

ACCOUNTS, TOKENS = 3, 3


@dataclass(frozen=True)
class Step:
    """One order of a tape; a sell is a share of what its account holds when its batch begins."""

    who: int
    on: int
    side: Side
    lamports: int
    percent: int
    bound: int
    late: bool


STEPS = st.builds(
    Step,
    who=st.integers(0, ACCOUNTS),  # one account more than there is
    on=st.integers(0, TOKENS),  # and one token
    side=st.sampled_from([Side.BUY, Side.BUY, Side.SELL]),
    lamports=st.integers(1, ONE_SOL // 5) | st.integers(ONE_SOL // 100, ONE_SOL),
    percent=st.sampled_from([0, 1, 33, 50, 99, 100, 101]),
    bound=st.sampled_from([0, 1, 10**6, 10**9]),
    late=st.sampled_from([False] * 7 + [True]),
)
TAPES = st.lists(st.lists(STEPS, min_size=1, max_size=12), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the accounts and tokens, to be copied for each tape."""
    path = migrated_database(tmp_path_factory.mktemp("prepared"))
    database = Database(f"sqlite:///{path}")
    with database.transaction() as connection:
        fund(connection, range(ACCOUNTS), 2 * ONE_SOL)
        list_tokens(connection, range(TOKENS - 1), **SMALL_CURVE)
        list_tokens(connection, [TOKENS - 1], paused=1)
    database.close()
    return path


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tape") / "tape.db"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tape=TAPES, resend=st.randoms(use_true_random=False))
def test_any_tape_of_orders_conserves_everything(
    prepared: Path, copy: Path, tape: list[list[Step]], resend: Random
) -> None:
    for stale in copy.parent.glob("tape.db*"):
        stale.unlink()
    shutil.copy(prepared, copy)
    database = Database(f"sqlite:///{copy}")
    try:
        sent = _execute(database, tape, resend)
        check(database)
        with database.snapshot() as connection:
            final = [row["order_id"] for row in all_of(connection, "orders")]
        assert sorted(final) == sorted({order.order_id for order in sent})
    finally:
        database.close()


def _execute(database: Database, tape: list[list[Step]], resend: Random) -> list[Order]:
    clock = FakeClock()
    worker = TradeWorker(database, FakeBroker(), MemoryBus(), clock, RENT)
    sent: list[Order] = []
    for steps in tape:
        clock.advance(resend.choice((-5_000, 0, 1, 20_000)))
        with database.transaction() as connection:
            held = {(row["account_id"], row["asset"]): row["amount"] for row in all_of(connection, "balances")}
        batch = [_order(step, len(sent) + index, held) for index, step in enumerate(steps)]
        again = resend.sample(sent, min(2, len(sent)))
        sent += batch
        with database.transaction() as connection:
            worker.execute(batch + again + batch[:1], bool(again), connection)
    return sent


def _order(step: Step, number: int, held: dict[tuple[str, str], int]) -> Order:
    amount = step.lamports
    if step.side is Side.SELL:
        amount = held.get((account(step.who), token(step.on)), 0) * step.percent // 100
    return make_order(
        step.side,
        amount,
        number=number,
        who=step.who,
        on=token(step.on),
        bound=step.bound,
        deadline_ms=START_MS - 10_000 if step.late else START_MS + 600_000,
    )
