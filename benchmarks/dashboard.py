"""The operators' dashboard at size: seconds and statements of each of its pages (`make dashboard-size`).

A million trades of 5,000 tokens by 20,000 accounts over 30 days, a few tokens and accounts with most of them, made up
plainly (amounts and prices of no curve), on SQLite and on a PostgreSQL database of its own.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Mount

from blitzhub.api import create_api
from engine.indicators.tallies import DAY_MS, Span
from engine.persistence import activity
from engine.persistence.bulk import insert_rows
from engine.persistence.database import ConnectionOptions, Database
from engine.persistence.tables import AccountRow, TokenRow, TradeRow, table
from engine.persistence.tallies import count_trades
from tests.databases import postgresql
from tests.fakes import fake_services, migrated_database
from tests.integration.api.client import Browser
from tests.market_data import address, token_values

MOST_S: Final = 2.0
MOST_STATEMENTS: Final = 20
DAYS: Final = 30
NOW_MS: Final = 1_790_000_000_000
COUNTED_AT_ONCE: Final = 10_000
"""More than a worker takes: nobody else writes here."""

PATIENT: Final = ConnectionOptions(idle_transaction_ms=600_000)
"""What a million rows are made of in one transaction takes its time on a busy machine."""

_PART: Final = 20_000


def fill(database: Database, trades: int, tokens: int, accounts: int, now_ms: int = NOW_MS, seed: int = 8) -> None:
    """Write that many rows; the same seed writes the same."""
    rng = random.Random(seed)
    start_ms = now_ms - DAYS * DAY_MS
    counts = _shares(rng, trades, tokens)
    born = sorted(rng.randrange(start_ms, now_ms - DAY_MS // 2) for _ in range(tokens))
    owners = [address(100_000 + n) for n in range(accounts)]
    with database.transaction() as connection:
        insert_rows(
            connection,
            table(AccountRow),
            [
                {"account_id": who, "wallet": address(200_000 + n), "simulated": 0, "created_at_ms": 0}
                for n, who in enumerate(owners)
            ],
        )
        rows = [
            token_values(n, created_at_ms=at, tradable_at_ms=at, seq=counts[n], creator=owners[n % accounts])
            | {
                "holders": 7,
                "last_trade_at_ms": now_ms,
                "price": 4 * 10**8,
                "market_cap_lamports": n,
                "updated_at_ms": at,
            }
            | {"description": None, "image": None, "failure": None}
            | ({"stage": "graduated", "graduated_at_ms": at + 3_600_000} if n % 40 == 0 else {})
            for n, at in enumerate(born)
        ]
        insert_rows(connection, table(TokenRow), rows)
    pending: list[dict[str, Any]] = []
    for row in _trades(rng, counts, born, owners, now_ms):
        pending.append(row)
        if len(pending) == _PART:
            _write(database, pending)
            pending = []
    _write(database, pending)


def _write(database: Database, rows: list[dict[str, Any]]) -> None:
    with database.transaction() as connection:
        insert_rows(connection, table(TradeRow), rows)


def _shares(rng: random.Random, trades: int, tokens: int) -> list[int]:
    """How many trades each token has: a few have most."""
    weights = [1 / (rank + 10) for rank in range(tokens)]
    rng.shuffle(weights)
    whole = sum(weights)
    counts = [int(trades * weight / whole) for weight in weights]
    for n in range(trades - sum(counts)):
        counts[n % tokens] += 1
    return counts


def _trades(
    rng: random.Random, counts: list[int], born: list[int], owners: list[str], now_ms: int
) -> Iterator[dict[str, Any]]:
    number = 0
    for n, count in enumerate(counts):
        token, since_ms = address(n), born[n]
        moments = sorted(since_ms + int((now_ms - since_ms) * rng.random() ** 3) for _ in range(count))
        for seq, at_ms in enumerate(moments, 1):
            number += 1
            lamports = rng.randrange(10_000_000, 3_000_000_000)
            fee = lamports // 100
            yield {
                "order_id": f"{rng.getrandbits(128):032x}",
                "token": token,
                "seq": seq,
                "account_id": owners[int(len(owners) * rng.random() ** 2)],
                "account_seq": number,
                "side": "buy" if rng.random() < 0.6 else "sell",
                "simulated": 0,
                "lamports": lamports,
                "curve_lamports": lamports - fee,
                "fee_lamports": fee,
                "creator_fee_lamports": fee * 3 // 10,
                "tokens": lamports * 4,
                "price": 4 * 10**8,
                "supply": min(seq * 10**9, 400 * 10**9) if n % 40 == 0 else seq,
                "reserve_lamports": seq * 1_000_000,
                "executed_at_ms": at_ms,
            }


def count_all(database: Database) -> int:
    """Count every trade; returns how many transactions it took."""
    steps = 0
    while True:
        with database.transaction() as connection:
            done = count_trades(connection, COUNTED_AT_ONCE)
        steps += 1
        if not done:
            return steps


STATUS: Final = "/status"
"""The strip above every page."""

PAGES: Final = {
    "overview, 24 h": (STATUS, "/activity/overview?range=24h"),
    "overview, 7 d by hour": (STATUS, "/activity/overview?range=7d&step=hour"),
    "overview, 90 d": (STATUS, "/activity/overview?range=90d"),
    "tokens, 24 h": (STATUS, "/activity/tokens?range=24h"),
    "tokens, 90 d": (STATUS, "/activity/tokens?range=90d"),
    "the token with most trades": (STATUS, "/activity/tokens/{busiest}"),
    "cohorts by week": (STATUS, "/activity/cohorts?span=week"),
    "cohorts by day": (STATUS, "/activity/cohorts?span=day"),
    "the newest trades of 30 d": ("/activity/trades?from_ms={since}&until_ms={now}",),
    "the traders of 30 d": ("/activity/traders?from_ms={since}&until_ms={now}&span=day",),
    "all tokens as CSV, 90 d": ("/activity/tokens.csv?range=90d",),
}
"""What a page asks when it opens, each question by itself."""


async def measure(database: Database, tokens: int, trades: int) -> dict[str, dict[str, float]]:
    """Fill the empty database, count, then open each page twice; seconds of the slower time, and statements."""
    database.migrate()
    fill(database, trades, tokens, trades // 50)
    begun_s = time.perf_counter()
    steps = count_all(database)
    found = {"counting everything": {"seconds": time.perf_counter() - begun_s, "transactions": steps}}
    if not database.is_sqlite:
        with database.transaction() as connection:  # as autovacuum does within a minute of such growth
            connection.execute(text("ANALYZE"))
    viewer = Ed25519PrivateKey.generate()
    with TemporaryDirectory() as directory:
        path = Path(directory)
        with fake_services(path, migrated_database(path), viewers=Browser(Starlette(), viewer).address) as services:
            services.clock.at_ms = NOW_MS  # type: ignore[attr-defined]
            api = create_api()
            api.state.services = replace(services, database=database)
            async with Browser(Starlette(routes=[Mount("/api", api)]), viewer) as browser:
                await browser.sign_in()
                return found | {name: await _opened(database, browser, asked) for name, asked in PAGES.items()}


async def _opened(database: Database, browser: Browser, asked: Sequence[str]) -> dict[str, float]:
    names = {"busiest": _busiest(database), "now": NOW_MS, "since": NOW_MS - NOW_MS % DAY_MS - 29 * DAY_MS}
    slowest_s, statements = 0.0, 0
    for _ in range(2):
        before, begun_s = database.statements, time.perf_counter()
        for question in asked:
            answer = await browser.get("/api/admin" + question.format(**names))
            assert answer.status_code == 200, answer.text
        slowest_s = max(slowest_s, time.perf_counter() - begun_s)
        statements = database.statements - before
    return {"seconds": round(slowest_s, 3), "statements": statements}


def _busiest(database: Database) -> str:
    with database.snapshot() as connection:
        rows = activity.by_token(connection, Span.EVER, 0, 1)
    return str(max(rows, key=lambda row: row["trades"])["subject"])


def main() -> int:
    """Measure on SQLite and, where a server answers, on PostgreSQL; prints JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description="The dashboard at size.")
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--tokens", type=int, default=5_000)
    asked = parser.parse_args()
    found: dict[str, Any] = {"trades": asked.trades, "tokens": asked.tokens}
    with TemporaryDirectory() as directory, postgresql(migrated=False) as url:
        for kind, where in (("sqlite", f"sqlite:///{directory}/size.db"), ("postgresql", url)):
            database = Database(where, PATIENT)
            found[kind] = asyncio.run(measure(database, asked.tokens, asked.trades))
            database.close()
    print(json.dumps(found, indent=2))
    worst = [each for kind in ("sqlite", "postgresql") for each in found[kind].values() if "statements" in each]
    return int(any(each["seconds"] > MOST_S or each["statements"] > MOST_STATEMENTS for each in worst))


if __name__ == "__main__":
    sys.exit(main())
