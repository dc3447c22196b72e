"""Alembic's entry: runs the migrations on the connection it is given, or prints them as SQL offline."""

from alembic import context
from sqlalchemy import text
from sqlmodel import SQLModel

from engine.persistence import tables  # noqa: F401  registers the tables

target = SQLModel.metadata

_LOCK = 4_217_001
"""Names the advisory lock that one migrating process holds: every process migrates when it starts."""


def run_offline() -> None:
    """Print the migrations for the dialect of `sqlalchemy.url`."""
    context.configure(url=context.config.get_main_option("sqlalchemy.url"), target_metadata=target, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run the migrations in one transaction."""
    connection = context.config.attributes["connection"]
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    context.configure(connection=connection, target_metadata=target)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
