"""A market in motion on a platform, and the proof that nothing of it was lost or doubled."""

import asyncio
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text

from engine.bootstrap import open_services
from engine.ledger.reconciliation import Reconciler
from engine.ledger.replay import replay
from engine.persistence.database import Database
from tests.crash.platform import SETTLE, TRADE, Platform
from tests.crash.traders import Trader

TRADERS: Final = 4
TOKENS: Final = 12
ORDERS_PER_S: Final = 8.0
"""Of each trader, at most."""
POLL_S: Final = 0.1
LIMIT_S: Final = 120.0
"""A generous wait; whoever measures says what is allowed."""


@dataclass(slots=True)
class Verdict:
    """What the orders came to."""

    accepted: int
    filled: int
    lost: list[str]
    doubled: list[str]
    problems: list[str]

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing doubled, exact to the last unit."""
        return not (self.lost or self.doubled or self.problems)


class Market:
    """Traders who trade all the while."""

    def __init__(self, platform: Platform, traders: list[Trader], tokens: list[str]) -> None:
        self.platform = platform
        self._traders, self._tokens = traders, tokens
        self._database = platform.database

    @asynccontextmanager
    async def trading(self) -> AsyncIterator[None]:
        """Everybody trades while the block runs; after it every order they sent is answered."""
        stop = asyncio.Event()
        flows = [asyncio.create_task(trader.trade(self._tokens, ORDERS_PER_S, stop)) for trader in self._traders]
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(LIMIT_S):
                await asyncio.gather(*flows)

    @property
    def accepted(self) -> set[str]:
        """Every order that was answered 202 so far."""
        return {each.order_id for trader in self._traders for each in trader.orders if each.accepted}

    async def settled(self, orders: Collection[str], limit_s: float = LIMIT_S) -> float:
        """Wait until each of these is final, and on Solana if it was filled; how many seconds that took."""
        started_s, open_ones = time.monotonic(), set(orders)
        while open_ones:
            if time.monotonic() - started_s > limit_s:
                raise AssertionError(f"not settled after {limit_s:.0f} s:\n{self._told(open_ones)}")
            await asyncio.sleep(POLL_S)
            open_ones -= await asyncio.to_thread(self._done)
        return time.monotonic() - started_s

    def _done(self) -> set[str]:
        try:
            with self._database.snapshot() as connection:
                found = connection.execute(text(_DONE)).scalars()
                return set(found)
        except Exception:  # the server may be down, as the test wants
            return set()

    def _told(self, open_ones: set[str]) -> str:
        """How far these orders came, and what the workers said last."""
        tokens = {each.order_id: each.token for trader in self._traders for each in trader.orders}
        with self._database.snapshot() as connection:
            found = {
                name: [tuple(row) for row in connection.execute(text(query))] for name, query in _WHERE_IT_IS.items()
            }
        states = dict(found.pop("orders"))
        lines = [f"{each} of {tokens[each]}: {states.get(each, 'not executed')}" for each in open_ones]
        lines += [f"{name}: {rows}" for name, rows in found.items()]
        lines += [f"{name} said last:\n{self.platform.kept[name].said[-2_000:]}" for name in (*TRADE, *SETTLE)]
        return "\n".join(lines)

    async def verdict(self) -> Verdict:
        """Hold everything against everything. Nobody may be trading."""
        ordered = [each for trader in self._traders for each in trader.orders]
        accepted = self.accepted
        refused = {each.order_id for each in ordered if not (each.accepted or each.may_exist)}
        with self._database.snapshot() as connection:
            rows = connection.execute(text("SELECT order_id, state FROM orders")).all()
            trades = Counter(connection.execute(text("SELECT order_id FROM trades")).scalars())
        final = Counter(row.order_id for row in rows)
        filled = {row.order_id for row in rows if row.state == "filled"}
        memos = Counter(memos_of(self.platform.chain_file))
        lost = [each for each in accepted if not final[each]]
        lost += [each for each in filled if not trades[each] or not memos[each]]
        doubled = [each for counts in (final, trades, memos) for each, count in counts.items() if count > 1]
        problems = [f"{each} was refused and exists" for each in refused & final.keys()]
        problems += [f"{each} is no trader's" for each in final.keys() - {each.order_id for each in ordered}]
        problems += [f"{each} moved and is not filled" for each in trades.keys() ^ filled]
        async with open_services(self.platform.settings) as services:
            problems += [str(each) for each in (await Reconciler(services).check()).findings]
            problems += await asyncio.to_thread(_replayed, services.database)
        return Verdict(len(accepted), len(filled), lost, doubled, problems)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


_DONE: Final = """
SELECT o.order_id FROM orders o LEFT JOIN settlements s ON s.settlement_id = o.order_id
WHERE o.state = 'rejected' OR s.state = 'confirmed'
"""


_WHERE_IT_IS: Final = {
    "orders": "SELECT order_id, state FROM orders",
    "settlements": "SELECT state, count(*) FROM settlements GROUP BY state",
    "parked": "SELECT parked_id, token, cause, state FROM parked_orders",
    "trials": "SELECT * FROM trials",
}


def memos_of(chain_file: Path) -> list[str]:
    """The settlements that the local chain carries, one for each transaction that succeeded."""
    with closing(sqlite3.connect(f"file:{chain_file}?mode=ro", uri=True)) as chain:
        found = chain.execute("SELECT memo FROM transactions WHERE error IS NULL AND memo LIKE '%bh1:%'")
        return [memo.partition("bh1:")[2] for (memo,) in found]


def _replayed(database: Database) -> list[str]:
    """Where the ledger differs from what its immutable rows lead to."""
    with tempfile.TemporaryDirectory() as directory:
        target = Database(f"sqlite:///{Path(directory) / 'replayed.db'}")
        target.migrate()
        try:
            return replay(database, target)[1]
        finally:
            target.close()


@asynccontextmanager
async def opened_market(platform: Platform, seed: str) -> AsyncIterator[Market]:
    """Rich accounts and launched tokens, made by the product's own ways. Nobody else trades on the platform."""
    traders = [Trader(platform.url, f"{seed} {number}") for number in range(TRADERS)]
    await asyncio.gather(*(trader.enter() for trader in traders))
    tokens = await asyncio.gather(*(traders[number % TRADERS].launch(number) for number in range(TOKENS)))
    market = Market(platform, traders, tokens)
    try:
        yield market
    finally:
        for trader in traders:
            await trader.close()
        market.close()
