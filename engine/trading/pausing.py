"""Whether all buying is paused, as a trade worker asks it: of the database, four times a second at most."""

from typing import Final

from engine.persistence.controls import paused_since_ms
from engine.persistence.database import Connection
from engine.ports import Clock

READ_EVERY_MS: Final = 250
"""A batch may be so much behind an operator; a pause holds within a second."""


class PlatformPause:
    """The switch as it stood when it was last read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read_at_ms: int | None = None
        self._is_set = False

    def is_set(self, connection: Connection) -> bool:
        """Whether buying is paused; a statement of the caller's transaction where the answer is too old."""
        now_ms = self._clock.now_ms()
        if self._read_at_ms is None or not 0 <= now_ms - self._read_at_ms < READ_EVERY_MS:
            self._is_set = paused_since_ms(connection) is not None
            self._read_at_ms = now_ms
        return self._is_set
