"""Servers that a test may break: a PostgreSQL cluster and a Redis of its own, on free ports."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests.app import free_port

PASSWORD: Final = "right"
_LIMIT_S: Final = 30.0
_QUICK: Final = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "40", "listen_addresses": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running PostgreSQL cluster; users come over TCP with a password, the test as superuser over its socket."""

    directory: Path
    port: int

    def url(self, port: int | None = None, password: str = PASSWORD) -> str:
        """The database for the app, optionally over another port."""
        return f"postgresql+psycopg://blitz:{password}@127.0.0.1:{port or self.port}/blitz"

    @property
    def own_url(self) -> str:
        """The database for the test itself, as a user whom no fault meets."""
        return f"postgresql+psycopg://postgres@/blitz?host={self.directory}&port={self.port}"

    def run(self, *statements: str) -> None:
        """Run statements as the superuser."""
        where = f"host={self.directory} port={self.port} user=postgres dbname=blitz"
        with psycopg.connect(where, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def end_connections(self) -> None:
        """Break every connection of the app."""
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'blitz'")


def _binary(name: str) -> str:
    """A program of PostgreSQL's; Debian keeps them off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    program = shutil.which(name) or (str(found[-1]) if found else None)
    if program is None:
        pytest.skip(f"{name} is not installed (on Debian: apt install postgresql)")
    return program


def _as_postgres(*command: str) -> None:
    """PostgreSQL refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, *command], check=True, capture_output=True, timeout=_LIMIT_S, cwd="/tmp")


@contextmanager
def postgresql_cluster() -> Iterator[Cluster]:
    """A new cluster with the user and database `blitz`."""
    initdb, pg_ctl = _binary("initdb"), _binary("pg_ctl")
    with tempfile.TemporaryDirectory(prefix="blitz-pg-", ignore_cleanup_errors=True) as root:
        if os.geteuid() == 0:
            shutil.chown(root, "postgres")
        cluster = Cluster(Path(root), free_port())
        data = str(cluster.directory / "data")
        _as_postgres(initdb, "-D", data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "-N")
        options = " ".join(f"-c {name}={value}" for name, value in _QUICK.items())
        options += f" -c unix_socket_directories={root} -c port={cluster.port}"
        _as_postgres(pg_ctl, "-D", data, "-o", options, "-l", f"{root}/log", "-w", "start")
        try:
            where = f"host={root} port={cluster.port} user=postgres dbname=postgres"
            with psycopg.connect(where, autocommit=True) as connection:
                connection.execute(f"CREATE ROLE blitz LOGIN PASSWORD '{PASSWORD}'".encode())
                connection.execute(b"CREATE DATABASE blitz OWNER blitz")
            yield cluster
        finally:
            _as_postgres(pg_ctl, "-D", data, "-m", "immediate", "-w", "stop")


@contextmanager
def redis_server() -> Iterator[int]:
    """A Redis that keeps nothing; yields its port."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (on Debian: apt install redis-server)")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_until_open(port)
        yield port
    finally:
        process.terminate()
        process.wait(_LIMIT_S)


def _wait_until_open(port: int) -> None:
    deadline_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on port {port}")
