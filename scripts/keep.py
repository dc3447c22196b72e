"""Keeps one process running: `python -m scripts.keep COMMAND…` starts it again whenever it dies.

What systemd does for the services; the process runner alone would end the whole stack with the first dead process.
"""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Final

WRONG_SETTINGS: Final = 2
"""The exit status that no new start can change."""

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 10.0


class Keeper:
    """One command and the process that runs it now."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Pass the end on to the process and do not start it again."""
        self._stopping.set()
        if self._child is not None:
            self._child.terminate()

    def run(self) -> int:
        """Run until told to stop; returns the exit status.

        A process that dies soon after its start is waited for longer each time.
        """
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            started_s = time.monotonic()
            self._child = subprocess.Popen(self._command)
            if self._stopping.is_set():  # asked while it was being started
                self._child.terminate()
            status = self._child.wait()
            if self._stopping.is_set() or status == WRONG_SETTINGS:
                return status
            if time.monotonic() - started_s > LONGEST_WAIT_S:
                wait_s = FIRST_WAIT_S
            sys.stdout.write(f"ended with status {status}; starts again in {wait_s:.1f} s\n")
            sys.stdout.flush()
            self._stopping.wait(wait_s)
            wait_s = min(LONGEST_WAIT_S, 2 * wait_s)
        return 0


def main() -> int:
    """Keep the command of the arguments running until SIGTERM or SIGINT."""
    keeper = Keeper(sys.argv[1:])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.stop)
    return max(0, keeper.run())


if __name__ == "__main__":
    sys.exit(main())
