"""Oracle without a server: the tables, the migrations as its SQL, how it is connected, rules that see what is wrong."""

import re
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Identity,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    event,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from engine.persistence import tables
from engine.persistence.connecting import ConnectionOptions, connect, is_contention
from engine.persistence.trading import BALANCES, TOKENS
from tests.golden.migrations import GOLDEN, oracle_sql
from tests.oracle import LONGEST_NAME, longest_in_list, statement_problems, table_problems

assert tables.TokenRow, "importing the tables registers them"

NAME = BALANCES.c.account_id


@pytest.mark.parametrize("table", SQLModel.metadata.sorted_tables, ids=str)
def test_every_table_is_one_that_oracle_takes_as_it_is_meant(table: Table) -> None:
    assert table_problems(table) == []


def bad_table(*columns: Column[Any], name: str = "odd") -> Table:
    return Table(name, MetaData(), Column("id_", String(4), primary_key=True), *columns)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (bad_table(name="x" * 31), "longer"),
        (bad_table(Column("x" * 31, String(4))), "longer"),
        (bad_table(Column("level", String(4))), "reserved"),
        (bad_table(Column("someName", String(4))), "quoted"),
        (bad_table(Column("a", String(4_001))), "length"),
        (bad_table(Column("a", String())), "length"),
        (bad_table(Column("a", DateTime)), "DateTime"),
        (bad_table(Column("a", Boolean)), "Boolean"),
        (bad_table(Column("a", String(4), server_default="x")), "by the server"),
        (Table("odd", MetaData(), Column("a", Integer, Identity(), primary_key=True)), "by the server"),
        (Table("odd", MetaData(), Column("a", String(4))), "no primary key"),
    ],
)
def test_a_table_that_oracle_would_refuse_or_change_is_found(table: Table, says: str) -> None:
    assert any(says in problem for problem in table_problems(table))


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (select(BALANCES).with_for_update().limit(1), "FOR UPDATE of a part"),
        (insert(BALANCES).values(account_id="a", asset="b").returning(BALANCES.c.amount), "RETURNING"),
        (update(BALANCES).values(amount=1).returning(NAME), "RETURNING"),
        (select(NAME.label("x" * 31)), "longer"),
        (select(NAME.label("Mixed")), "quoted"),
        (select(NAME).where(NAME == ""), "empty string"),
        (select(NAME).where(bindparam("level") == NAME), "reserved words"),
        (select(NAME).where(NAME.in_([str(number) for number in range(1_001)])), "1000 members"),
        (select(BALANCES).where(literal_column("true")), "boolean"),
    ],
)
def test_a_statement_that_oracle_would_refuse_or_misunderstand_is_found(statement: Any, says: str) -> None:
    assert any(says in problem for problem in statement_problems(statement))


@pytest.mark.parametrize(
    ("wanted", "says"), [([""], "empty string"), ([str(number) for number in range(1_001)], "1000 members")]
)
def test_what_oracle_would_refuse_is_found_in_values_that_come_with_the_execution(wanted: list[str], says: str) -> None:
    statement = select(NAME).where(NAME.in_(bindparam("wanted", expanding=True)))
    assert statement_problems(statement, {"wanted": ["a"]}) == []
    assert any(says in problem for problem in statement_problems(statement, {"wanted": wanted}))


def test_the_longest_lists_that_are_used_pass() -> None:
    keys = [str(number) for number in range(1_000)]
    assert statement_problems(select(BALANCES).where(NAME.in_(keys)).with_for_update().order_by(NAME)) == []
    assert statement_problems(select(TOKENS).order_by(TOKENS.c.address).limit(10)) == []
    assert longest_in_list("a IN (?, ?) AND (b, c) IN ((?, ?), (?, ?), (?, ?))") == 3


def test_the_migrations_are_the_golden_oracle_sql() -> None:
    assert oracle_sql() == GOLDEN.read_text(), "run `python -m tests.golden` and look at the difference"


def test_the_golden_sql_makes_every_table_and_keeps_oracles_limits() -> None:
    text = GOLDEN.read_text()
    assert set(re.findall(r"CREATE TABLE (\w+)", text)) == {*SQLModel.metadata.tables, "alembic_version"}
    assert '"' not in text
    assert max(len(name) for name in re.findall(r"\w+", text)) <= LONGEST_NAME
    assert not re.search(r"\b(IDENTITY|CLOB|DATE|TIMESTAMP|BOOLEAN|JSON)\b", text)


class NoServer(Exception):
    """What a test raises in place of connecting."""


def test_oracle_is_connected_with_its_wallet_by_an_alias_and_with_a_small_pool() -> None:
    options = ConnectionOptions(wallet_dir="/wallet", wallet_password="secret")
    engine = connect(make_url("oracle+oracledb://app:pw@tokensdbeufe01_tp"), options)
    given: dict[str, Any] = {}

    @event.listens_for(engine, "do_connect")
    def capture(dialect: Any, record: Any, arguments: Any, keywords: dict[str, Any]) -> None:
        given.update(keywords)
        raise NoServer

    with pytest.raises(NoServer):
        engine.connect()
    wallet = {"config_dir": "/wallet", "wallet_location": "/wallet", "wallet_password": "secret"}
    wanted = {"user": "app", "password": "pw", "dsn": "tokensdbeufe01_tp", "tcp_connect_timeout": 5, **wallet}
    assert {name: given.get(name) for name in wanted} == wanted
    assert (engine.pool.size(), engine.pool._max_overflow) == (4, 0)  # type: ignore[attr-defined]
    assert "secret" not in repr(options)


@pytest.mark.parametrize("code", ["ORA-00060", "ORA-00054", "ORA-30006", "DPY-4024"])
def test_oracle_says_by_these_codes_that_another_transaction_was_in_the_way(code: str) -> None:
    assert is_contention(OperationalError("SELECT", {}, Exception(f"{code}: something")))
    assert not is_contention(OperationalError("SELECT", {}, Exception("ORA-00942: table or view does not exist")))
