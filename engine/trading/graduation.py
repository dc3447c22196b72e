"""The end of a graduation: its memo is on the chain.

The beginning is `batch.py`'s: the transaction that records the buy which fills the curve also opens the pool, makes the
token `graduating`, and leaves the memo as a pending settlement. Trading never waits for the memo.
"""

from collections.abc import Mapping
from typing import Any

from engine.persistence import launches as rows
from engine.persistence.database import Connection
from engine.ports import BusMessage
from engine.trading import events
from engine.trading.prices import Stage


def confirmed(connection: Connection, settlement: Mapping[str, Any], now_ms: int) -> list[BusMessage]:
    """The chain has the memo: the token has graduated. Again, it changes nothing.

    Runs in the transaction that records the confirmation; returns what to publish after it.
    """
    token = rows.lock(connection, settlement["token"])
    if token["stage"] != Stage.GRADUATING:
        return []
    token |= {"stage": Stage.GRADUATED.value, "updated_at_ms": now_ms}
    rows.write_stage(connection, token)
    return [events.stage_changed(token), events.headline(token)]
