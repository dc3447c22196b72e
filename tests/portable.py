"""Every statement that any test makes the engine execute is checked against Oracle's rules on its way."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect, Engine, Table, event
from sqlalchemy.sql.visitors import iterate
from sqlmodel import SQLModel

from engine.persistence import bulk
from tests.oracle import statement_problems

Values = Mapping[str, Any]

_seen: set[Any] = set()
_compiled = bulk.compiled
_joined = bulk._sqlite_select_sql


def install() -> None:
    """Watch both ways to a database: statements that are executed, and those that bulk.py makes itself."""
    event.listen(Engine, "before_execute", _before_execute)
    bulk.compiled = _checked
    bulk._sqlite_select_sql = _checked_select


def _before_execute(_: Connection, statement: Any, rows: Sequence[Values], values: Values, __: Any) -> None:
    if not any(table is ours for table in _tables(statement) for ours in SQLModel.metadata.tables.values()):
        return  # a catalogue, or a migration's own bookkeeping
    key = statement._generate_cache_key() if hasattr(statement, "_generate_cache_key") else None
    if key is None or key.key not in _seen:
        refuse(statement, values or (rows[0] if rows else None))
        if key is not None:
            _seen.add(key.key)


def _tables(statement: Any) -> set[Table]:
    found = {element for element in iterate(statement) if isinstance(element, Table)}
    target = getattr(statement, "table", None)
    return found | ({target} if isinstance(target, Table) else set())


def _checked(statement: ClauseElement, dialect: Dialect, **how: Any) -> Any:
    refuse(statement, **how)
    return _compiled(statement, dialect, **how)


@lru_cache(maxsize=256)
def _checked_select(of: Table, keys: tuple[str, ...], lock: bool) -> str:
    """SQLite has its own text for a keyed read; what stands for it on Oracle is checked."""
    refuse(bulk.select_listed(of, keys, 2, lock), compile_kwargs={"render_postcompile": True})
    return _joined(of, keys, lock)


def refuse(statement: ClauseElement, given: Values | None = None, **how: Any) -> None:
    """
    Raises:
        AssertionError: Oracle would not take the statement as it is meant.
    """
    problems = statement_problems(statement, given, **how)
    assert not problems, "not portable to Oracle:\n" + "\n".join(problems)
