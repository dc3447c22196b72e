"""The built web application as a process of its own, for tests that go through the front door."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.localnet import Localnet

ROOT = Path(__file__).parents[1]
BUILT_PAGE = ROOT / ".web" / "build" / "client" / "index.html"
_START_LIMIT_S = 120
_STOP_LIMIT_S = 60


def needs_frontend() -> None:
    """Skip the test, or fail where nothing may be skipped, while there are no pages to serve."""
    if not BUILT_PAGE.exists():
        pytest.skip("the frontend is not built: run `make build`")


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_port_range(count: int) -> int:
    """The first of so many ports in a row that nothing listens on."""
    while True:
        first = free_port()
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            return first


class App:
    """`python -m blitzhub` on one data directory and chain; its address stays the same over restarts."""

    def __init__(self, data: Path, chain: Localnet, settings: dict[str, str] | None = None) -> None:
        self.log = data / "app.log"
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self._environment = os.environ | {
            "BLITZ_DATA_DIR": str(data),
            "BLITZ_PUBLIC_URL": self.url,
            "BLITZ_SOLANA_RPC_URL": chain.rpc_url,
            "BLITZ_SOLANA_WS_URL": chain.ws_url,
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment it runs in: what opens the same services elsewhere."""
        return dict(self._environment)

    def set(self, **settings: str) -> None:
        """Settings of the next start."""
        self._environment |= settings

    def start_again(self) -> None:
        """Stop it and start it."""
        self.stop()
        self.start()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        command = [sys.executable, "-m", "blitzhub", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stderr=log)
        deadline_s = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < deadline_s:
            status = self._process.poll()
            assert status is None, f"the app ended at once with status {status}: {self.log.read_text()[-5_000:]}"
            try:
                with urllib.request.urlopen(f"{self.url}/api/health/live", timeout=2):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise AssertionError(f"the app did not answer within {_START_LIMIT_S} s")

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            os.kill(process.pid, number)
            process.wait(_STOP_LIMIT_S)

    @property
    def pid(self) -> int:
        """The process, which a restart changes."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End the process with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the process with SIGTERM."""
        self._end(signal.SIGTERM)


@contextmanager
def running_app(data: Path, chain: Localnet, settings: dict[str, str] | None = None) -> Iterator[App]:
    """The app while the block runs; it must not compile the frontend again."""
    needs_frontend()
    built_at_ns = BUILT_PAGE.stat().st_mtime_ns
    app = App(data, chain, settings)
    app.start()
    try:
        yield app
    finally:
        app.stop()
    assert BUILT_PAGE.stat().st_mtime_ns == built_at_ns, "starting the app compiled the frontend again"
