"""The settlement worker on a localnet process: every row gets onto the chain exactly once, whatever is killed."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from sqlalchemy import select, update

from engine.persistence.trading import SETTLEMENTS, TRANSFERS
from engine.ports import SignatureStatus
from engine.settlement.outlays import RENT_BACK
from engine.trading.events import account_channel
from tests.localnet import Localnet, running_localnet
from tests.settling import Faulty, Launches, Ledger, differences, opened, settings_for

LIMIT_S = 60.0
FUNDS = 5_000_000_000


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    directory = tmp_path_factory.mktemp("settlement") / "localnet"
    with running_localnet(directory, confirm_ms=150, finalize_ms=400, slot_ms=20) as node:
        yield node


@asynccontextmanager
async def running(ledger: Ledger, launches: Launches | None = None) -> AsyncIterator[Launches]:
    """A settlement service that settles while the block runs, and ends orderly."""
    hooks, stop = launches or Launches(), asyncio.Event()
    task = asyncio.create_task(hooks.service(ledger.services).run(stop))
    try:
        yield hooks
    finally:
        stop.set()
        await asyncio.wait_for(task, LIMIT_S)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    limit = time.monotonic() + LIMIT_S
    while time.monotonic() < limit:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the condition did not come true")


async def fund(ledger: Ledger, *wallets: str) -> None:
    for wallet in wallets:
        await ledger.services.chain.airdrop(wallet, FUNDS)

    async def there() -> bool:
        found = await ledger.services.chain.balances(list(wallets), [])
        return all(found.lamports[wallet] >= FUNDS for wallet in wallets)

    await until(there)


async def memos(node: Localnet, address: str) -> list[str]:
    """The memos of the address's successful transactions, straight from the node."""
    async with AsyncClient(node.rpc_url) as client:
        found = await client.get_signatures_for_address(Pubkey.from_string(address), limit=1000, commitment=Confirmed)
    return [entry.memo.split("] ")[1] for entry in found.value if entry.err is None and entry.memo]


async def launched(ledger: Ledger, *names: str) -> tuple[str, list[str]]:
    """A token on the chain and funded wallets; the first one's account launched it."""
    wallets = [ledger.account(name, FUNDS) for name in names]
    await fund(ledger, *wallets)
    token = await ledger.launch(wallets[0])
    async with running(ledger) as launches:
        await until(lambda: launches.confirmed == [token])
    return token, wallets


async def test_a_launch_and_trades_settle_and_their_accounts_hear_of_it(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann, bob) = await launched(ledger, "ann", "bob")
        subscription = await ledger.services.bus.subscribe(account_channel(ledger.account_of(ann)))
        async with running(ledger):
            first = await ledger.trade(ann, token, "buy", 1_000_000_000, 40_000_000_000)
            await ledger.trade(bob, token, "buy", 500_000_000, 10_000_000_000)
            await ledger.trade(ann, token, "sell", 300_000_000, 15_000_000_000)
            await until(lambda: ledger.states() == {"confirmed": 4})
            row = ledger.settlement(first)
            event = orjson.loads((await anext(aiter(subscription))).payload)
        assert (event["order_id"], event["state"]) == (first, "confirmed")
        assert event["signature"] == row["signature"]
        assert (row["attempt"], row["errors"], row["fee_lamports"]) == (1, 0, 15_000)
        assert row["slot"] > 0
        assert row["confirmed_at_ms"] >= row["created_at_ms"]
        found = await memos(node, row["vault"])
        assert len(found) == len(set(found)) == 4


async def test_settlements_that_pay_for_each_other_all_get_through(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann, bob) = await launched(ledger, "ann", "bob")
        for number in range(20):
            await ledger.trade(ann, token, "buy", 4_500_000_000, 1_000 + number)
            await ledger.trade(ann, token, "sell", 4_500_000_000 - number, 1_000 + number)
            await ledger.trade(bob, token, "buy", 1_000_000 + number, 1_000)
        async with running(ledger):
            await until(lambda: ledger.states() == {"confirmed": 61})
        with ledger.services.database.snapshot() as connection:
            errors = connection.execute(select(SETTLEMENTS.c.settlement_id).where(SETTLEMENTS.c.attempt > 1)).all()
        assert errors == []


