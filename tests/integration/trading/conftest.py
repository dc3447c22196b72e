"""A ledger per test, on each kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.persistence.database import Database
from tests.databases import KINDS, database_of
from tests.fakes import migrated_database
from tests.ledger import fund, list_tokens


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Three accounts with 10 SOL each and three tokens."""
    with database_of(request.param, request, tmp_path) as database:
        with database.transaction() as connection:
            fund(connection, range(3))
            list_tokens(connection, range(3))
        yield database
