"""Two workers that count at once, and one that is stopped in the middle of it: every trade is still counted once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine.persistence.database import Database, DatabaseError
from engine.persistence.tallies import count_trades, forget_tallies
from tests.activity_data import plainly

LIMIT = 9


def tallies(database: Database) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in plainly(database, "tallies"))


def count_to_the_end(database: Database) -> int:
    """As the worker does: what fails is asked again. Returns how often it counted something."""
    rounds = 0
    while True:
        try:
            with database.transaction() as connection:
                if count_trades(connection, LIMIT) < LIMIT:
                    return rounds
            rounds += 1
        except DatabaseError:
            continue


def stopped(database: Database) -> None:
    """Count, and be killed before the commit."""
    with database.transaction() as connection:
        assert count_trades(connection, LIMIT) == LIMIT
        raise KeyboardInterrupt


def test_workers_that_count_at_once_count_each_trade_once(month: Database) -> None:
    expected = tallies(month)
    with month.transaction() as connection:
        forget_tallies(connection)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(count_to_the_end, [month] * 3))
    with month.transaction() as connection:
        assert count_trades(connection) == 0
    assert tallies(month) == expected


def test_a_worker_that_is_stopped_before_its_commit_has_counted_nothing(month: Database) -> None:
    expected = tallies(month)
    with month.transaction() as connection:
        forget_tallies(connection)
        count_trades(connection, LIMIT)
    halfway = tallies(month)
    with pytest.raises(KeyboardInterrupt):
        stopped(month)
    assert tallies(month) == halfway
    count_to_the_end(month)
    assert tallies(month) == expected
