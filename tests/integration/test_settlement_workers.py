"""Several settlement workers over one database: they share the work, and whoever dies leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine.adapters.chain_rpc import RpcChain
from engine.persistence import heartbeats
from engine.persistence.trading import SETTLEMENTS
from engine.settlement.service import SERVICE
from tests.databases import emptied
from tests.integration.test_settlement import FUNDS, LIMIT_S, fund, memos, until
from tests.localnet import Localnet, running_localnet
from tests.settling import Faulty, Launches, Ledger, opened, settings_for

TRADES = 40


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    directory = tmp_path_factory.mktemp("crew") / "localnet"
    with running_localnet(directory, confirm_ms=150, finalize_ms=400, slot_ms=20) as node:
        yield node


@pytest.fixture(params=["sqlite", "postgresql"])
async def ledger(node: Localnet, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Ledger]:
    changes = {}
    if request.param == "postgresql":
        changes["database_url"] = request.getfixturevalue("postgresql_url")
        with emptied(changes["database_url"]):
            pass
    async with opened(settings_for(tmp_path, node, **changes)) as ledger:
        yield ledger


class Worker:
    """A settlement worker of its own name that counts what it signs."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self.signed = 0
        self.stop = asyncio.Event()

        async def sign(wanted: Sequence[Any]) -> Any:
            self.signed += len(wanted)
            return await ledger.services.signer.sign(wanted)

        services = replace(ledger.services, signer=Faulty(ledger.services.signer, sign=sign))
        self.launches = Launches()
        self.task = asyncio.create_task(self.launches.service(services, name).run(self.stop))


@asynccontextmanager
async def workers(ledger: Ledger, *names: str) -> AsyncIterator[list[Worker]]:
    crew = [Worker(ledger, name) for name in names]
    try:
        yield crew
    finally:
        for worker in crew:
            worker.stop.set()
        ended = await asyncio.wait_for(asyncio.gather(*(one.task for one in crew), return_exceptions=True), LIMIT_S)
        assert not [error for error in ended if isinstance(error, Exception)]


async def joined(ledger: Ledger, count: int) -> None:
    """Wait until so many workers beat, and each has seen the others."""

    async def seen() -> bool:
        found = await ledger.services.database.read(lambda c: heartbeats.of_service(c, SERVICE))
        return len([each for each in found.values() if each.beats > 1]) >= count

    await until(seen)


async def a_market(ledger: Ledger) -> tuple[str, list[str]]:
    wallets = [ledger.account(name, FUNDS) for name in ("ann", "bob", "cid")]
    await fund(ledger, *wallets)
    token = await ledger.launch(wallets[0])
    async with workers(ledger, "launcher") as (worker,):
        await until(lambda: worker.launches.confirmed == [token])
    return token, wallets


async def trades(ledger: Ledger, token: str, wallets: list[str], count: int) -> list[str]:
    """Tight: each account spends nearly all it has, and lives on what its sells bring back."""
    ids = []
    for number in range(count // 2):
        wallet = wallets[number % len(wallets)]
        ids.append(await ledger.trade(wallet, token, "buy", 4_000_000_000, 1_000 + number))
        ids.append(await ledger.trade(wallet, token, "sell", 4_000_000_000 - number, 1_000 + number))
    return ids


async def test_two_workers_share_the_work_and_sign_nothing_twice(node: Localnet, ledger: Ledger) -> None:
    token, wallets = await a_market(ledger)
    async with workers(ledger, "one", "two") as crew:
        await joined(ledger, 2)
        ids = await trades(ledger, token, wallets, TRADES)
        await until(lambda: ledger.states() == {"confirmed": TRADES + 1})
        assert sum(worker.signed for worker in crew) == TRADES
        assert min(worker.signed for worker in crew) > TRADES // 5
    vault = ledger.settlement(ids[0])["vault"]
    found = await memos(node, vault)
    assert sorted(memo for memo in found if memo.removeprefix("bh1:") in ids) == sorted(f"bh1:{one}" for one in ids)


async def test_what_a_killed_worker_had_signed_and_what_was_its_share_is_settled_by_the_other(
    node: Localnet, ledger: Ledger
) -> None:
    token, wallets = await a_market(ledger)
    held = asyncio.Event()

    async def swallow(transactions: Sequence[bytes]) -> list[str | None]:
        held.set()
        return [None] * len(transactions)

    # A process of its own has sockets of its own: what is cut off in the middle of one harms nobody else's.
    own = RpcChain(node.rpc_url, node.ws_url)
    deaf = Ledger(replace(ledger.services, chain=Faulty(own, send=swallow)))
    doomed = Worker(deaf, "doomed")
    async with workers(ledger, "survivor"):
        await joined(ledger, 2)
        ids = await trades(ledger, token, wallets, 40)
        await asyncio.wait_for(held.wait(), LIMIT_S)
        doomed.task.cancel()
        await asyncio.gather(doomed.task, return_exceptions=True)
        await own.close()
        with ledger.services.database.snapshot() as connection:
            left = select(SETTLEMENTS.c.settlement_id).where(SETTLEMENTS.c.worker == "doomed")
            assert connection.execute(left.where(SETTLEMENTS.c.state == "signed")).all()
        await until(lambda: ledger.states() == {"confirmed": 41})
        with ledger.services.database.snapshot() as connection:
            assert not connection.execute(left).all()
    found = await memos(node, ledger.settlement(ids[0])["vault"])
    assert all(found.count(f"bh1:{one}") == 1 for one in ids)
