"""A month of trades, counted in the middle of it again and again, and once more in the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.persistence.database import Database
from engine.persistence.tallies import count_trades
from tests.activity_data import DAY_MS, DAYS, NOW_MS, UNTRADED, Month
from tests.databases import KINDS, database_of
from tests.fakes import migrated_database


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="module", params=KINDS)
def month(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Path
) -> Iterator[Database]:
    with database_of(request.param, request, tmp_path_factory.mktemp("month")) as database:
        month = Month(database)
        for day in range(1, DAYS + 1):
            month.trade_until(NOW_MS - (DAYS - day) * DAY_MS)
            if day % 3 == 0:
                count(database, limit=7)
            if day in (13, 22):
                give_something(month)
        # Trades of yesterday evening that are committed after trades of today were counted.
        for number in (0, 6):
            month.trade(13, number, NOW_MS - DAY_MS)
        count(database, limit=50)
        yield database


def give_something(month: Month) -> None:
    giver, number = next((who, n) for n in range(UNTRADED) for who in range(8) if month.holds(who, n))
    month.give(giver, 9, number)


def count(database: Database, limit: int) -> None:
    for _ in range(10_000):
        with database.transaction() as connection:
            if count_trades(connection, limit) < limit:
                return
    raise AssertionError("counting does not end")
