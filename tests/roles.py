"""A PostgreSQL database with the users of deploy/database, for tests.

Users belong to the server and not to a database, so each test run has users of its own name.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from scripts.rights import DIRECTORY, ROLES


class Server:
    """A migrated database with users of its own, whose names begin with `prefix`."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url, self.prefix = url, prefix
        self.owner = create_engine(url)

    def grant(self) -> None:
        """Run the file, as an operator would."""
        sql = (DIRECTORY / "postgresql.sql").read_text().replace("blitz_", self.prefix)
        with self.owner.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(sql.replace("%", "%%"))

    def url_of(self, role: str) -> str:
        """Where that kind of process would connect to."""
        return make_url(self.url).set(username=self.prefix + role).render_as_string(hide_password=False)

    @contextmanager
    def connected(self, role: str) -> Iterator[Connection]:
        """A connection signed in as that user; rolled back in the end."""
        engine = create_engine(self.url_of(role))
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


@contextmanager
def granted(url: str) -> Iterator[Server]:
    """The users while the block runs; granted twice, as after a migration."""
    server = Server(url, f"bt{uuid.uuid4().hex[:8]}_")
    try:
        server.grant()
        server.grant()
        yield server
    finally:
        with server.owner.begin() as connection:
            for role in ROLES:
                connection.execute(text(f"DROP OWNED BY {server.prefix}{role}"))
                connection.execute(text(f"DROP ROLE {server.prefix}{role}"))
        server.owner.dispose()
