"""Trades onto a chain that fails all the while: `python -m tests.faulty [--trades N] [--tokens N]`.

The local chain drops a fifth of all transactions and holds back another, lies about its height and about how long a
blockhash is good, refuses requests and cuts the socket. In the end every trade must be confirmed, and the chain is
asked, transaction by transaction, whether it holds each exactly once.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import uvloop
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solders.pubkey import Pubkey
from solders.signature import Signature
from sqlalchemy import func, select

from benchmarks.opening import open_market
from benchmarks.seeding import unconfirmed_settlements
from benchmarks.tape import TapeMaker, invented_market
from blitzhub.embedded import run_workers
from engine.bootstrap import open_services
from engine.persistence.database import Connection
from engine.persistence.trading import SETTLEMENTS, TRADES
from engine.services import Services
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE
from engine.units import LAMPORTS_PER_SOL
from tests.localnet import Localnet, running_localnet
from tests.settling import settings_for
from workers import trade

FAULTS: Final = {
    "drop_percent": 20,
    "delay_percent": 20,
    "delay_ms": 2_000,
    "lag_percent": 30,
    "lag_blocks": 60,
    "refuse_percent": 3,
    "cut_ms": 2_000,
}
PAGE: Final = 1_000
BATCH: Final = 50
BATCH_EVERY_S: Final = 0.25
MEMO: Final = "bh1:"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the ledger and the chain said in the end."""

    trades: int
    confirmed: int
    on_chain: dict[str, int]
    """How often the chain holds each trade's memo, by its settlement's id."""
    signed_again: int
    landed_with_error: int
    seconds: float

    @property
    def exactly_once(self) -> bool:
        """Whether every trade is confirmed, and on the chain once."""
        counts = set(self.on_chain.values())
        return self.confirmed == self.trades == len(self.on_chain) and counts == {1}


async def run(directory: Path, trades: int, tokens: int, accounts: int, limit_s: float) -> Outcome:
    """Fill that many trades while the chain fails, and wait until all are confirmed.

    Raises:
        TimeoutError: some never were.
    """
    with running_localnet(
        directory / "localnet", confirm_ms=150, finalize_ms=500, slot_ms=40, blockhash_blocks=80
    ) as node:
        async with _embedded(directory, node) as services:
            market = await open_market(services, invented_market(tokens, accounts))
            await asyncio.to_thread(lambda: node.set_faults(**FAULTS))
            began_s = time.monotonic()
            tape = TapeMaker(market, highest_lamports=LAMPORTS_PER_SOL // 20)
            worker = trade.create(services, await _rent_lamports(services))
            for start in range(0, trades, BATCH):
                orders = tape.orders(min(BATCH, trades - start))
                await services.database.write(partial(worker.execute, orders, False))
                await asyncio.sleep(BATCH_EVERY_S)
            async with asyncio.timeout(limit_s):
                while await services.database.read(unconfirmed_settlements):  # noqa: ASYNC110  the chain decides
                    await asyncio.sleep(0.2)
            seconds = time.monotonic() - began_s
            await asyncio.to_thread(node.set_faults)
            on_chain, errors = await _memos(node, await services.database.read(_vaults))
            wanted = await services.database.read(_trades)
            confirmed, again = await services.database.read(_confirmed)
            return Outcome(
                trades, confirmed, {each: on_chain[each] for each in wanted}, again, errors, round(seconds, 1)
            )


@asynccontextmanager
async def _embedded(directory: Path, node: Localnet) -> AsyncIterator[Services]:
    async with open_services(settings_for(directory, node)) as services, run_workers(services):
        yield services


async def _rent_lamports(services: Services) -> int:
    while True:
        try:
            return await services.chain.rent_lamports(TOKEN_ACCOUNT_SIZE)
        except Exception:  # the node refuses on purpose
            await asyncio.sleep(0.1)


async def _memos(node: Localnet, vaults: Sequence[str]) -> tuple[Counter[str], int]:
    """How often each settlement's memo landed, and how many transactions landed with an error."""
    seen: Counter[str] = Counter()
    errors = 0
    async with AsyncClient(node.rpc_url) as client:
        for vault in vaults:
            before: Signature | None = None
            while True:
                page = (
                    await client.get_signatures_for_address(
                        Pubkey.from_string(vault), before=before, limit=PAGE, commitment=Confirmed
                    )
                ).value
                for entry in page:
                    errors += entry.err is not None
                    if entry.err is None and entry.memo is not None:
                        seen[entry.memo.split("] ")[1].removeprefix(MEMO)] += 1
                if len(page) < PAGE:
                    break
                before = page[-1].signature
    return seen, errors


def _vaults(connection: Connection) -> list[str]:
    return list(connection.execute(select(SETTLEMENTS.c.vault).distinct()).scalars())


def _trades(connection: Connection) -> list[str]:
    return list(connection.execute(select(TRADES.c.order_id)).scalars())


def _confirmed(connection: Connection) -> tuple[int, int]:
    """How many trades are confirmed, and how many of those were signed more than once."""
    found = SETTLEMENTS.c.state == "confirmed", SETTLEMENTS.c.kind == "trade"
    count = connection.execute(select(func.count()).where(*found)).scalar_one()
    again = connection.execute(select(func.count()).where(*found, SETTLEMENTS.c.attempt > 1)).scalar_one()
    return int(count), int(again)


def main(arguments: Sequence[str]) -> int:
    """Run and print; 0 if every trade is on the chain exactly once."""
    parser = argparse.ArgumentParser(prog="python -m tests.faulty", description=__doc__.splitlines()[0])
    parser.add_argument("--trades", type=int, default=2_000, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=20, metavar="N", help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="blitz-faulty-") as directory:
        outcome = uvloop.run(run(Path(directory), options.trades, options.tokens, 40, 1_200))
    sys.stdout.write(
        f"{outcome.confirmed} of {outcome.trades} trades confirmed in {outcome.seconds} s, "
        f"{sum(count == 1 for count in outcome.on_chain.values())} on the chain exactly once; "
        f"{outcome.signed_again} were signed again after proof that they had expired, "
        f"{outcome.landed_with_error} transactions landed with an error\n"
    )
    return 0 if outcome.exactly_once else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
