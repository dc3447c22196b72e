"""The audit log: who did what to whom, why, what was before and what after; each row holds the hash of the one before.

A row is written before its effect, in a transaction of its own, and one of the same action with ` failed` follows when
the effect did not come. Two operators at once cannot fork the chain: a row's number and the hash it continues are each
taken once, and who comes second continues the first. Every row's number and hash also go to the log `blitzhub.audit`:
with one of them kept elsewhere, `verify` finds rows cut off the end as well.
"""

import csv
import getpass
import hashlib
import io
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson

from engine.errors import Refusal
from engine.persistence import audit as rows
from engine.persistence.database import Connection, Database, RefusedRow
from engine.ports import Clock
from engine.spreadsheets import as_text

log = logging.getLogger("blitzhub.audit")

GENESIS: Final = "0" * 64
FIELDS: Final = (
    "seq", "at_ms", "operator", "action", "target", "reason", "before", "after", "previous_hash", "hash",
)  # fmt: skip
TRIES: Final = 50
PAGE: Final = 1_000
LENGTHS: Final = {"operator": 60, "action": 40, "target": 60, "reason": 300, "before": 1_000, "after": 1_000}


@dataclass(frozen=True, slots=True)
class Act:
    """What is about to be done. `operator` is a wallet, or `shell:USER` for a command on a machine."""

    operator: str
    action: str
    target: str
    reason: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the chain is broken, in words; `seq` is the row's."""

    seq: int
    words: str


def hash_of(row: Mapping[str, Any]) -> str:
    """SHA-256, in hex, over the row's fields but its own hash, as a JSON list in the order of `FIELDS`."""
    return hashlib.sha256(orjson.dumps([row[name] for name in FIELDS[:-1]])).hexdigest()


async def record(database: Database, clock: Clock, act: Act) -> rows.Row:
    """Write the row and return it, committed."""
    for _ in range(TRIES):
        try:
            row = await database.write(partial(_append, act=act, now_ms=clock.now_ms()))
        except RefusedRow:  # somebody else continued the same row
            continue
        log.warning(
            "audit seq=%d hash=%s operator=%s action=%s target=%s reason=%r",
            *(row[name] for name in ("seq", "hash", "operator", "action", "target", "reason")),
        )
        return row
    raise RuntimeError(f"the audit log could not be continued in {TRIES} tries")


@asynccontextmanager
async def recorded(database: Database, clock: Clock, act: Act) -> AsyncIterator[rows.Row]:
    """Do something in this block that is on record before; that it failed is put on record after."""
    row = await record(database, clock, act)
    try:
        yield row
    except BaseException as error:
        words = error.code if isinstance(error, Refusal) else type(error).__name__
        failed = Act(act.operator, f"{act.action} failed", act.target, f"row {row['seq']}: {words}", act.after, {})
        await record(database, clock, failed)
        raise


def shell() -> str:
    """Who runs a command on this machine."""
    return f"shell:{getpass.getuser()}"


def _append(connection: Connection, act: Act, now_ms: int) -> rows.Row:
    last = rows.last(connection)
    row: rows.Row = {
        "seq": 1 if last is None else last["seq"] + 1,
        "at_ms": now_ms,
        "operator": act.operator,
        "action": act.action,
        "target": act.target,
        "reason": act.reason,
        "before": orjson.dumps(act.before, option=orjson.OPT_SORT_KEYS).decode(),
        "after": orjson.dumps(act.after, option=orjson.OPT_SORT_KEYS).decode(),
        "previous_hash": GENESIS if last is None else last["hash"],
    }
    for name, length in LENGTHS.items():
        row[name] = row[name][:length]
    row["hash"] = hash_of(row)
    rows.add(connection, row)
    return row


def faults(found: Iterable[Mapping[str, Any]], head: tuple[int, str] | None = None) -> Iterator[Fault]:
    """Every row that was changed, taken away or put in between, oldest first.

    `head` is a row's number and hash as they were seen once: the log must still hold it.
    """
    seq, previous, seen = 0, GENESIS, None
    for row in found:
        if row["seq"] != seq + 1:
            missing = f"row {seq + 1}" if row["seq"] == seq + 2 else f"rows {seq + 1} to {row['seq'] - 1}"
            yield Fault(seq + 1, f"{missing} missing")
        elif row["previous_hash"] != previous:
            yield Fault(row["seq"], f"row {row['seq']} does not continue row {seq}")
        if hash_of(row) != row["hash"]:
            yield Fault(row["seq"], f"row {row['seq']} was changed: its hash is not that of what it says")
        seq, previous = row["seq"], row["hash"]
        seen = row["hash"] if head and head[0] == seq else seen
    if head is not None and seen is None:
        yield Fault(head[0], f"row {head[0]} is missing: the log ends with row {seq}")
    elif head is not None and seen != head[1]:
        yield Fault(head[0], f"row {head[0]} is another one than was seen")


def every_row(connection: Connection) -> Iterator[rows.Row]:
    """All rows, oldest first, a thousand at a time."""
    seq = 0
    while page := rows.after(connection, seq, PAGE):
        yield from page
        seq = page[-1]["seq"]


def as_csv(found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The rows as CSV, head first. A field that a spreadsheet would take for a formula begins with an apostrophe."""
    for values in [FIELDS, *([row[name] for name in FIELDS] for row in found)]:
        line = io.StringIO()
        csv.writer(line).writerow([as_text(value) if isinstance(value, str) else value for value in values])
        yield line.getvalue()


def as_jsonl(found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The rows as one JSON object a line."""
    for row in found:
        yield orjson.dumps({name: row[name] for name in FIELDS}).decode() + "\n"
