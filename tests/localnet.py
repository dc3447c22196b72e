"""A localnet for tests: a process of its own on free ports, which a test can kill and start again."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[1]
_START_LIMIT_S: Final = 30.0
_SET_ATTEMPTS: Final = 50


def free_port_pair() -> int:
    """A port that is free together with the one after it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


class Localnet:
    """`python -m workers localnet` on one data directory; the ports stay the same over restarts."""

    def __init__(
        self,
        data: Path,
        *,
        confirm_ms: int = 350,
        finalize_ms: int = 2_000,
        slot_ms: int = 100,
        blockhash_blocks: int = 150,
    ) -> None:
        self.data, self.blockhash_blocks = data, blockhash_blocks
        self.port = free_port_pair()
        self.confirm_ms, self.finalize_ms, self.slot_ms = confirm_ms, finalize_ms, slot_ms
        self._process: subprocess.Popen[str] | None = None

    @property
    def rpc_url(self) -> str:
        """Where HTTP is served (the WebSocket too)."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Where clients expect the WebSocket: the port after the HTTP port."""
        return f"ws://127.0.0.1:{self.port + 1}"

    def command(self, port: int | None = None) -> list[str]:
        """The command line of this node, optionally on other ports."""
        return [
            *(sys.executable, "-m", "workers", "localnet"),
            *("--port", str(port or self.port), "--data", str(self.data)),
            *("--confirm-ms", str(self.confirm_ms), "--finalize-ms", str(self.finalize_ms)),
            *("--slot-ms", str(self.slot_ms), "--blockhash-blocks", str(self.blockhash_blocks)),
        ]

    def set_faults(self, **faults: int) -> None:
        """What goes wrong on purpose from now on; without arguments nothing."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "localnetFaults", "params": [faults]}
        request = urllib.request.Request(
            self.rpc_url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        for _ in range(_SET_ATTEMPTS):
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    told = json.load(answer)
            except urllib.error.HTTPError:
                continue  # the node may be refusing on purpose
            assert told.get("result", {}).items() >= faults.items(), told
            return
        raise AssertionError("the node refuses every request")

    def start(self) -> str:
        """Start the process and wait until it serves; the line it printed."""
        process = subprocess.Popen(self.command(), cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        self._process = process
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(_START_LIMIT_S):
                self.kill()
                raise TimeoutError("localnet did not get ready")
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"localnet ended with exit code {process.wait()} before it was ready")
        return line.rstrip("\n")

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        os.kill(process.pid, number)
        code = process.wait(_START_LIMIT_S)
        assert process.stdout is not None
        process.stdout.close()
        return code

    def kill(self) -> None:
        """End the process with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the process with SIGTERM; its exit code."""
        return self._end(signal.SIGTERM)

    def restart(self) -> float:
        """Kill the process and start it again on the same directory and ports; seconds until it served."""
        self.kill()
        begun = time.perf_counter()
        self.start()
        return time.perf_counter() - begun


@contextmanager
def running_localnet(
    data: Path,
    *,
    confirm_ms: int = 350,
    finalize_ms: int = 2_000,
    slot_ms: int = 100,
    blockhash_blocks: int = 150,
) -> Iterator[Localnet]:
    """A localnet that runs while the block does."""
    node = Localnet(
        data, confirm_ms=confirm_ms, finalize_ms=finalize_ms, slot_ms=slot_ms, blockhash_blocks=blockhash_blocks
    )
    node.start()
    try:
        yield node
    finally:
        node.kill()
