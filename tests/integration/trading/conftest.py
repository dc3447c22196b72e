"""A ledger per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.persistence.database import Database
from tests.fakes import migrated_database
from tests.ledger import fund, ledger, list_tokens


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    """Three accounts with 10 SOL each and three tokens."""
    with ledger(tmp_path, migrated) as database:
        with database.transaction() as connection:
            fund(connection, range(3))
            list_tokens(connection, range(3))
        yield database
