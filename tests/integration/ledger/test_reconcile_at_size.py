"""2,000 wallets and 50 tokens: a check is cheap, and one lamport or base unit too many or too few is found anywhere."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from engine.bootstrap import open_services
from engine.identifiers import SOL
from engine.ledger.reconciliation import Reconciler
from engine.persistence import switches
from engine.persistence.database import Database
from engine.persistence.switches import Switch
from engine.persistence.trading import BALANCES, TOKENS, TRADES, TRANSFERS
from engine.services import Services
from tests.ledger import account, token, wallet
from tests.localnet import Localnet
from tests.market_data import address
from tests.reconciling import FEE_PAYER, Tampering, change, write_chain, write_ledger
from tests.settling import settings_for

ACCOUNTS, TOKEN_COUNT, BUYS_EACH = 2_000, 50, 5
HOLDINGS = ACCOUNTS + ACCOUNTS * BUYS_EACH + 2 * TOKEN_COUNT + 1
VAULT = address(10_000 + 3)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database and a chain of that size that agree."""
    directory = tmp_path_factory.mktemp("at-size")
    database = Database(f"sqlite:///{directory / 'blitzhub.db'}")
    database.migrate()
    write_ledger(database, ACCOUNTS, TOKEN_COUNT, BUYS_EACH)
    assert write_chain(database, directory / "localnet") == HOLDINGS
    database.close()
    return directory


@pytest.fixture(scope="module")
def node(directory: Path) -> Iterator[Localnet]:
    node = Localnet(directory / "localnet")
    node.start()
    yield node
    node.kill()


@pytest.fixture
async def services(directory: Path, node: Localnet) -> AsyncIterator[Services]:
    async with open_services(settings_for(directory, node)) as services:
        yield services


def is_frozen(services: Services) -> bool:
    with services.database.snapshot() as connection:
        return switches.is_set(connection, Switch.WITHDRAWALS_FROZEN)


async def test_a_check_of_2000_wallets_and_50_tokens_is_cheap_and_finds_nothing(services: Services) -> None:
    reconciler = Reconciler(services)
    before, begun = services.database.statements, time.perf_counter()
    checked = await reconciler.check_and_record()
    seconds = time.perf_counter() - begun
    assert (checked.findings, len(checked.look.lines)) == ([], HOLDINGS)
    assert not is_frozen(services)
    assert services.database.statements - before < 50
    assert seconds < 8, "a check must fit its ten seconds"
    print(f"a check of {HOLDINGS} holdings took {seconds:.2f} s")  # noqa: T201  pytest shows it with -s


async def test_every_planted_lamport_and_base_unit_is_found_and_named(services: Services, node: Localnet) -> None:
    held = next(line for line in (await Reconciler(services).check()).look.lines if line.address == wallet(7))
    bought = held.asset if held.asset != SOL else next(iter(_assets_of(services, 7)))
    in_chain = {
        (wallet(5), SOL): 1,
        (wallet(6), SOL): -1,
        (wallet(7), bought): 1,
        (VAULT, SOL): -1,
        (VAULT, token(3)): 1,
        (FEE_PAYER, SOL): -1,
    }
    tampering = Tampering(node)
    with tampering.chain() as chain:
        for holding, amount in in_chain.items():
            change(chain, holding, amount)
    _plant(services, 1)
    try:
        checked = await Reconciler(services).check_and_record()
    finally:
        with tampering.chain() as chain:
            for holding, amount in in_chain.items():
                change(chain, holding, -amount)
        _plant(services, -1)
    found = {(each.check, each.address, each.asset): each.found - each.ledger for each in checked.findings}
    assert found == {("chain", *holding): amount for holding, amount in in_chain.items()} | {
        ("chain", wallet(10), SOL): -1,
        ("rebuild", account(10), SOL): -1,
        ("chain", address(10_000 + 4), SOL): -1,
        ("rebuild", account(11), SOL): -1,
        ("rebuild", account(12), SOL): 1,
    }
    assert is_frozen(services)
    assert await Reconciler(services).lift("the test put it back")
    assert not is_frozen(services)


def _assets_of(services: Services, number: int) -> list[str]:
    with services.database.snapshot() as connection:
        rows = connection.execute(BALANCES.select().where(BALANCES.c.account_id == account(number))).mappings()
        return [row["asset"] for row in rows if row["asset"] != SOL]


def _plant(services: Services, amount: int) -> None:
    """Change a balance, a token's reserve, a trade and a transfer by so much."""
    with services.database.transaction() as connection:
        sol = (BALANCES.c.account_id == account(10)) & (BALANCES.c.asset == SOL)
        connection.execute(update(BALANCES).where(sol).values(amount=BALANCES.c.amount + amount))
        reserve = {"reserve_lamports": TOKENS.c.reserve_lamports + amount}
        connection.execute(update(TOKENS).where(TOKENS.c.address == token(4)).values(reserve))
        trade = (TRADES.c.account_id == account(11)) & (TRADES.c.account_seq == 3)
        connection.execute(update(TRADES).where(trade).values(lamports=TRADES.c.lamports + amount))
        deposit = (TRANSFERS.c.account_id == account(12)) & (TRANSFERS.c.kind == "deposit")
        connection.execute(update(TRANSFERS).where(deposit).values(amount=TRANSFERS.c.amount + amount))


async def test_a_lamport_taken_behind_everybodys_back_freezes_withdrawals_within_20_s(
    services: Services, node: Localnet
) -> None:
    assert services.settings.reconcile_ms == 10_000
    stop = asyncio.Event()
    running = asyncio.create_task(Reconciler(services).run(stop))
    await asyncio.sleep(3)  # the first check is over: the next one has to find it
    assert not is_frozen(services)
    tampering = Tampering(node)

    def take() -> None:
        with tampering.chain() as chain:
            change(chain, (wallet(1_234), SOL), -1)

    await asyncio.to_thread(take)
    planted = time.perf_counter()
    while not is_frozen(services):
        assert time.perf_counter() - planted < 20
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - planted
    stop.set()
    await running
    with services.database.snapshot() as connection:
        state = switches.state(connection, Switch.WITHDRAWALS_FROZEN)
    assert state is not None
    assert wallet(1_234) in state.reason
    print(f"found after {seconds:.1f} s: {state.reason}")  # noqa: T201
