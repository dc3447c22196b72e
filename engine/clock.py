"""Wall-clock time behind a port, so that tests and simulations own it."""

import time


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """UTC now in epoch milliseconds."""
        return time.time_ns() // 1_000_000