async def killed_at(ledger: Ledger, method: str, after: bool) -> None:
    """Run a service that stops for ever at its first call of that method, before or after it took effect."""
    reached = asyncio.Event()
    real = getattr(ledger.services.chain, method)

    async def call(*arguments: Any, **options: Any) -> Any:
        if after:
            await real(*arguments, **options)
        reached.set()
        await asyncio.Event().wait()

    services = replace(ledger.services, chain=Faulty(ledger.services.chain, **{method: call}))
    task = asyncio.create_task(Launches().service(services).run(asyncio.Event()))
    await asyncio.wait_for(reached.wait(), LIMIT_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(("method", "after"), [("latest_blockhash", True), ("send", False), ("send", True)])
async def test_a_worker_killed_at_any_step_leaves_one_effect_on_the_chain(
    node: Localnet, tmp_path: Path, method: str, after: bool
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann,) = await launched(ledger, "ann")
        order = await ledger.trade(ann, token, "buy", 1_000_000_000, 40_000_000_000)
        await killed_at(ledger, method, after)
        assert ledger.settlement(order)["state"] == ("signed" if method == "send" else "pending")
        async with running(ledger):
            await until(lambda: ledger.settlement(order)["state"] == "confirmed")
        assert ledger.settlement(order)["attempt"] == 1
        assert (await memos(node, ann)).count(f"bh1:{order}") == 1


async def test_a_transaction_that_never_reached_the_cluster_expires_and_is_signed_once_more(
    node: Localnet, tmp_path: Path
) -> None:
    first: list[bytes] = []

    def lossy(chain: Any) -> Faulty:
        async def send(transactions: Sequence[bytes]) -> list[str | None]:
            first.extend(transactions[: 1 - len(first)])
            kept = [transaction for transaction in transactions if transaction not in first]
            await chain.send(kept)
            return [None] * len(transactions)

        return Faulty(chain, send=send)

    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann,) = await launched(ledger, "ann")
        order = await ledger.trade(ann, token, "buy", 1_000_000_000, 40_000_000_000)

        lost = Ledger(replace(ledger.services, chain=lossy(ledger.services.chain)))
        async with running(lost):
            await until(lambda: ledger.settlement(order)["state"] == "signed")
            dropped = ledger.settlement(order)["signature"]
            await until(lambda: ledger.settlement(order)["state"] == "confirmed")
        row = ledger.settlement(order)
        assert row["attempt"] == 2
        assert row["signature"] != dropped
        assert await ledger.services.chain.statuses([dropped], search_history=True) == [None]
        await ledger.services.chain.send(first)
        assert (await memos(node, ann)).count(f"bh1:{order}") == 1


async def test_a_confirmed_transaction_that_the_cluster_takes_back_is_signed_again(
    node: Localnet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first transaction is confirmed on a fork of the test's own, which then goes away."""
    fork: dict[str, SignatureStatus] = {}

    def forked(chain: Any) -> Faulty:
        async def send(transactions: Sequence[bytes]) -> list[str | None]:
            if not fork:
                signature = str(VersionedTransaction.from_bytes(transactions[0]).signatures[0])
                fork[signature] = SignatureStatus(await chain.slot(), confirmed=True, finalized=False, error=None)
            kept = [raw for raw in transactions if str(VersionedTransaction.from_bytes(raw).signatures[0]) not in fork]
            await chain.send(kept)
            return [None] * len(transactions)

        async def statuses(
            signatures: Sequence[str], search_history: bool = False, since_slot: int = 0
        ) -> list[SignatureStatus | None]:
            gone = (await chain.finalized()).height > limit["height"]
            real = await chain.statuses(signatures, search_history, since_slot)
            return [found if gone else fork.get(one, found) for one, found in zip(signatures, real, strict=True)]

        async def lamports_moved(wanted: Sequence[tuple[str, str]]) -> list[int | None]:
            real = await chain.lamports_moved(wanted)
            return [0 if one in fork else found for (_, one), found in zip(wanted, real, strict=True)]

        return Faulty(chain, send=send, statuses=statuses, lamports_moved=lamports_moved)

    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann,) = await launched(ledger, "ann")
        limit = {"height": (await ledger.services.chain.finalized()).height + 100}
        order = await ledger.trade(ann, token, "buy", 1_000_000_000, 40_000_000_000)
        lost = Ledger(replace(ledger.services, chain=forked(ledger.services.chain)))
        async with running(lost):
            await until(lambda: ledger.settlement(order)["state"] == "confirmed")
            assert ledger.settlement(order)["signature"] in fork
            await until(lambda: ledger.settlement(order)["attempt"] == 2)
            await until(lambda: ledger.settlement(order)["state"] == "confirmed")
        assert "alert=confirmed_vanished" in caplog.text
        assert (await memos(node, ann)).count(f"bh1:{order}") == 1
        with ledger.services.database.snapshot() as connection:
            statement = select(TRANSFERS.c.amount).where(TRANSFERS.c.kind == RENT_BACK)
            assert sorted(connection.execute(statement).scalars()) == [-2_074_080, 2_074_080], "the fork took no rent"
        assert await differences(ledger.services) == []


