"""Pages and their cursors: a number and a name, where the page before ended. `page_after` is for what only grows."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, and_, or_

from engine.errors import Refusal
from engine.units import MAX_AMOUNT

MAX_PAGE: Final = 200
_CURSOR = re.compile(r"([0-9]{1,19})\.([0-9a-f]{32})\Z")


class InvalidCursor(Refusal):
    """A page cursor that none of our answers contained."""

    code = "invalid_cursor"
    status = 422


def read_cursor(pattern: re.Pattern[str], cursor: str) -> tuple[int, str]:
    """The number and the name of a cursor, which the pattern's two groups hold.

    Raises:
        InvalidCursor: the cursor is not one of ours.
    """
    match = pattern.match(cursor)
    if match is None or int(match[1]) > MAX_AMOUNT:
        raise InvalidCursor("This cursor is not one of ours; start again without it.")
    return int(match[1]), match[2]


def page_after(
    connection: Connection,
    query: Select[Any],
    by: tuple[Column[Any], Column[Any]],
    limit: int,
    cursor: str | None,
) -> tuple[Sequence[Mapping[Any, Any]], str | None]:
    """A page of the query's rows, the latest first by time and id, and the cursor of the next one, None at the end.

    Raises:
        InvalidCursor: the cursor is not one of ours.
    """
    limit, (at, row_id) = max(1, min(limit, MAX_PAGE)), by
    if cursor is not None:
        at_ms, last_id = read_cursor(_CURSOR, cursor)
        query = query.where(or_(at < at_ms, and_(at == at_ms, row_id < last_id)))
    rows = connection.execute(query.order_by(at.desc(), row_id.desc()).limit(limit + 1)).mappings().all()
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], None if last is None else f"{last[at]}.{last[row_id]}"
