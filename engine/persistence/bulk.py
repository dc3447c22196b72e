"""Bulk reads and writes: portable Core statements, compiled once per dialect, executed over many rows.

SQLAlchemy prepares each row's parameters, and each IN list's text, in Python, which costs more than the database does.
The rows here are plain integers and short strings that need no conversion, so they go to the driver as they are.

PostgreSQL alone would plan and execute an `executemany` row by row. There new rows are copied (`connecting` knows
how), and the rows of other statements travel as one JSON parameter; both are several times faster.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import (
    ClauseElement,
    Connection,
    CursorResult,
    Dialect,
    LargeBinary,
    Select,
    Table,
    bindparam,
    insert,
    select,
    tuple_,
    update,
)

Item = TypeVar("Item")
Rows = Sequence[Mapping[str, Any]]

IN_LIMIT: Final = 1_000
"""Oracle takes at most this many members in an IN list."""

_NEW = "new__"  # no column begins like this: `key_name` must stay itself
_KEY = "key__"


def insert_rows(connection: Connection, into: Table, rows: Rows) -> None:
    """Insert the rows; all have the first one's columns, columns they leave out become NULL."""
    if not rows:
        return
    columns = tuple(rows[0])
    if connection.dialect.name == "postgresql":
        values = _values_of(columns)
        connection.exec_driver_sql(_copy_sql(into, columns), [values(row) for row in rows])
    else:
        _execute(connection, _insert_sql(into, columns, connection.dialect), rows)


def update_rows(connection: Connection, of: Table, keys: tuple[str, ...], columns: tuple[str, ...], rows: Rows) -> None:
    """Set `columns` of the rows found by `keys`; both are read from each row by name."""
    if not rows:
        return
    if _travel_as_json(connection, of, columns):
        changed = [{name: row[name] for name in keys + columns} for row in rows]
        _execute_json(connection, _json_update_sql(of, keys, columns), changed)
    else:
        _execute(connection, _update_sql(of, keys, columns, connection.dialect), rows)


def select_by_keys(
    connection: Connection, of: Table, keys: tuple[str, ...], wanted: Iterable[tuple[Any, ...]], *, lock: bool = False
) -> list[dict[str, Any]]:
    """The rows whose `keys` columns are one of the `wanted` tuples; locked, and in key order, if told."""
    distinct = sorted(set(wanted))
    if not distinct:
        return []
    columns = tuple(of.c.keys())
    found = _SELECTS.get(connection.dialect.name, _select_listed)(connection, of, keys, distinct, lock)
    return [dict(zip(columns, row, strict=True)) for row in found]


def _select_listed(
    connection: Connection, of: Table, keys: tuple[str, ...], wanted: Sequence[tuple[Any, ...]], lock: bool
) -> list[Sequence[Any]]:
    """What every database understands."""
    found: list[Sequence[Any]] = []
    for part in chunks(wanted):
        sql = _select_sql(of, keys, _padded(len(part)), lock, connection.dialect)
        found.extend(connection.exec_driver_sql(sql.text, sql.parameters(part)).fetchall())
    return found


def _select_joined(
    connection: Connection, of: Table, keys: tuple[str, ...], wanted: Sequence[tuple[Any, ...]], lock: bool
) -> Sequence[Sequence[Any]]:
    """SQLite searches no index for row values, and would read all that has the first key; here each key is searched."""
    sql = _sqlite_select_sql(of, keys, lock)
    return connection.exec_driver_sql(sql, (orjson.dumps(wanted).decode(),)).fetchall()


def _select_json(
    connection: Connection, of: Table, keys: tuple[str, ...], wanted: Sequence[tuple[Any, ...]], lock: bool
) -> Sequence[Sequence[Any]]:
    rows = [dict(zip(keys, each, strict=True)) for each in wanted]
    return _execute_json(connection, _json_select_sql(of, keys, lock), rows).fetchall()


_SELECTS: Final = {"sqlite": _select_joined, "postgresql": _select_json}


