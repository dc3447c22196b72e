"""The audit log on every kind of database: one chain under many writers, and whatever is tampered with is named."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from engine.errors import NotFound
from engine.operators import audit
from engine.operators.audit import Act
from engine.persistence.database import Database
from engine.persistence.tables import AuditRow, table
from tests.databases import KINDS, database_of
from tests.fakes import FakeClock, migrated_database
from workers import audit as command

LOG = table(AuditRow)
ROWS = 8


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> Iterator[Database]:
    with database_of(request.param, request, tmp_path) as database:
        yield database


def act(reason: str = "because") -> Act:
    return Act("ann", "pause_token", "VOLT", reason, {"paused": False}, {"paused": True})


async def filled(database: Database) -> list[dict[str, Any]]:
    return [await audit.record(database, FakeClock(), act(f"reason {number}")) for number in range(ROWS)]


def words(database: Database, head: tuple[int, str] | None = None) -> list[str]:
    with database.snapshot() as connection:
        return [fault.words for fault in audit.faults(audit.every_row(connection), head)]


def tamper(database: Database, statement: Any) -> None:
    with database.transaction() as connection:
        assert connection.execute(statement).rowcount == 1


async def test_a_log_that_was_left_alone_is_whole(database: Database) -> None:
    rows = await filled(database)
    assert [row["seq"] for row in rows] == list(range(1, ROWS + 1))
    assert words(database) == []
    assert words(database, (ROWS, rows[-1]["hash"])) == []


@pytest.mark.parametrize("field", ["at_ms", "operator", "action", "target", "reason", "before", "after"])
async def test_a_changed_row_is_named(database: Database, field: str) -> None:
    await filled(database)
    tamper(database, update(LOG).where(LOG.c.seq == 4).values({field: 7 if field == "at_ms" else "nothing"}))
    assert words(database) == ["row 4 was changed: its hash is not that of what it says"]


async def test_a_changed_row_with_a_new_hash_is_named_by_the_next_one(database: Database) -> None:
    rows = await filled(database)
    forged = rows[3] | {"operator": "eve"}
    values = {"operator": "eve", "hash": audit.hash_of(forged)}
    tamper(database, update(LOG).where(LOG.c.seq == 4).values(values))
    assert words(database) == ["row 5 does not continue row 4"]


async def test_a_missing_row_is_named(database: Database) -> None:
    await filled(database)
    tamper(database, delete(LOG).where(LOG.c.seq == 4))
    assert words(database) == ["row 4 missing"]
    tamper(database, delete(LOG).where(LOG.c.seq == 5))
    assert words(database) == ["rows 4 to 5 missing"]


async def test_rows_cut_off_the_end_are_named_by_whoever_kept_the_head(database: Database) -> None:
    rows = await filled(database)
    tamper(database, delete(LOG).where(LOG.c.seq == ROWS))
    assert words(database) == []
    assert words(database, (ROWS, rows[-1]["hash"])) == [f"row {ROWS} is missing: the log ends with row {ROWS - 1}"]
    await audit.record(database, FakeClock(), act("another history"))
    assert words(database, (ROWS, rows[-1]["hash"])) == [f"row {ROWS} is another one than was seen"]


async def test_many_operators_at_once_make_one_chain(database: Database) -> None:
    twin = Database(database.url.render_as_string(hide_password=False))
    try:
        acts = [audit.record(each, FakeClock(), act(str(n))) for n in range(10) for each in (database, twin)]
        rows = await asyncio.gather(*acts)
    finally:
        twin.close()
    assert sorted(row["seq"] for row in rows) == list(range(1, 21))
    assert words(database) == []


async def test_what_fails_is_on_record_before_and_after(database: Database) -> None:
    seen: list[str] = []

    async def fail() -> None:
        async with audit.recorded(database, FakeClock(), act()):
            with database.snapshot() as connection:
                seen.extend(row["action"] for row in audit.every_row(connection))
            raise NotFound("gone")

    with pytest.raises(NotFound):
        await fail()
    assert seen == ["pause_token"], "written before the effect"
    with database.snapshot() as connection:
        rows = list(audit.every_row(connection))
    assert [(row["action"], row["reason"]) for row in rows[1:]] == [("pause_token failed", "row 1: not_found")]


async def test_an_export_holds_every_field_and_no_formula(database: Database) -> None:
    hostile = '=HYPERLINK("x"), "quoted"\nnext'
    await audit.record(database, FakeClock(), Act("@ann", "+x", " ＝y", hostile, {}, {}))
    with database.snapshot() as connection:
        lines = list(csv.reader(io.StringIO("".join(audit.as_csv(audit.every_row(connection))))))
        [row] = [json.loads(line) for line in audit.as_jsonl(audit.every_row(connection))]
    assert tuple(lines[0]) == audit.FIELDS
    assert lines[1][2:6] == ["'@ann", "'+x", "' ＝y", f"'{hostile}"]
    assert row["reason"] == hostile
    assert audit.hash_of(row) == row["hash"], "who has the export can verify it"


async def test_the_command_names_the_tampered_row(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BLITZ_DATA_DIR", str(tmp_path))
    database = Database(f"sqlite:///{tmp_path / 'blitzhub.db'}")
    database.open()
    rows = await filled(database)

    async def run(*arguments: str) -> tuple[int, str]:
        status = await asyncio.to_thread(command.main, arguments)
        return status, capsys.readouterr().out

    assert await run("verify") == (0, f"The log is whole: {ROWS} rows.\n")
    assert await run("head") == (0, f"{ROWS}:{rows[-1]['hash']}\n")
    status, exported = await run("export", "--format", "jsonl")
    assert (status, len(exported.splitlines())) == (0, ROWS)
    tamper(database, update(LOG).where(LOG.c.seq == 3).values(reason="for fun"))
    assert await run("verify") == (1, "row 3 was changed: its hash is not that of what it says\n")
    tamper(database, delete(LOG).where(LOG.c.seq == ROWS))
    status, told = await run("verify", "--head", f"{ROWS}:{rows[-1]['hash']}")
    assert status == 1
    assert f"row {ROWS} is missing" in told
    database.close()
