"""A PostgreSQL database for the integration tests, made once and dropped in the end."""

from collections.abc import Iterator

import pytest

from tests.databases import postgresql


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A migrated database; a test empties it first (`tests.databases.emptied`)."""
    with postgresql() as url:
        yield url
