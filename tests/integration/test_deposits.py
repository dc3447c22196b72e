"""The deposit scan on a localnet process: every foreign lamport is booked once, none of our own is."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from engine.errors import Unavailable
from engine.ledger.comparison import Line
from engine.ledger.deposits import DepositScan
from engine.persistence.trading import BALANCES, TRANSFERS
from engine.services import Services
from engine.trading.events import account_channel
from tests.localnet import Localnet, running_localnet
from tests.settling import Faulty, Launches, differences, opened, settings_for

LIMIT_S = 30.0
FUNDS = 5_000_000_000


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    directory = tmp_path_factory.mktemp("deposits") / "localnet"
    with running_localnet(directory, confirm_ms=100, finalize_ms=250, slot_ms=20) as node:
        yield node


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not await condition():
        assert time.monotonic() < limit, "the condition did not come true"
        await asyncio.sleep(0.02)


async def finalized(services: Services, signature: str) -> None:
    async def reached() -> bool:
        (status,) = await services.chain.statuses([signature], search_history=True)
        return status is not None and status.finalized

    await until(reached)


async def airdrop(services: Services, address: str, lamports: int) -> str:
    signature = await services.chain.airdrop(address, lamports)
    await finalized(services, signature)
    return signature


def transfers(services: Services) -> list[dict[str, Any]]:
    with services.database.snapshot() as connection:
        statement = select(TRANSFERS).order_by(TRANSFERS.c.account_seq)
        return [dict(row) for row in connection.execute(statement).mappings()]


def balance(services: Services, account_id: str) -> tuple[int, int]:
    with services.database.snapshot() as connection:
        statement = select(BALANCES.c.amount, BALANCES.c.account_seq).where(BALANCES.c.account_id == account_id)
        row = connection.execute(statement.where(BALANCES.c.asset == "SOL")).one()
        return row.amount, row.account_seq


async def test_an_airdrop_is_credited_exactly_once_and_its_account_hears_of_it(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        services, wallet = ledger.services, ledger.account("ann", 0)
        account_id = ledger.account_of(wallet)
        subscription = await services.bus.subscribe(account_channel(account_id))
        signature = await airdrop(services, wallet, FUNDS)
        scan = DepositScan(services)
        assert [await scan.scan() for _ in range(3)] == [1, 0, 0]
        assert await DepositScan(services).scan() == 0
        assert balance(services, account_id) == (FUNDS, 1)
        (row,) = transfers(services)
        assert (row["kind"], row["signature"], row["amount"], row["account_seq"]) == ("deposit", signature, FUNDS, 1)
        event = orjson.loads((await anext(aiter(subscription))).payload)
        assert (event["cause"], event["lamports"], event["account_seq"]) == ("deposit", str(FUNDS), 1)
        assert await differences(services) == []


async def test_several_deposits_between_two_scans_are_booked_in_their_order(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        services, wallet = ledger.services, ledger.account("ann", 0)
        amounts = [1_000_000, 2_000_000, 3_000_000]
        for lamports in amounts:
            await airdrop(services, wallet, lamports)
        assert await DepositScan(services).scan() == 3
        assert [row["amount"] for row in transfers(services)] == amounts
        assert balance(services, ledger.account_of(wallet)) == (6_000_000, 3)


async def test_what_is_confirmed_but_not_finalized_is_not_booked_yet(tmp_path: Path) -> None:
    with running_localnet(tmp_path / "localnet", confirm_ms=50, finalize_ms=20_000, slot_ms=20) as node:
        async with opened(settings_for(tmp_path, node)) as ledger:
            services, wallet = ledger.services, ledger.account("ann", 0)
            await services.chain.airdrop(wallet, FUNDS)

            async def confirmed() -> bool:
                return (await services.chain.balances([wallet], [])).lamports[wallet] == FUNDS

            await until(confirmed)
            assert await DepositScan(services).scan() == 0
            assert await differences(services) == [Line(wallet, "SOL", 0, FUNDS)]


@pytest.mark.parametrize("method", ["histories", "changes"])
async def test_a_scan_that_breaks_off_books_nothing_and_the_next_one_everything(
    node: Localnet, tmp_path: Path, method: str
) -> None:
    async def broken(*arguments: Any) -> Any:
        raise Unavailable("gone")

    async with opened(settings_for(tmp_path, node)) as ledger:
        services, wallet = ledger.services, ledger.account("ann", 0)
        await airdrop(services, wallet, FUNDS)
        with pytest.raises(Unavailable):
            await DepositScan(replace(services, chain=Faulty(services.chain, **{method: broken}))).scan()
        assert transfers(services) == []
        assert await DepositScan(services).scan() == 1
        assert balance(services, ledger.account_of(wallet)) == (FUNDS, 1)


async def test_a_transaction_that_is_read_twice_is_booked_once(node: Localnet, tmp_path: Path) -> None:
    """Two scans at once: both read the deposit before either has booked it."""
    async with opened(settings_for(tmp_path, node)) as ledger:
        services, wallet = ledger.services, ledger.account("ann", 0)
        await airdrop(services, wallet, FUNDS)
        second_read = asyncio.Event()
        first = DepositScan(replace(services, chain=_Gate(services.chain, second_read)))
        waiting = asyncio.create_task(first.scan())
        assert await DepositScan(services).scan() == 1
        await airdrop(services, wallet, 7_000_000)
        second_read.set()
        booked = await asyncio.gather(waiting, return_exceptions=True)
        assert booked == [0]
        assert await DepositScan(services).scan() == 1
        assert balance(services, ledger.account_of(wallet)) == (FUNDS + 7_000_000, 2)


class _Gate(Faulty):
    """A chain whose `changes` answers, and only then waits for the event."""

    def __init__(self, chain: Any, event: asyncio.Event) -> None:
        async def changes(wanted: Any) -> Any:
            found = await chain.changes(wanted)
            await event.wait()
            return found

        super().__init__(chain, changes=changes)


async def test_our_own_trades_are_no_deposits_and_gifts_to_a_vault_are_donations(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        services, stop = ledger.services, asyncio.Event()
        scan = DepositScan(services)
        ann, bob = ledger.account("ann", 0), ledger.account("bob", 0)
        for wallet in (ann, bob):
            await airdrop(services, wallet, FUNDS)
        assert await scan.scan() == 2
        settling = asyncio.create_task(Launches().service(services).run(stop))
        token = await ledger.launch(ann)
        await ledger.trade(bob, token, "buy", 1_000_000_000, 44_000_000_000)
        last = await ledger.trade(bob, token, "sell", 400_000_000, 20_000_000_000)

        async def all_confirmed() -> bool:
            return ledger.states() == {"confirmed": 3}

        await until(all_confirmed)
        stop.set()
        await settling
        assert await differences(services) == []
        await finalized(services, ledger.settlement(last)["signature"])
        vault = ledger.settlement(last)["vault"]
        gift = await airdrop(services, vault, 5_000_000)
        assert await DepositScan(services).scan() == 2
        assert await DepositScan(services).scan() == 0
        donations = {row["address"]: row for row in transfers(services) if row["kind"] == "donation"}
        fee_payer = await services.signer.fee_payer()
        assert set(donations) == {vault, fee_payer}
        assert (donations[vault]["signature"], donations[vault]["amount"]) == (gift, 5_000_000)
        assert donations[vault]["token"] == token
        assert await differences(services) == [], "what was given to a vault is expected there"
