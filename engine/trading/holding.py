"""An operator's hold on a token: orders are accepted and wait in their queue, none is executed, until it is released.

The database says which tokens are held. The trade workers are told to read it again, and act within a second; one that
was not told reads it by itself within ten. A batch in a worker's hands at that moment is finished. Deadlines go on: an
order whose own has passed when the token is released is rejected for that.

A token whose vault cannot pay is held too (`engine/settlement/freezing.py`), and besides takes no orders; it is not
released here.
"""

from functools import partial

from engine.persistence.database import Database
from engine.persistence.freezes import set_held
from engine.ports import Broker
from engine.trading.inputs import UnknownToken


async def hold(database: Database, broker: Broker, token: str) -> bool:
    """Let the token's orders wait; False when they did already.

    Raises:
        UnknownToken: there is no such token.
        engine.errors.Unavailable: it is held, but the trade workers could not be told at once.
    """
    return await _turn(database, broker, token, True)


async def release(database: Database, broker: Broker, token: str) -> bool:
    """Have the waiting orders executed, in their order; False when the token was not held. Raises like `hold`."""
    return await _turn(database, broker, token, False)


async def _turn(database: Database, broker: Broker, token: str, is_held: bool) -> bool:
    changed = await database.write(partial(set_held, token=token, is_held=is_held))
    if changed is None:
        raise UnknownToken(f"There is no token {token}.")
    await broker.recheck_held()  # also when nothing changed: whoever asks again was not heard the first time
    return changed
