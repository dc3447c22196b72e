"""Workers as processes of their own, and what the system and their own log tell of them."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

START_LIMIT_S: Final = 60
STOP_LIMIT_S: Final = 120
"""A generous wait: a full stream process drains for half a minute by itself."""
POLL_S: Final = 0.02
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Service:
    """A running `python -m workers NAME`; its log is a file."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log

    async def said(self, words: str) -> None:
        """Wait until its log holds these words.

        Raises:
            RuntimeError: it ended before.
            TimeoutError: it never said them.
        """
        async with asyncio.timeout(START_LIMIT_S):
            while words not in self._log.read_text():
                self.check()
                await asyncio.sleep(POLL_S)

    def check(self) -> None:
        """Raise a RuntimeError with the end of its log if it has ended."""
        if self._process.returncode is not None:
            raise RuntimeError(f"{self._name} ended: {self._log.read_text()[-2_000:]}")

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far."""
        fields = self._of_proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    @property
    def memory_mb(self) -> float:
        """The most it ever had resident, in 10^6 bytes."""
        return _status_kib(self._of_proc("status"), "VmHWM") * 1024 / 1_000_000

    @property
    def memory_now_mb(self) -> float:
        """What it has resident, in 10^6 bytes."""
        return _status_kib(self._of_proc("status"), "VmRSS") * 1024 / 1_000_000

    def _of_proc(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def stop(self) -> None:
        """End it as a deployment does, and wait for it."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_LIMIT_S)
            finally:
                if self._process.returncode is None:
                    self._process.kill()
        await self._process.wait()

    def last(self, words: str) -> dict[str, str]:
        """The `name=value` pairs of the last line with these words; none before there is one."""
        lines = [line for line in self._log.read_text().splitlines() if words in line]
        return dict(re.findall(r"(\w+)=(\S+)", lines[-1])) if lines else {}

    def executed(self) -> dict[str, int]:
        """The counters that a trade worker logs as it ends."""
        line = next(line for line in reversed(self._log.read_text().splitlines()) if " executed " in line)
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}


def _status_kib(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found.group(1))


@asynccontextmanager
async def running(
    name: str, environment: Mapping[str, str], directory: Path, module: Sequence[str] = ()
) -> AsyncIterator[Service]:
    """The service, or another module with its arguments, while the block runs."""
    log = directory / f"{name}-{os.urandom(4).hex()}.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *(module or ("workers", name)), env=os.environ | environment, stdout=out, stderr=out
        )
    service = Service(name, process, log)
    try:
        yield service
    finally:
        await service.stop()