async def test_a_settlement_that_lands_with_errors_is_given_up_after_three_and_stays_visible(
    node: Localnet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(settings_for(tmp_path, node, compute_unit_limit=1_000)) as ledger:
        wallet = ledger.account("ann", FUNDS)
        await fund(ledger, wallet)
        token = await ledger.launch(wallet)
        async with running(ledger) as launches:
            await until(lambda: len(launches.failed) == 1)
        assert launches.failed[0][0] == token
        assert "alert=settlement_failed" in caplog.text
        assert ledger.states() == {"failed": 1}
        with ledger.services.database.snapshot() as connection:
            row = connection.execute(select(SETTLEMENTS)).mappings().one()
            fees = connection.execute(select(TRANSFERS)).mappings().all()
        assert (row["errors"], row["attempt"]) == (3, 3)
        assert row["error"]
        assert [(fee["kind"], fee["amount"]) for fee in fees] == [("network_fee", -15_000)] * 3


async def test_rows_that_can_never_be_sent_fail_visibly_and_hold_up_nobody(
    node: Localnet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann, bob) = await launched(ledger, "ann", "bob")
        too_long = await ledger.launch(ann, name="\U0001f431" * 32, uri="u" * 230)
        strange = await ledger.trade(bob, token, "buy", 1_000_000_000, 40_000_000_000)
        with ledger.services.database.transaction() as connection:
            forged = update(SETTLEMENTS).where(SETTLEMENTS.c.settlement_id == strange)
            connection.execute(forged.values(account_id="1" * 32))
        good = await ledger.trade(ann, token, "buy", 1_000_000_000, 40_000_000_000)
        async with running(ledger) as launches:
            await until(lambda: ledger.settlement(good)["state"] == "confirmed")
            await until(lambda: ledger.states() == {"confirmed": 2, "failed": 2})
        assert [failed for failed, _ in launches.failed] == [too_long]
        assert "none of the platform's" in ledger.settlement(strange)["error"]
        assert "alert=settlement_refused" in caplog.text


async def test_without_its_socket_the_sweep_alone_confirms(node: Localnet, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, node, solana_ws_url="ws://127.0.0.1:1", confirm_poll_ms=50)
    async with opened(settings) as ledger:
        token, (ann,) = await launched(ledger, "ann")
        order = await ledger.trade(ann, token, "buy", 1_000_000_000, 40_000_000_000)
        async with running(ledger):
            await until(lambda: ledger.settlement(order)["state"] == "confirmed")


async def test_a_node_killed_in_the_middle_loses_and_repeats_nothing(tmp_path: Path) -> None:
    with running_localnet(tmp_path / "localnet", confirm_ms=150, finalize_ms=400, slot_ms=20) as node:
        async with opened(settings_for(tmp_path, node)) as ledger:
            token, (ann,) = await launched(ledger, "ann")
            orders = [await ledger.trade(ann, token, "buy", 10_000_000, 1_000 + number) for number in range(30)]
            async with running(ledger):
                await until(lambda: ledger.states().get("signed", 0) > 0)
                await asyncio.to_thread(node.restart)
                await until(lambda: ledger.states() == {"confirmed": 31})
            found = await memos(node, ann)
        assert all(found.count(f"bh1:{order}") == 1 for order in orders)
