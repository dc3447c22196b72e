"""Oracle's rules, as far as they can be kept without a server: what may be said to it, and what it makes of it.

No server can be had where this is developed. `statement_problems` and `table_problems` compile for Oracle 19c and 23ai
and look for what Oracle refuses or understands differently; `oracle_rules` makes SQLite behave as Oracle does where it
differs in silence. None of it replaces a run against BLITZ_TEST_ORACLE_URL.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ClauseElement,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    TextClause,
    TypeDecorator,
    event,
)
from sqlalchemy.dialects.oracle import oracledb
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import Compiled
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from engine.persistence.bulk import IN_LIMIT
from engine.persistence.database import Database

LONGEST_NAME: Final = 30
"""12.1 and older, and compatible=12.1 on newer ones; from 12.2 it is 128."""

LONGEST_TEXT: Final = 4_000
LARGEST: Final = 10**19 - 1
"""NUMBER(19), which BIGINT becomes."""

TYPES: Final = (String, BigInteger, SmallInteger, LargeBinary)
"""What behaves alike everywhere. DateTime would lose its milliseconds, Boolean is a number in 19c, JSON a CLOB."""

_RESERVED: Final = """
    access add all alter and any as asc audit between by char check cluster column column_value comment
    compress connect create current date decimal default delete desc distinct drop else exclusive exists file
    float for from grant group having identified immediate in increment index initial insert integer intersect
    into is level like lock long maxextents minus mlslabel mode modify nested_table_id noaudit nocompress not
    nowait null number of offline on online option or order pctfree prior public raw rename resource revoke
    row rowid rownum rows select session set share size smallint start successful synonym sysdate table then
    to trigger uid union unique update user validate values varchar varchar2 view whenever where with
"""
RESERVED: Final = frozenset(_RESERVED.split())

FORBIDDEN: Final = {
    "RETURNING": r"\bRETURNING\b",
    "ON CONFLICT": r"\bON CONFLICT\b",
    "MERGE": r"\bMERGE\b",
    "ILIKE": r"\bILIKE\b",
    "a boolean literal": r"\b(TRUE|FALSE)\b",
    "LIMIT": r"\bLIMIT\b",
    "FOR UPDATE of a part of the rows": r"(FETCH FIRST|ROWNUM|OFFSET)[\s\S]*FOR UPDATE",
    "a quoted name": r'"',
}
_IN_LIST: Final = re.compile(r"\bIN \(((?:[^()']|\([^()]*\))*)\)")
_NAME: Final = re.compile(r"(?<![:\w'])[A-Za-z_]\w*")


def dialect(version: int) -> Dialect:
    """Oracle's dialect as it is after connecting to a server of that version."""
    made = oracledb.dialect(max_identifier_length=LONGEST_NAME)
    made.server_version_info = (version,)
    made.supports_native_boolean = version >= 23
    made._supports_oracle_json = version >= 21
    return made


DIALECTS: Final = {19: dialect(19), 23: dialect(23)}


def statement_problems(statement: ClauseElement, given: Mapping[str, Any] | None = None, **how: Any) -> list[str]:
    """What Oracle would refuse or misunderstand in it; nothing for a DDL or a test's own text.

    `given` are the values it is executed with: without them the text of an IN list that they fill is not known.
    """
    if isinstance(statement, (TextClause, ExecutableDDLElement)):
        return []
    problems: list[str] = []
    for version, target in DIALECTS.items():
        if given:
            compiled = statement.compile(dialect=target, column_keys=list(given), **how)
            expanded = compiled.construct_expanded_state(given)
            text, values = expanded.statement, expanded.parameters
        else:
            keywords = {"compile_kwargs": {"render_postcompile": True}} | how
            compiled = statement.compile(dialect=target, **keywords)
            text, values = str(compiled), compiled.params
        problems += [f"{version}: {problem}" for problem in _problems(compiled, text, values)]
    return problems


def _problems(compiled: Compiled, text: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, pattern in FORBIDDEN.items():
        if re.search(pattern, text, re.IGNORECASE):
            yield f"{name} in {text}"
    for name in sorted(set(_NAME.findall(text))):
        if len(name) > LONGEST_NAME:
            yield f"the name {name} is longer than {LONGEST_NAME}"
    if compiled.escaped_bind_names:
        yield f"parameters named by reserved words or with odd characters: {dict(compiled.escaped_bind_names)}"
    if "" in values.values():
        yield f"an empty string, which is NULL there, in {text}"
    if longest_in_list(text) > IN_LIMIT:
        yield f"more than {IN_LIMIT} members in an IN list"


def longest_in_list(text: str) -> int:
    """How many members the longest IN list of this SQL has; a row value counts as one."""
    if " IN (" not in text:
        return 0
    return max((_members(found) for found in _IN_LIST.findall(text)), default=0)


def _members(inside: str) -> int:
    return re.sub(r"\([^()]*\)", "x", inside).count(",") + 1


def table_problems(table: Table) -> list[str]:
    """What Oracle would refuse or misunderstand in a table and its indexes."""
    return [*_name_problems(table), *_column_problems(table), *_ddl_problems(table)]


def _name_problems(table: Table) -> Iterator[str]:
    constraints = [str(each.name) for each in table.constraints if each.name is not None]
    for name in [table.name, *table.c.keys(), *(str(index.name) for index in table.indexes), *constraints]:
        if len(name) > LONGEST_NAME:
            yield f"{table.name}: the name {name} is longer than {LONGEST_NAME}"
        if name.lower() in RESERVED or name != name.lower():
            yield f"{table.name}: the name {name} is reserved or would have to be quoted"


def _column_problems(table: Table) -> Iterator[str]:
    if not table.primary_key.columns:
        yield f"{table.name} has no primary key"
    for column in table.c:
        where = f"{table.name}.{column.name}"
        stored = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
        if not isinstance(stored, TYPES):
            yield f"{where} is a {stored!r}"
        if isinstance(stored, String) and not 0 < (stored.length or 0) <= LONGEST_TEXT:
            yield f"{where} has no length up to {LONGEST_TEXT}"
        if column.server_default is not None or column.identity is not None or column.autoincrement is True:
            yield f"{where} is filled in by the server"


def _ddl_problems(table: Table) -> Iterator[str]:
    for version, target in DIALECTS.items():
        for element in (CreateTable(table), *(CreateIndex(index) for index in table.indexes)):
            text = str(element.compile(dialect=target))
            if '"' in text or re.search(r"\b(IDENTITY|CLOB|DATE|TIMESTAMP|BOOLEAN|JSON)\b", text):
                yield f"{version}: {text}"


def oracle_rules(database: Database) -> None:
    """From now on this SQLite database takes '' for NULL and refuses what Oracle's limits refuse."""

    @event.listens_for(database._engine, "before_cursor_execute", retval=True)
    def rewrite(_: Any, cursor: Any, text: str, parameters: Any, context: Any, many: bool) -> tuple[str, Any]:
        assert longest_in_list(text) <= IN_LIMIT
        return text, [_as_stored(row) for row in parameters] if many else _as_stored(parameters)


def _as_stored(row: Any) -> Any:
    if isinstance(row, dict):
        return {name: _value(value) for name, value in row.items()}
    return tuple(_value(value) for value in row)


def _value(value: Any) -> Any:
    if isinstance(value, str):
        assert len(value.encode()) <= LONGEST_TEXT, "Oracle's strings end at 4,000 bytes"
        return value or None
    assert not isinstance(value, int) or -LARGEST <= value <= LARGEST
    return value
