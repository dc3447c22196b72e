"""The indicators that time alone changes: what the indicators worker reads and writes."""

from sqlalchemy import Connection, func, select

from engine.persistence.bulk import update_rows
from engine.persistence.trading import CANDLES, TOKENS

DAY_MS = 86_400_000


def refresh_volumes(now_ms: int, connection: Connection) -> dict[str, int]:
    """Recompute every token's 24 h volume from its minute candles; returns the new figure where it changed.

    The window reaches back 24 h to the minute, the running one included.
    """
    since = select(CANDLES.c.token, func.sum(CANDLES.c.volume_lamports).label("volume"))
    since = since.where(CANDLES.c.bucket_ms > now_ms - DAY_MS).group_by(CANDLES.c.token)
    volumes = {row.token: int(row.volume) for row in connection.execute(since)}
    stored = connection.execute(select(TOKENS.c.address, TOKENS.c.volume_24h_lamports).where(TOKENS.c.seq > 0))
    changed = {
        row.address: volumes.get(row.address, 0)
        for row in stored
        if row.volume_24h_lamports != volumes.get(row.address, 0)
    }
    rows = [{"address": address, "volume_24h_lamports": volume} for address, volume in changed.items()]
    update_rows(connection, TOKENS, ("address",), ("volume_24h_lamports",), rows)
    return changed
