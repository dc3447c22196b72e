"""The dashboard's benchmark runs, and its pages stay within their budget, at a size for every day."""

import asyncio
from pathlib import Path

import pytest

from benchmarks import dashboard
from engine.persistence.database import Database


@pytest.mark.slow
def test_every_page_opens_in_time_and_in_few_statements(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'size.db'}")
    try:
        found = asyncio.run(dashboard.measure(database, 200, 20_000))
    finally:
        database.close()
    assert set(dashboard.PAGES) < set(found)
    for name in dashboard.PAGES:
        assert found[name]["seconds"] <= dashboard.MOST_S, name
        assert 0 < found[name]["statements"] <= dashboard.MOST_STATEMENTS, name
