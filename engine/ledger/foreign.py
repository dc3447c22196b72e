"""What others sent to owned addresses and the deposit scan has not booked yet: it explains a chain that shows more.

Only arrivals explain anything. What leaves an address without a settlement of ours is never in flight.
"""

from collections import defaultdict
from functools import partial

from engine.ledger.comparison import Holding, InFlight
from engine.ledger.sides import Look
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

    async def learn(self, holding: Holding) -> None:
        """Ask the chain what has arrived there of late.

        Raises:
            engine.errors.Unavailable: the chain cannot be asked.
        """
        chain, known = self._services.chain, self._arrivals[holding]
        recent = await chain.recent(*holding, after_slot=self._seen_slots.get(holding, 0))
        unknown = [signature for signature in recent if signature not in known]
        own = await self._services.database.read(partial(rows.own_signatures, signatures=unknown))
        foreign = [signature for signature in unknown if signature not in own]
        for movement in await chain.movements(*holding, foreign):
            if movement.amount > 0:
                known[movement.signature] = movement

    def transfer_ids(self, holding: Holding) -> list[str]:
        """The ids that the learned arrivals are booked under."""
        return [_transfer_id(signature, holding) for signature in self._arrivals[holding]]

    def on_its_way(self, holding: Holding, look: Look) -> list[InFlight]:
        """What the look's read of the chain shows and its ledger has not booked."""
        return [
            InFlight(each.signature, "arrival not booked yet", each.amount)
            for each in self._arrivals[holding].values()
            if each.slot <= look.slots[holding] and _transfer_id(each.signature, holding) not in look.booked
        ]


def _transfer_id(signature: str, holding: Holding) -> str:
    return booking_id("deposit", signature, *holding)
