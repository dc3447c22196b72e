"""What a finding does: it is named, published, freezes withdrawals, and an operator lifts that once nothing differs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from sqlalchemy import insert, update

from engine.identifiers import SOL
from engine.ledger import proof, reconciliation
from engine.ledger.reconciliation import Finding, Reconciler, StillDifferent
from engine.persistence import reports, switches
from engine.persistence.switches import Switch
from engine.persistence.trading import BALANCES, TRANSFERS
from engine.services import Services
from tests.fakes import START_MS
from tests.ledger import account, wallet
from tests.localnet import Localnet, running_localnet
from tests.reconciling import FEE_PAYER, write_chain, write_ledger
from tests.settling import opened, settings_for


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "LOOK_AGAIN_S", 0.05)


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    """Ten accounts, two tokens, all in order."""
    async with a_small_platform(tmp_path) as services:
        yield services


@asynccontextmanager
async def a_small_platform(directory: Path) -> AsyncIterator[Services]:
    node = Localnet(directory / "localnet", confirm_ms=100, finalize_ms=250, slot_ms=20)
    async with opened(settings_for(directory, node)) as ledger:
        write_ledger(ledger.services.database, accounts=10, tokens=2, buys_each=2)
        write_chain(ledger.services.database, directory / "localnet")
        node.start()
        try:
            yield ledger.services
        finally:
            node.kill()


def plant(services: Services, amount: int) -> None:
    sol = (BALANCES.c.account_id == account(3)) & (BALANCES.c.asset == SOL)
    with services.database.transaction() as connection:
        connection.execute(update(BALANCES).where(sol).values(amount=BALANCES.c.amount + amount))


def book(services: Services, **values: object) -> None:
    row = {"transfer_id": "e" * 32, "asset": SOL, "account_seq": 0, "signature": "5" * 88, **values}
    with services.database.transaction() as connection:
        connection.execute(insert(TRANSFERS).values(row | {"created_at_ms": START_MS}))


def is_frozen(services: Services) -> bool:
    with services.database.snapshot() as connection:
        return switches.is_set(connection, Switch.WITHDRAWALS_FROZEN)


async def test_a_finding_freezes_and_is_lifted_only_when_nothing_differs_any_more(services: Services) -> None:
    plant(services, 1)
    reconciler = Reconciler(services)
    checked = await reconciler.check_and_record()
    assert [(each.check, each.address) for each in checked.findings] == [("chain", wallet(3)), ("rebuild", account(3))]
    assert is_frozen(services)
    with pytest.raises(StillDifferent, match=wallet(3)):
        await reconciler.lift("I looked away")
    assert is_frozen(services)
    plant(services, -1)
    assert (await reconciler.check_and_record()).findings == []
    assert is_frozen(services), "only an operator lifts it"
    assert await reconciler.lift("a test planted it")
    assert not is_frozen(services)
    assert not await reconciler.lift("again")


async def test_the_public_report_has_totals_and_a_hash_and_no_address_of_a_wallet(services: Services) -> None:
    plant(services, 1)
    await Reconciler(services).check_and_record()
    with services.database.snapshot() as connection:
        public, private = reports.latest(connection, proof.PROOF), reports.latest(connection, proof.FINDINGS)
    assert public is not None
    assert private is not None
    body = orjson.loads(public[0])
    assert (body["agrees"], body["differences"]) == (False, 2)
    wallets = body["figures"]["SOL"]["wallets"]
    assert int(wallets["chain"]) - int(wallets["ledger"]) == -1
    assert set(body["figures"]["SOL"]) == {"wallets", "vaults", "fee_payers"}
    assert len(body["figures"]["tokens"]) == 2
    given = body.pop("hash")
    assert proof.hash_of(body) == given
    assert wallet(3).encode() not in public[0]
    assert wallet(3).encode() in private[0]


async def test_what_left_without_a_signature_of_ours_is_found_although_the_books_agree(services: Services) -> None:
    """The deposit scan books whatever it sees, a theft as well: ledger and chain agree, and it is an alarm anyway."""
    plant(services, -5)
    book(services, kind="deposit", account_id=account(3), address=wallet(3), amount=-5)
    book(services, kind="donation", account_id=None, address=FEE_PAYER, amount=-7, transfer_id="d" * 32)
    found = [each for each in (await Reconciler(services).check_and_record()).findings if each.check == "outflow"]
    assert {(each.address, each.found) for each in found} == {(account(3), -5), (FEE_PAYER, -7)}
    assert is_frozen(services)


async def test_outflows_are_taken_note_of_by_lifting(services: Services) -> None:
    book(services, kind="donation", account_id=None, address=wallet(9), amount=-7)
    reconciler = Reconciler(services)
    assert (await reconciler.check_and_record()).findings == [
        Finding("outflow", wallet(9), SOL, 0, -7, "nobody here signed it")
    ]
    assert await reconciler.lift("the treasurer did it")
    assert (await reconciler.check_and_record()).findings == []
    assert not is_frozen(services)


async def test_a_deposit_explains_itself_until_it_is_booked(services: Services) -> None:
    signature = await services.chain.airdrop(wallet(2), 77)
    async with asyncio.timeout(10):
        while True:
            checked = await Reconciler(services).check()
            lines = [line for line in checked.look.lines if line.in_flight]
            if lines:
                break
    assert checked.findings == []
    ((flight,),) = [line.in_flight for line in lines]
    assert (flight.cause, flight.amount, lines[0].address) == (signature, 77, wallet(2))


async def test_a_chain_that_does_not_answer_freezes_nothing(tmp_path: Path) -> None:
    with running_localnet(tmp_path / "localnet") as node:
        async with opened(settings_for(tmp_path, node, reconcile_ms=50)) as ledger:
            ledger.account("ann", 5)
            node.kill()
            stop = asyncio.Event()
            running = asyncio.create_task(Reconciler(ledger.services).run(stop))
            await asyncio.sleep(0.3)
            stop.set()
            await running
            assert not is_frozen(ledger.services)
