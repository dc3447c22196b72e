"""One process of the platform under its keeper (scripts/keep.py), as `make up` runs it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.app import ROOT
from tests.servers import children

STOP_LIMIT_S: Final = 20.0


class Kept:
    """A process that is started again whenever it dies; `line` is the file whose crash points it obeys."""

    def __init__(self, name: str, arguments: list[str], environment: dict[str, str], directory: Path) -> None:
        self.name = name
        self.line = directory / f"{name}.line"
        self._log = directory / f"{name}.log"
        self._numbers = 0
        with self._log.open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "scripts.keep", sys.executable, "-m", *arguments],
                cwd=ROOT,
                env=environment | {"BLITZ_CRASH_POINTS": str(self.line)},
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int | None:
        """The process that runs now; None between two."""
        return next(iter(children(self._keeper.pid)), None)

    @property
    def said(self) -> str:
        """Everything that it and its keeper have logged."""
        return self._log.read_text(errors="replace")

    @property
    def deaths(self) -> int:
        """How often the keeper has seen it die of SIGKILL."""
        return self.said.count(f"ended with status {-signal.SIGKILL}")

    def strike(self, number: str, point: str, side: str, passage: int) -> None:
        """Have it send itself that signal at its so-manyth passage of the point from now on."""
        self._numbers += 1
        written = self.line.with_suffix(".new")
        written.write_text(f"{number} {point} {side} {passage} {self._numbers}")
        written.rename(self.line)

    def struck(self) -> int | None:
        """The process that has obeyed, None before. Asked again it knows no more of it."""
        taken = [path for path in self.line.parent.glob(f"{self.name}.*") if path.suffix[1:].isdecimal()]
        if not taken:
            return None
        taken[0].unlink()
        return int(taken[0].suffix[1:])

    def signal(self, number: signal.Signals) -> int:
        """Send it a signal; the process that got it."""
        deadline_s = time.monotonic() + STOP_LIMIT_S
        while (pid := self.pid) is None:
            assert time.monotonic() < deadline_s, f"{self.name} does not run: {self.said[-3_000:]}"
            time.sleep(0.02)
        os.kill(pid, number)
        return pid

    def stop(self) -> None:
        """End it and its keeper, in whatever state it is."""
        pid = self.pid
        self._keeper.terminate()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        try:
            self._keeper.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            for each in (pid, self._keeper.pid):
                if each is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(each, signal.SIGKILL)
            self._keeper.wait(STOP_LIMIT_S)
