"""Bulk writes: a portable Core statement, compiled once per dialect, executed over many rows.

SQLAlchemy prepares each row's parameters in Python, which costs more than the database does. The rows here are plain
integers and short strings that need no conversion, so they go to the driver as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, insert, update

Rows = Sequence[Mapping[str, Any]]

_NEW = "new__"  # no column begins like this: `key_name` must stay itself
_KEY = "key__"


def insert_rows(connection: Connection, into: Table, rows: Rows) -> None:
    """Insert the rows; all have the first one's columns, columns they leave out become NULL."""
    if rows:
        columns = tuple(rows[0])
        _execute(connection, _insert_sql(into, columns, connection.dialect), rows)


def update_rows(connection: Connection, of: Table, keys: tuple[str, ...], columns: tuple[str, ...], rows: Rows) -> None:
    """Set `columns` of the rows found by `keys`; both are read from each row by name."""
    if rows:
        _execute(connection, _update_sql(of, keys, columns, connection.dialect), rows)


class _Sql:
    """A statement's text for one dialect, and how a row becomes its parameters."""

    def __init__(self, compiled: Any, column_of: Callable[[str], str] = str) -> None:
        self.text = str(compiled)
        names = compiled.positiontup
        self.parameters: Callable[[Mapping[str, Any]], Any]
        if names is not None:
            columns = [column_of(name) for name in names]
            values = itemgetter(*columns)
            self.parameters = values if len(columns) > 1 else lambda row: (values(row),)
        else:
            pairs = [(name, column_of(name)) for name in compiled.params]
            self.parameters = lambda row: {name: row[column] for name, column in pairs}


def _updated_column(parameter: str) -> str:
    return parameter.removeprefix(_NEW) if parameter.startswith(_NEW) else parameter.removeprefix(_KEY)


@lru_cache(maxsize=256)
def _insert_sql(into: Table, columns: tuple[str, ...], dialect: Dialect) -> _Sql:
    return _Sql(insert(into).compile(dialect=dialect, column_keys=list(columns)))


@lru_cache(maxsize=256)
def _update_sql(of: Table, keys: tuple[str, ...], columns: tuple[str, ...], dialect: Dialect) -> _Sql:
    statement = update(of).values({name: bindparam(_NEW + name) for name in columns})
    for name in keys:
        statement = statement.where(of.c[name] == bindparam(_KEY + name))
    return _Sql(statement.compile(dialect=dialect), _updated_column)


def _execute(connection: Connection, sql: _Sql, rows: Rows) -> None:
    connection.exec_driver_sql(sql.text, [sql.parameters(row) for row in rows])
