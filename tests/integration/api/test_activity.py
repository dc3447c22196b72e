"""The dashboard's routes: what they answer, refuse, hand out as files, and cost the database."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.routing import Mount

from blitzhub.api import create_api
from engine.services import Services
from tests.activity_data import NOW_MS, Month, plainly
from tests.integration.api.client import Browser, assert_problem
from tests.integration.reports.conftest import count
from tests.integration.trading.running import until
from tests.ledger import token
from workers.indicators import run

VIEWER: Final = Ed25519PrivateKey.generate()
MOST_STATEMENTS: Final = 20
AT: Final = "/api/admin/activity"


@pytest.fixture
def traded(services: Services) -> Services:
    """Four days of trades, counted, behind the services of a platform with a viewer."""
    services.clock.at_ms = NOW_MS  # type: ignore[attr-defined]
    month = Month(services.database)
    month.trade_until(NOW_MS)
    count(services.database, limit=1_000)
    return replace(services, settings=replace(services.settings, viewers=Browser(Starlette(), VIEWER).address))


@pytest.fixture
async def viewer(traded: Services) -> AsyncIterator[Browser]:
    api = create_api()
    api.state.services = traded
    async with Browser(Starlette(routes=[Mount("/api", api)]), VIEWER) as browser:
        await browser.sign_in()
        yield browser


async def test_the_page_draws_what_the_rows_say_in_few_statements(traded: Services, viewer: Browser) -> None:
    before = traded.database.statements
    found = (await viewer.get(f"{AT}/overview?range=7d")).json()
    listed = (await viewer.get(f"{AT}/tokens?range=7d")).json()
    assert traded.database.statements - before <= MOST_STATEMENTS
    inside = [row for row in plainly(traded.database, "trades") if row["executed_at_ms"] >= found["from_ms"]]
    assert found["totals"]["lamports"] == str(sum(row["lamports"] for row in inside))
    assert found["totals"]["trades"] == len(inside)
    drawn = {name: [trace["y"] for trace in chart["data"]] for name, chart in found["charts"].items()}
    assert sum(map(sum, drawn["trades"])) == len(inside)
    assert sum(map(sum, drawn["volume"])) == pytest.approx(sum(row["lamports"] for row in inside) / 10**9)
    assert sum(map(sum, drawn["fees"])) == pytest.approx(sum(row["fee_lamports"] for row in inside) / 10**9)
    assert sum(int(row["lamports"]) for row in listed["tokens"]) == sum(row["lamports"] for row in inside)


async def test_a_token_its_cohorts_and_the_rows_behind_are_told(traded: Services, viewer: Browser) -> None:
    trades = plainly(traded.database, "trades")
    before = traded.database.statements
    found = (await viewer.get(f"{AT}/tokens/{token(0)}")).json()
    assert traded.database.statements - before <= MOST_STATEMENTS
    mine = [row for row in trades if row["token"] == token(0)]
    assert sum(row["trades"] for row in found["by_class"].values()) == len(mine)
    assert {row["account_id"] for row in found["creator_trades"]} <= {found["token"]["creator"]}
    cohorts = (await viewer.get(f"{AT}/cohorts?span=week")).json()["cohorts"]
    assert sum(row["active"][0] for row in cohorts) == len({row["account_id"] for row in trades})
    page = (await viewer.get(f"{AT}/trades?token={token(0)}&limit=2")).json()
    assert [row["order_id"] for row in page["trades"]] == [
        row["order_id"] for row in sorted(mine, key=lambda row: -row["seq"])[:2]
    ]
    assert isinstance(page["trades"][0]["lamports"], str)
    traders = (await viewer.get(f"{AT}/traders?from_ms=0&until_ms={NOW_MS}&limit=200")).json()["traders"]
    assert sum(row["trades"] for row in traders) == len(trades)


async def test_the_exports_are_files_with_every_row_that_matches(viewer: Browser) -> None:
    asked = "range=30d&sort=name&descending=false&text=token"
    text = await viewer.get(f"{AT}/tokens.csv?{asked}")
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    assert text.headers["content-disposition"] == 'attachment; filename="blitzhub-tokens.csv"'
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert [row["name"] for row in rows] == [f"'=Token {number}" for number in range(9)]
    file = await viewer.get(f"{AT}/tokens.parquet?{asked}")
    frame = pl.read_parquet(io.BytesIO(file.content))
    assert frame["name"].to_list() == [f"=Token {number}" for number in range(9)]
    assert frame["lamports"].dtype == pl.Int64


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/overview?range=1y", "invalid_period"),
        ("/overview?first=2026-09-01", "invalid_period"),
        ("/overview?first=2026-09-02&last=2026-09-01", "invalid_period"),
        ("/overview?first=2026-02-30&last=2026-03-01", "invalid_period"),
        ("/overview?first=2020-01-01&last=2026-01-01", "invalid_period"),
        ("/overview?first=9999-12-31&last=9999-12-31", "invalid_period"),
        ("/overview?first=20260901xx&last=2026-W01-1", "invalid_period"),
        ("/overview?range=30d&step=hour", "invalid_period"),
        ("/overview?range=24h&step=day", "invalid_period"),
        ("/overview?range=7d&step=ever", "invalid_period"),
        ("/tokens?sort=k", "invalid_query"),
        ("/tokens?stage=nowhere", "invalid_query"),
        ("/tokens?only=failed", "invalid_query"),
        (f"/tokens.csv?text={'x' * 61}", "invalid_query"),
        ("/tokens/x", "unknown_token"),
        (f"/tokens/{token(99)}", "unknown_token"),
        ("/cohorts?span=ever", "invalid_query"),
        ("/trades?cursor=1.'--", "invalid_cursor"),
        ("/trades?limit=201", "invalid_request"),
        ("/trades?from_ms=-1", "invalid_request"),
        ("/traders", "invalid_request"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_code(viewer: Browser, path: str, code: str) -> None:
    answer = await viewer.get(AT + path)
    assert_problem(answer, answer.status_code, code)
    assert answer.status_code in (404, 422)


async def test_the_worker_counts_what_is_there_and_says_up_to_when(services: Services) -> None:
    month = Month(services.database)
    month.trade_until(month.at_ms + 5 * 86_400_000)
    stop = asyncio.Event()
    task = asyncio.create_task(run(services, stop))
    await until(lambda: any(row["name"] == "tallies" for row in plainly(services.database, "reports")))
    stop.set()
    await task
    trades: list[dict[str, Any]] = plainly(services.database, "trades")
    [ever] = [
        row for row in plainly(services.database, "tallies") if (row["kind"], row["span"]) == ("platform", "ever")
    ]
    assert ever["trades"] == len(trades) > 0
    assert ever["lamports"] == sum(row["lamports"] for row in trades)
