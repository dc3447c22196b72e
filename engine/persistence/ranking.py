"""The ranking of the trending tokens, as the indicators worker leaves it and everybody reads it."""

from typing import Any, Final

import orjson
from sqlalchemy import Connection

from engine.indicators.rolling import WINDOWS_MS
from engine.persistence import reports
from engine.persistence.bulk import select_by_keys
from engine.persistence.market import token_json
from engine.persistence.tables import TokenRow, table

_NAME: Final = "trending"
_TOKENS: Final = table(TokenRow)


def store(connection: Connection, trending: dict[str, list[str]], now_ms: int) -> None:
    """Replace the ranking: addresses by window, the first one leading."""
    reports.store(connection, _NAME, orjson.dumps(trending), now_ms)


def trending(connection: Connection, limit: int, *windows: str) -> dict[str, list[dict[str, Any]]]:
    """The first tokens of each window's ranking, of all windows if none is named; hidden tokens are left out."""
    stored = reports.latest(connection, _NAME)
    ranking = orjson.loads(stored[0]) if stored else {}
    wanted = {window: ranking.get(window, [])[: 2 * limit] for window in windows or WINDOWS_MS}
    keys = [(address,) for addresses in wanted.values() for address in addresses]
    found = {
        row["address"]: row for row in select_by_keys(connection, _TOKENS, ("address",), keys) if not row["hidden"]
    }
    return {
        window: [token_json(found[address]) for address in addresses if address in found][:limit]
        for window, addresses in wanted.items()
    }