def chunks(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """The items in parts that fit an IN list."""
    return (items[start : start + IN_LIMIT] for start in range(0, len(items), IN_LIMIT))


def _padded(count: int) -> int:
    """The next size of IN list that is compiled: the powers of two and the limit."""
    return min(1 << (count - 1).bit_length(), IN_LIMIT)


def compiled(statement: ClauseElement, dialect: Dialect, **how: Any) -> Any:
    """The statement as that database's text; every statement here comes by, which is where tests read them."""
    return statement.compile(dialect=dialect, **how)


def _values_of(columns: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """What takes these columns' values out of a row."""
    values = itemgetter(*columns)
    return values if len(columns) > 1 else lambda row: (values(row),)


class _Sql:
    """A statement's text for one dialect, and how a row becomes its parameters."""

    def __init__(self, compiled: Any, column_of: Callable[[str], str] = str) -> None:
        self.text = str(compiled)
        names = compiled.positiontup
        self.parameters: Callable[[Mapping[str, Any]], Any]
        if names is not None:
            self.parameters = _values_of([column_of(name) for name in names])
        else:
            pairs = [(name, column_of(name)) for name in compiled.params]
            self.parameters = lambda row: {name: row[column] for name, column in pairs}


class _SelectSql:
    """A keyed SELECT's text for one dialect and one number of keys, and how fewer keys become its parameters."""

    def __init__(self, compiled: Any, size: int) -> None:
        self.text = str(compiled)
        self._size = size
        # Compiled with numbers for keys: what stands under a parameter's name is the place of its value.
        places = compiled.construct_params()
        self._names = None if compiled.positiontup is not None else tuple(places)
        self._places = itemgetter(*(places[name] for name in compiled.positiontup or places))

    def parameters(self, wanted: Sequence[tuple[Any, ...]]) -> Any:
        """The parameters that ask for these keys; the last one stands in for those that are missing."""
        flat = [*chain.from_iterable(wanted), *(wanted[-1] * (self._size - len(wanted)))]
        values = self._places(flat)
        values = values if isinstance(values, tuple) else (values,)
        return values if self._names is None else dict(zip(self._names, values, strict=True))


def _updated_column(parameter: str) -> str:
    return parameter.removeprefix(_NEW) if parameter.startswith(_NEW) else parameter.removeprefix(_KEY)


@lru_cache(maxsize=256)
def _insert_sql(into: Table, columns: tuple[str, ...], dialect: Dialect) -> _Sql:
    return _Sql(compiled(insert(into), dialect, column_keys=list(columns)))


@lru_cache(maxsize=256)
def _update_sql(of: Table, keys: tuple[str, ...], columns: tuple[str, ...], dialect: Dialect) -> _Sql:
    statement = update(of).values({name: bindparam(_NEW + name) for name in columns})
    for name in keys:
        statement = statement.where(of.c[name] == bindparam(_KEY + name))
    return _Sql(compiled(statement, dialect), _updated_column)


@lru_cache(maxsize=256)
def _select_sql(of: Table, keys: tuple[str, ...], size: int, lock: bool, dialect: Dialect) -> _SelectSql:
    statement = select_listed(of, keys, size, lock)
    return _SelectSql(compiled(statement, dialect, compile_kwargs={"render_postcompile": True}), size)


def select_listed(of: Table, keys: tuple[str, ...], size: int, lock: bool) -> Select[Any]:
    """A keyed SELECT for that many keys, with numbers for keys: the place of each value.

    The first key's list beside the tuples is for planners that search no index for row values alone.
    """
    columns = [of.c[name] for name in keys]
    places = [tuple(range(start, start + len(keys))) for start in range(0, size * len(keys), len(keys))]
    statement = select(of).where(columns[0].in_([first for first, *_ in places]))
    if len(keys) > 1:
        statement = statement.where(tuple_(*columns).in_(places))
    return statement.order_by(*columns).with_for_update() if lock else statement


def _execute(connection: Connection, sql: _Sql, rows: Rows) -> None:
    connection.exec_driver_sql(sql.text, [sql.parameters(row) for row in rows])


def _travel_as_json(connection: Connection, table: Table, columns: tuple[str, ...]) -> bool:
    """JSON knows no bytes; a table's own column types read everything else."""
    if connection.dialect.name != "postgresql":
        return False
    return not any(isinstance(table.c[name].type, LargeBinary) for name in columns)


def _execute_json(connection: Connection, sql: str, rows: Rows) -> CursorResult[Any]:
    return connection.exec_driver_sql(sql, (orjson.dumps(rows).decode(),))


@lru_cache(maxsize=256)
def _copy_sql(into: Table, columns: tuple[str, ...]) -> str:
    return f"COPY {into.name} ({', '.join(columns)}) FROM STDIN"


@lru_cache(maxsize=256)
def _json_update_sql(of: Table, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    values = ", ".join(f"{name} = new_rows.{name}" for name in columns)
    found = " AND ".join(f"{of.name}.{name} = new_rows.{name}" for name in keys)
    return f"UPDATE {of.name} SET {values} FROM {_json_rows(of)} WHERE {found}"


@lru_cache(maxsize=256)
def _sqlite_select_sql(of: Table, keys: tuple[str, ...], lock: bool) -> str:
    columns = ", ".join(f"{of.name}.{column.name}" for column in of.c)
    found = " AND ".join(f"{of.name}.{name} = json_extract(wanted.value, '$[{n}]')" for n, name in enumerate(keys))
    order = ", ".join(f"{of.name}.{name}" for name in keys)
    sql = f"SELECT {columns} FROM json_each(?) AS wanted CROSS JOIN {of.name} ON {found}"
    return f"{sql} ORDER BY {order}" if lock else sql


@lru_cache(maxsize=256)
def _json_select_sql(of: Table, keys: tuple[str, ...], lock: bool) -> str:
    columns = ", ".join(f"{of.name}.{column.name}" for column in of.c)
    found = " AND ".join(f"{of.name}.{name} = new_rows.{name}" for name in keys)
    order = ", ".join(f"{of.name}.{name}" for name in keys)
    sql = f"SELECT {columns} FROM {of.name} JOIN {_json_rows(of)} ON {found}"
    return f"{sql} ORDER BY {order} FOR UPDATE OF {of.name}" if lock else sql


def _json_rows(table: Table) -> str:
    return f"json_populate_recordset(NULL::{table.name}, %s::json) AS new_rows"
