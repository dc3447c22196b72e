"""Servers that a test may break: a PostgreSQL cluster, a Redis and a RabbitMQ of its own, on free ports."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from tests.app import free_port

PASSWORD: Final = "right"
_LIMIT_S: Final = 30.0
_QUICK: Final = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "80", "listen_addresses": "127.0.0.1"}


@dataclass(slots=True)
class Cluster:
    """A running PostgreSQL cluster; users come over TCP with a password, the test as superuser over its socket."""

    directory: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None

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

    def start(self) -> None:
        """Start the server and wait until it takes connections; after a kill it recovers first."""
        options = _QUICK | {"unix_socket_directories": str(self.directory), "port": str(self.port)}
        command = [_binary("postgres"), "-D", str(self.directory / "data")]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        user: Any = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/tmp", **user)
        deadline_s = time.monotonic() + _LIMIT_S
        while True:
            try:
                psycopg.connect(self._administration).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline_s, (self.directory / "log").read_text()[-3_000:]
                time.sleep(0.02)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_LIMIT_S)

    def kill(self) -> None:
        """End every process of it with SIGKILL, as a machine's end would."""
        assert self._process is not None
        for pid in (self._process.pid, *children(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(_LIMIT_S)

    @property
    def _administration(self) -> str:
        return f"host={self.directory} port={self.port} user=postgres dbname=postgres"

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
    initdb = _binary("initdb")
    with tempfile.TemporaryDirectory(prefix="blitz-pg-", ignore_cleanup_errors=True) as root:
        if os.geteuid() == 0:
            shutil.chown(root, "postgres")
        cluster = Cluster(Path(root), free_port())
        _as_postgres(
            initdb, "-D", f"{root}/data", "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "-N"
        )
        try:
            cluster.start()
            with psycopg.connect(cluster._administration, autocommit=True) as connection:
                connection.execute(f"CREATE ROLE blitz LOGIN PASSWORD '{PASSWORD}'".encode())
                connection.execute(b"CREATE DATABASE blitz OWNER blitz")
            yield cluster
        finally:
            cluster.stop()


class Server:
    """A server that is one process with its children; the port stays the same over restarts."""

    def __init__(self, command: list[str], port: int, environment: dict[str, str] | None = None) -> None:
        self.port = port
        self._command, self._environment = command, os.environ | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait_until_open(self.port)

    def kill(self) -> None:
        """End every process of it with SIGKILL, as a machine's end would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_LIMIT_S)
            self._process = None


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def redis_server() -> Iterator[Server]:
    """A Redis that keeps nothing."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (on Debian: apt install redis-server)")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with _running(Server(command, port)) as server:
        yield server


@contextmanager
def rabbitmq_server() -> Iterator[Server]:
    """A RabbitMQ node that knows no other; user and password are `guest`."""
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on the path changes the user
    if not program.exists():
        pytest.skip("rabbitmq-server is not installed (on Debian: apt install rabbitmq-server)")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="blitz-rabbit-", ignore_cleanup_errors=True) as directory:
        root = Path(directory)
        (root / "environment").touch()
        (root / "plugins").write_text("[].")
        (root / "rabbitmq.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{port}\n")
        environment = {
            "HOME": directory,
            "RABBITMQ_CONF_ENV_FILE": str(root / "environment"),
            "RABBITMQ_CONFIG_FILE": str(root / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(root / "plugins"),
            "RABBITMQ_NODENAME": f"blitz-{port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(root / "mnesia"),
            "RABBITMQ_LOG_BASE": str(root / "log"),
            "RABBITMQ_SERVER_START_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        with _running(Server([str(program)], port, environment)) as server:
            yield server


def children(pid: int) -> list[int]:
    """The processes that this one has started and that live."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _wait_until_open(port: int) -> None:
    deadline_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on port {port}")
