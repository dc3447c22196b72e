"""Wall-clock time behind a port, so that tests and simulations own it."""

import asyncio
import logging
import time
from typing import Final

from engine.persistence import server_time
from engine.persistence.database import Database, DatabaseError, told

log = logging.getLogger(__name__)

ASK_EVERY_S: Final = 60.0
SKEW_LOGGED_MS: Final = 2_000


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """UTC now in epoch milliseconds."""
        return time.time_ns() // 1_000_000


class ServerClock:
    """The database server's clock: processes on several machines must agree on when a deadline is.

    Between two questions it is carried on by this machine's monotonic clock, so a wall clock that is wrong or is set
    has no effect at all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ahead_ms = 0

    def now_ms(self) -> int:
        """UTC now in epoch milliseconds."""
        return self._ahead_ms + time.monotonic_ns() // 1_000_000

    async def ask(self) -> None:
        """Read the server's clock.

        Raises:
            DatabaseError: it did not answer.
        """
        before_ms = time.monotonic_ns() // 1_000_000
        server_ms = await self._database.read(server_time.now_ms)
        after_ms = time.monotonic_ns() // 1_000_000
        self._ahead_ms = server_ms - (before_ms + after_ms) // 2
        skew_ms = time.time_ns() // 1_000_000 - self.now_ms()
        if abs(skew_ms) > SKEW_LOGGED_MS:
            log.error(
                "alert=clock_skew this machine's clock is %+.1f s off the database's, which counts", skew_ms / 1000
            )

    async def follow(self) -> None:
        """Ask once a minute, for ever."""
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            try:
                await self.ask()
            except DatabaseError as error:
                log.warning("the database's clock could not be read, going on without: %s", told(error))
