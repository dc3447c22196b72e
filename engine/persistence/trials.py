"""How often a suspect message was begun alone: counted before it is executed, forgotten after.

Whoever dies of the message leaves the count, which is how the next worker knows.
"""

import hashlib
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from engine.persistence.tables import TrialRow, table

_TRIALS: Final = table(TrialRow)


def trial_id(token: str, body: bytes) -> str:
    """The id of a message's trials: of its bytes, because reading them may be what kills."""
    return hashlib.blake2b(token.encode() + body, digest_size=16).hexdigest()


def begin(trial: str, now_ms: int, connection: Connection) -> int:
    """Count a trial; returns how many were begun, this one included.

    Raises IntegrityError when somebody else begins the first one at the same moment.
    """
    mine = _TRIALS.c.trial_id == trial
    begun = update(_TRIALS).where(mine).values(begun=_TRIALS.c.begun + 1, begun_at_ms=now_ms)
    if connection.execute(begun).rowcount == 0:
        connection.execute(insert(_TRIALS).values(trial_id=trial, begun=1, begun_at_ms=now_ms))
    return int(connection.execute(select(_TRIALS.c.begun).where(mine)).scalar_one())


def end(trial: str, connection: Connection) -> None:
    """The message killed nobody this time, or is parked: forget its trials."""
    connection.execute(delete(_TRIALS).where(_TRIALS.c.trial_id == trial))
