"""Every statement that any test makes the engine execute is checked against Oracle's rules on its way."""

from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect, Engine, Table, event
from sqlalchemy.sql.visitors import iterate
from sqlmodel import SQLModel

from engine.persistence import bulk
from tests.oracle import statement_problems

_seen: set[Any] = set()
_compiled = bulk.compiled


def install() -> None:
    """Watch both ways to a database: statements that are executed, and those that bulk.py compiles itself."""
    event.listen(Engine, "before_execute", _before_execute)
    bulk.compiled = _checked


def _before_execute(_: Connection, statement: Any, *__: Any) -> None:
    if not any(table is ours for table in _tables(statement) for ours in SQLModel.metadata.tables.values()):
        return  # a catalogue, or a migration's own bookkeeping
    key = statement._generate_cache_key() if hasattr(statement, "_generate_cache_key") else None
    if key is None or key.key not in _seen:
        refuse(statement)
        if key is not None:
            _seen.add(key.key)


def _tables(statement: Any) -> set[Table]:
    found = {element for element in iterate(statement) if isinstance(element, Table)}
    target = getattr(statement, "table", None)
    return found | ({target} if isinstance(target, Table) else set())


def _checked(statement: ClauseElement, dialect: Dialect, **how: Any) -> Any:
    refuse(statement, **how)
    return _compiled(statement, dialect, **how)


def refuse(statement: ClauseElement, **how: Any) -> None:
    """
    Raises:
        AssertionError: Oracle would not take the statement as it is meant.
    """
    problems = statement_problems(statement, **how)
    assert not problems, "not portable to Oracle:\n" + "\n".join(problems)
