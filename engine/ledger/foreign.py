"""What others sent to owned addresses and the deposit scan has not booked yet: it explains a chain that shows more.

Only arrivals explain anything. What leaves an address without a settlement of ours is never in flight.
"""

from collections import defaultdict
from functools import partial

from engine.ledger.comparison import Holding, InFlight, Line
from engine.persistence import deposits as rows
from engine.ports import Movement
from engine.services import Services
from engine.trading.rows import booking_id


class Foreign:
    """Asks the chain about single holdings, and remembers how far each was looked at."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._arrivals: dict[Holding, dict[str, Movement]] = defaultdict(dict)
        self._seen_slots: dict[Holding, int] = {}

    def agreed(self, holding: Holding, slot: int) -> None:
        """At that slot nothing was unexplained on this holding, so nothing older need be looked at again."""
        self._seen_slots[holding] = max(slot, self._seen_slots.get(holding, 0))
        self._arrivals.pop(holding, None)

    async def on_its_way(self, line: Line, slot: int) -> list[InFlight]:
        """Arrivals up to that slot that are not booked.

        Raises:
            engine.errors.Unavailable: the chain cannot be asked.
        """
        holding = line.address, line.asset
        await self._learn(holding)
        arrivals = self._arrivals[holding]
        if not arrivals:
            return []
        ids = {signature: booking_id("deposit", signature, *holding) for signature in arrivals}
        booked = await self._services.database.read(partial(rows.booked, transfer_ids=ids.values()))
        return [
            InFlight(each.signature, "arrival not booked yet", each.amount)
            for each in arrivals.values()
            if ids[each.signature] not in booked and each.slot <= slot
        ]

    async def _learn(self, holding: Holding) -> None:
        chain = self._services.chain
        recent = await chain.recent(*holding, after_slot=self._seen_slots.get(holding, 0))
        unknown = [signature for signature in recent if signature not in self._arrivals[holding]]
        if not unknown:
            return
        own = await self._services.database.read(partial(rows.own_signatures, signatures=unknown))
        foreign = [signature for signature in unknown if signature not in own]
        for movement in await chain.movements(*holding, foreign):
            if movement.amount > 0:
                self._arrivals[holding][movement.signature] = movement
