"""HAProxy with the project's own configuration, in front of two backends, for tests."""

import dataclasses
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from scripts.up import find_haproxy, haproxy_environment
from tests.app import free_port

CONFIG: Final = Path(__file__).parents[1] / "deploy" / "haproxy" / "haproxy.cfg"
_START_LIMIT_S: Final = 10
_STOP_LIMIT_S: Final = 10


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running HAProxy and the ports that its backends and their stream processes have to listen on."""

    port: int
    eu_port: int
    na_port: int
    eu_stream_port: int
    na_stream_port: int

    @property
    def url(self) -> str:
        """Where visitors come in."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running_proxy(*, edges: Path | None = None, public_url: str = "http://localhost", port: int = 0) -> Iterator[Proxy]:
    """HAProxy while the block runs; `edges` replaces Cloudflare's networks."""
    binary = find_haproxy()
    if binary is None:
        pytest.skip("HAProxy is not installed (on Debian: apt install haproxy)")
    proxy = Proxy(port or free_port(), *(free_port() for _ in range(4)))
    environment = haproxy_environment(public_url, *dataclasses.astuple(proxy))
    if edges is not None:
        environment["BLITZ_PROXY_EDGES"] = str(edges)
    process = subprocess.Popen([binary, "-db", "-f", str(CONFIG)], env=os.environ | environment)
    try:
        _wait_until_open(proxy.port, process)
        yield proxy
        assert process.poll() is None, "HAProxy ended by itself"
    finally:
        process.terminate()
        process.wait(_STOP_LIMIT_S)


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline_s:
        assert process.poll() is None, "HAProxy ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("HAProxy did not open its port")
