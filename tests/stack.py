"""The full stack as `make up` starts it, on the real servers and on names of its own, for tests."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select

from engine.adapters.rabbitmq.topology import Topology
from engine.persistence.database import Database
from engine.persistence.trading import TOKENS
from scripts.up import WATCHED, find_haproxy
from tests import rabbit
from tests.app import ROOT, free_port, free_port_range, needs_frontend
from tests.localnet import free_port_pair
from tests.rabbit import URL as BROKER_URL
from tests.rabbit import needs_rabbitmq

REDIS_URL: Final = os.environ.get("BLITZ_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
_START_LIMIT_S: Final = 180
_STOP_LIMIT_S: Final = 60


class Stack:
    """A running `python -m scripts.up`."""

    def __init__(self, data: Path, database_url: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self._log = data / "up.log"
        self._environment = os.environ | {
            "BLITZ_PORT": str(self.port),
            "BLITZ_EU_PORT": str(free_port()),
            "BLITZ_NA_PORT": str(free_port()),
            "BLITZ_EU_STREAM_PORT": str(free_port()),
            "BLITZ_NA_STREAM_PORT": str(free_port()),
            "BLITZ_METRICS_PORTS": str(free_port_range(WATCHED) - 1),
            "BLITZ_LOCALNET_PORT": str(free_port_pair()),
            "BLITZ_DATA_DIR": str(data),
            "BLITZ_DATABASE_URL": database_url,
            "BLITZ_BROKER_URL": BROKER_URL,
            "BLITZ_BROKER_PREFIX": f"test-{uuid.uuid4().hex[:12]}",
            "BLITZ_REDIS_URL": REDIS_URL,
            "BLITZ_PUBLIC_URL": self.url,
            "BLITZ_SIGNER_WEB_TOKEN": uuid.uuid4().hex,
            "BLITZ_SIGNER_SETTLE_TOKEN": uuid.uuid4().hex,
            **settings,
        }
        self._environment.pop("BLITZ_SOLANA_RPC_URL", None)
        self._environment.pop("BLITZ_SOLANA_WS_URL", None)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def told(self) -> str:
        """What every process has logged so far."""
        return self._log.read_text(errors="replace")

    @property
    def metrics_ports(self) -> list[int]:
        """Where the processes answer for their metrics, in the order of the Procfile."""
        first = int(self._environment["BLITZ_METRICS_PORTS"]) + 1
        return [*range(first, first + WATCHED)]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may hold."""
        return self._environment["BLITZ_SIGNER_WEB_TOKEN"], self._environment["BLITZ_SIGNER_SETTLE_TOKEN"]

    @property
    def prefix(self) -> str:
        """What every name on the broker begins with."""
        return self._environment["BLITZ_BROKER_PREFIX"]

    def start(self) -> None:
        """Start it and wait until both backends answer through the proxy."""
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "scripts.up"]
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)
        self.wait_for("EU", "EU-BE-01", _START_LIMIT_S)
        self.wait_for("NA", "NA-BE-01", _START_LIMIT_S)

    def backend_of(self, continent: str) -> str | None:
        """Which backend a visitor of that continent comes to when all of its parts answer; None for none."""
        request = urllib.request.Request(f"{self.url}/api/health/ready", headers={"CF-IPContinent": continent})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                name: str | None = answer.headers["X-BlitzHub-Backend"]
                return name
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def wait_for(self, continent: str, backend: str, limit_s: float) -> None:
        """Wait until that continent's visitors come to that backend."""
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            assert self._process is not None
            assert self._process.poll() is None, self._log.read_text()
            if self.backend_of(continent) == backend:
                return
            time.sleep(0.1)
        raise AssertionError(f"{continent} did not come to {backend}: {self._log.read_text()[-5_000:]}")

    def kill(self, name: str) -> int:
        """End a process of the Procfile with SIGKILL, as a crash would; what keeps it will start it again.

        Returns the id it had.
        """
        found = re.search(rf"{name}\.1 started \(pid=(\d+)\)", self._log.read_text())
        assert found is not None
        keeper = found.group(1)
        (child,) = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        return int(child)

    def stop(self) -> None:
        """End everything."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_STOP_LIMIT_S)


@contextmanager
def running_stack(data: Path, database_url: str, **settings: str) -> Iterator[Stack]:
    """The stack with these settings while the block runs."""
    if find_haproxy() is None:
        pytest.skip("HAProxy is not installed (on Debian: apt install haproxy)")
    needs_frontend()
    needs_rabbitmq()
    stack = Stack(data, database_url, **settings)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        rabbit.apart(rabbit.delete(Topology(stack.prefix), _launched(database_url)))


def _launched(database_url: str) -> list[str]:
    """Every token that has a queue."""
    with closing(Database(database_url)) as database, database.snapshot() as connection:
        return list(connection.execute(select(TOKENS.c.address)).scalars())
