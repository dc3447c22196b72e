"""The database's own figures for whoever watches the platform, read when somebody looks and at most every five seconds.

One process answers for them, the one that reconciles: with several the same figure would be counted several times.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from engine import metrics
from engine.metric_kinds import Reading
from engine.persistence.database import DatabaseError, told
from engine.persistence.standing import Standing, standing
from engine.services import Services

log = logging.getLogger(__name__)

KEPT_S: Final = 5.0


class Figures:
    """What the database said last; None when it did not answer, and then its figures are absent."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._standing: Standing | None = None
        self._read_s = float("-inf")

    async def refresh(self) -> None:
        """Read anew what is too old."""
        if time.monotonic() < self._read_s + KEPT_S:
            return
        self._standing = None
        try:
            self._standing = await self._services.database.read(standing)
            self._read_s = time.monotonic()
        except DatabaseError as error:
            log.warning("the platform's figures could not be read: %s", told(error))

    def expose(self) -> None:
        """Answer for the figures from now on."""
        metrics.expose(metrics.RECONCILING)
        metrics.before_answering(self.refresh)
        metrics.settlements.by(self._of(lambda found: found.settlements))
        metrics.settlement_oldest.by(self._of(self._oldest_s))
        metrics.parked_orders.by(self._of(lambda found: found.parked_orders))
        metrics.frozen_accounts.by(self._of(lambda found: found.frozen_accounts))
        metrics.held_tokens.by(self._of(_by_holder))
        metrics.withdrawals_frozen.by(self._of(lambda found: float(found.withdrawals_frozen)))

    def _of(self, figure: Callable[[Standing], Reading]) -> Callable[[], Reading | None]:
        return lambda: None if self._standing is None else figure(self._standing)

    def _oldest_s(self, found: Standing) -> float:
        return max(0, self._services.clock.now_ms() - found.oldest_ms) / 1000 if found.oldest_ms else 0.0


def _by_holder(found: Standing) -> dict[str, float]:
    return {"operator": found.held_tokens, "vault": found.stopped_tokens}
