"""Named points on an order's path at which a test has the process kill or freeze itself; for everybody else nothing.

The test names a file in `BLITZ_CRASH_POINTS`, which settings refuse in production and beside any chain but a local one.
The line `KILL committed after 3 17` in it lets whoever passes that point for the third time take the line away and
kill itself; `STOP` freezes it. The last word only makes lines differ. A line strikes once, however many processes
read the same file, because only one of them can take it away; it leaves its process id in the file's new name.
"""

import logging
import os
import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

SIGNALS: Final = {"KILL": signal.SIGKILL, "STOP": signal.SIGSTOP}


class Point(StrEnum):
    """Where an order can be, in its order: web process, trade worker, settlement worker. `told` is both workers'."""

    ACCEPTED = "accepted"
    """Before: the request is read. After: the answer 202 is ready and not sent."""
    PUBLISHED = "published"
    """Around the publish; after: it is confirmed."""
    DELIVERED = "delivered"
    """Before: a message has come from RabbitMQ. After: the worker has its batch in hand."""
    BEGUN = "begun"
    """Before: the transaction has no statement. After: every row is locked and read."""
    WRITTEN = "written"
    """Around the statements that write."""
    COMMITTED = "committed"
    """Before: all is written and decided. After: it is committed."""
    TOLD = "told"
    """Around the events that follow a commit."""
    ACKED = "acked"
    """Around the acknowledgement of a batch."""
    SIGNED = "signed"
    """Around the request to the signer."""
    STORED = "stored"
    """Around the commit of the signed bytes."""
    SENT = "sent"
    """Around the sending of them."""
    SEEN = "seen"
    """Around the question what became of them."""
    RECORDED = "recorded"
    """Around the commit of their confirmation."""


class _Line:
    """The line that waits in a file, and how often its point was passed since it is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._words = ""
        self._passed = 0

    def passed(self, point: Point, side: str) -> None:
        """Count this passage; the one that is meant does not return."""
        with self._lock:
            number = self._struck(point, side)
        if number is not None:
            os.kill(os.getpid(), number)

    def _struck(self, point: Point, side: str) -> signal.Signals | None:
        try:
            words = self._path.read_text()
        except FileNotFoundError:
            return None
        if words != self._words:
            self._words, self._passed = words, 0
        name, wanted, wanted_side, count, _ = words.split()
        if (wanted, wanted_side) != (point, side):
            return None
        self._passed += 1
        if self._passed < int(count):
            return None
        try:
            self._path.rename(self._path.with_suffix(f".{os.getpid()}"))
        except FileNotFoundError:  # another process has taken it
            return None
        return SIGNALS[name]


_line: _Line | None = None


def arm(path: str) -> None:
    """Obey the lines of that file from now on; an empty path: none."""
    global _line
    _line = _Line(Path(path)) if path else None
    if path:
        log.warning("under test: this process kills itself as %s says", path)


def before(point: Point) -> None:
    """The process is about to do what the point names."""
    if _line is not None:
        _line.passed(point, "before")


def after(point: Point) -> None:
    """The process has done it."""
    if _line is not None:
        _line.passed(point, "after")
