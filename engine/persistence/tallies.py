"""Counting trades into `tallies`, each exactly once, whoever counts and however late a trade is committed.

A token's trades are committed in `seq` order (its row is locked for them), so what is not counted of it is what lies
above the `seq` in `tallied`. Both tables change in one transaction. Two workers that count at once wait for each other
at the tallies' locks; the one that comes second sees that its trades are counted and leaves them.
"""

from typing import Final

from sqlalchemy import Connection, and_, delete, func, select

from engine.indicators.tallies import FIGURES, KEYS, Uncounted, key_of, merge, tally
from engine.persistence.bulk import insert_rows, select_by_keys, update_rows
from engine.persistence.tables import TalliedRow, TallyRow, table
from engine.persistence.trading import TOKENS, TRADES

TALLIES, TALLIED = table(TallyRow), table(TalliedRow)

COUNTED_REPORT: Final = "tallies"
"""The report whose time says up to when everything is counted."""

AT_ONCE: Final = 2_000
"""Trades counted in one transaction: on SQLite nobody else writes meanwhile."""


def count_trades(connection: Connection, limit: int = AT_ONCE) -> int:
    """Count trades that are not counted yet; returns how many. As many as `limit`, the most at once: ask again."""
    found = _uncounted(connection, limit)
    if not found:
        return 0
    trades = [trade for trade, _ in found]
    counted_before = {trade.token: seq for trade, seq in found}
    known = select_by_keys(connection, TALLIED, ("token",), [(token,) for token in counted_before], lock=True)
    at = {row["token"]: row["seq"] for row in known}
    if any(at.get(token, 0) != seq for token, seq in counted_before.items()):
        return limit  # another worker has just counted them: ask again
    new, counted = tally(trades)
    before = select_by_keys(connection, TALLIES, KEYS, [key_of(row) for row in new], lock=True)
    existing = {key_of(row) for row in before}
    merged = merge(before, new)
    update_rows(connection, TALLIES, KEYS, FIGURES, [row for row in merged if key_of(row) in existing])
    insert_rows(connection, TALLIES, [row for row in merged if key_of(row) not in existing])
    update_rows(connection, TALLIED, ("token",), ("seq", "on_pool"), [row for row in counted if row["token"] in at])
    insert_rows(connection, TALLIED, [row for row in counted if row["token"] not in at])
    return len(trades)


def forget_tallies(connection: Connection) -> None:
    """Empty both tables: everything is counted anew from then on."""
    connection.execute(delete(TALLIES))
    connection.execute(delete(TALLIED))


def _uncounted(connection: Connection, limit: int) -> list[tuple[Uncounted, int]]:
    """The next trades with the `seq` up to which their token is counted, in `seq` order within a token."""
    counted = func.coalesce(TALLIED.c.seq, 0)
    joined = {"curve_supply": TOKENS.c.curve_supply, "on_pool": func.coalesce(TALLIED.c.on_pool, 0)}
    columns = [joined[name] if name in joined else TRADES.c[name] for name in Uncounted._fields]
    query = (
        select(*columns, counted)
        .select_from(TOKENS)
        .outerjoin(TALLIED, TALLIED.c.token == TOKENS.c.address)
        .join(TRADES, and_(TRADES.c.token == TOKENS.c.address, TRADES.c.seq > counted))
        .where(TOKENS.c.seq > counted)
        .order_by(TOKENS.c.address, TRADES.c.seq)  # along the tokens: never past what is counted
        .limit(limit)
    )
    return [(Uncounted(*row[:-1]), row[-1]) for row in connection.execute(query)]
