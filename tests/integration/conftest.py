"""A PostgreSQL database for the integration tests, made once and dropped in the end."""

from collections.abc import Iterator

import pytest

from engine.persistence.database import Database
from tests.databases import ORACLE_OPTIONS, ORACLE_URL, postgresql


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A migrated database; a test empties it first (`tests.databases.emptied`)."""
    with postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def oracle_url() -> str:
    """The Oracle database that BLITZ_TEST_ORACLE_URL names, migrated. Its tables are emptied by the tests."""
    database = Database(ORACLE_URL, ORACLE_OPTIONS)
    database.migrate()
    database.close()
    return ORACLE_URL
