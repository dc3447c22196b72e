"""The databases that tests run on: SQLite, SQLite with Oracle's rules, PostgreSQL, and Oracle where one is named.

A server's database is made once per test run and emptied between tests.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest.mock import patch
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, delete, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from engine.persistence import bulk, tables
from engine.persistence.database import ConnectionOptions, Database
from tests.oracle import oracle_rules

assert tables.TokenRow, "importing the tables registers them"

POSTGRESQL_URL: Final = os.environ.get(
    "BLITZ_TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)

ORACLE_URL: Final = os.environ.get("BLITZ_TEST_ORACLE_URL", "")
ORACLE_OPTIONS: Final = ConnectionOptions(
    wallet_dir=os.environ.get("BLITZ_TEST_ORACLE_WALLET_DIR", ""),
    wallet_password=os.environ.get("BLITZ_TEST_ORACLE_WALLET_PASSWORD", ""),
)
KINDS: Final = ["sqlite", "oracle-rules", "postgresql", *(["oracle"] if ORACLE_URL else [])]
"""What the database tests are run on. Oracle itself is no skip without a server, but it is said in the header."""


def pytest_report_header() -> str:
    """What is not run."""
    if ORACLE_URL:
        return "databases: SQLite, SQLite with Oracle's rules, PostgreSQL, Oracle (BLITZ_TEST_ORACLE_URL)"
    return (
        "databases: SQLite, SQLite with Oracle's rules, PostgreSQL. NOT RUN ON ORACLE: BLITZ_TEST_ORACLE_URL is not set"
    )


@contextmanager
def database_of(kind: str, request: pytest.FixtureRequest, directory: Path) -> Iterator[Database]:
    """An empty database of that kind; the test needs the fixture `migrated`, a migrated SQLite file."""
    if kind == "postgresql":
        opened = emptied(request.getfixturevalue("postgresql_url"))
    elif kind == "oracle":
        opened = emptied(request.getfixturevalue("oracle_url"), ORACLE_OPTIONS)
    else:
        opened = copied(request.getfixturevalue("migrated"), directory / "ledger.db")
    with opened as database, patch.dict(bulk._SELECTS):
        if kind == "oracle-rules":
            oracle_rules(database)
            del bulk._SELECTS["sqlite"]
        yield database


@contextmanager
def postgresql(migrated: bool = True) -> Iterator[str]:
    """The URL of a new PostgreSQL database, dropped in the end."""
    name = f"blitz_test_{os.getpid()}_{uuid4().hex[:8]}"
    administration = create_engine(POSTGRESQL_URL, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with administration.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError as error:
        administration.dispose()
        pytest.skip(f"no PostgreSQL answers at BLITZ_TEST_POSTGRESQL_URL: {error.orig}")
    url = make_url(POSTGRESQL_URL).set(database=name).render_as_string(hide_password=False)
    try:
        if migrated:
            database = Database(url)
            database.migrate()
            database.close()
        yield url
    finally:
        with administration.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        administration.dispose()


@contextmanager
def emptied(url: str, options: ConnectionOptions | None = None) -> Iterator[Database]:
    """A server's database with its tables as after the migration: nothing in them."""
    database = Database(url, options)
    try:
        with database.transaction() as connection:
            for table in SQLModel.metadata.sorted_tables:
                connection.execute(delete(table))
        yield database
    finally:
        database.close()


@contextmanager
def copied(migrated: Path, path: Path) -> Iterator[Database]:
    """An SQLite file of the test's own."""
    path.write_bytes(migrated.read_bytes())
    database = Database(f"sqlite:///{path}")
    try:
        yield database
    finally:
        database.close()
