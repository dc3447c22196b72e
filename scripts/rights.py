"""What each kind of process may do in the database: `python -m scripts.rights` writes it as SQL to deploy/database.

A user for each, so that a stolen worker is no more than that worker: only the web's user can ask for a withdrawal, and
nobody's can change one; whose an address is, nobody's can change either. The test of this module runs the processes'
own statements under these users on PostgreSQL and sees the rest refused.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sqlmodel import SQLModel

from engine.indicators.tallies import FIGURES
from engine.persistence import tables
from engine.persistence.database import VERSION_TABLE
from engine.persistence.indicators import FIGURES as MEASURED
from engine.persistence.trading import BALANCE_STATE, CANDLE_STATE, TOKEN_STATE

assert tables.TokenRow, "importing the tables registers them"

DIRECTORY: Final = Path(__file__).resolve().parents[1] / "deploy" / "database"
TABLES: Final = sorted(SQLModel.metadata.tables)

Changes = Mapping[str, tuple[str, ...]]
"""Table → what may be done besides reading: `insert`, `delete`, and each column that may be updated."""

_EMBEDDED: Final = {"broker_journal", "broker_queues"}
_WEB_ONLY: Final = {"sessions", "nonces", "api_keys", "roles", "audit_log", "tallies", "tallied"}
_SETTLEMENT_STATE: Final = (
    "state", "attempt", "errors", "error", "signature", "signed_bytes", "last_valid_block_height", "slot",
    "fee_lamports", "confirmed_at_ms", "worker",
)  # fmt: skip

_EXECUTING: Final[Changes] = {
    "orders": ("insert",),
    "trades": ("insert",),
    "settlements": ("insert",),
    "transfers": ("insert",),
    "balances": ("insert", *BALANCE_STATE),
    "candles": ("insert", *CANDLE_STATE),
    "tokens": TOKEN_STATE,
}
"""What an order's execution writes."""

READS: Final[Mapping[str, set[str]]] = {
    "web": {*TABLES} - _EMBEDDED,
    "trade": {*TABLES} - _EMBEDDED - _WEB_ONLY - {"images", "withdrawals", "releases", "sweeps"},
    "settle": {*TABLES} - _EMBEDDED - _WEB_ONLY - {"images"},
    "sign": {"settlements", "tokens", "wallets", "withdrawals", "switches"},
    "stream": {"tokens", "trades", "candles", "balances", "orders", "settlements", "reports"},
    "indicators": {"tokens", "trades", "balances", "tallies", "tallied", "reports"},
    "reconcile": {*TABLES} - _EMBEDDED - _WEB_ONLY - {"images"},
}
"""Kind of process → what it may read."""

WRITES: Final[Mapping[str, Changes]] = {
    "web": {
        "accounts": ("insert", "simulated"),
        "wallets": ("insert",),
        "tokens": ("insert", "holders", "seq", "creator_fees_lamports", "updated_at_ms", "paused", "held", "hidden"),
        "settlements": ("insert", "state"),
        "withdrawals": ("insert",),
        "transfers": ("insert",),
        "balances": ("insert", "delete", *BALANCE_STATE, "frozen"),
        "pauses": ("insert", "delete"),
        "parked_orders": ("wanted", "wanted_note"),
        "audit_log": ("insert",),
        "images": ("insert",),
        "sessions": ("insert", "delete", "seen_at_ms"),
        "api_keys": ("insert", "used_at_ms", "revoked_at_ms"),
        "nonces": ("insert", "delete"),
    },
    "trade": {
        **_EXECUTING,
        "parked_orders": ("insert", "body", "cause", "state", "note", "parked_at_ms", "ended_at_ms", "wanted"),
        "trials": ("insert", "delete", "begun", "begun_at_ms"),
    },
    "settle": {
        **_EXECUTING,
        "settlements": ("insert", *_SETTLEMENT_STATE),
        "balances": ("insert", *BALANCE_STATE, "frozen"),
        "tokens": tuple(dict.fromkeys((*TOKEN_STATE, "failure", "held", "paused", "tradable_at_ms"))),
        "scan_cursors": ("insert", "signature", "lamports"),
        "releases": ("insert",),
        "sweeps": ("insert", "confirmed_by", "confirmed_at_ms"),
        "heartbeats": ("insert", "delete", "beats", "at_ms"),
        "switches": ("insert", "is_set", "reason", "changed_by", "changed_at_ms"),
    },
    "sign": {"wallets": ("insert",)},
    "stream": {},
    "indicators": {
        "tokens": (*MEASURED, "measured_at_ms"),
        "tallies": ("insert", "delete", *FIGURES),
        "tallied": ("insert", "delete", "seq", "on_pool"),
        "reports": ("insert", "body", "made_at_ms"),
    },
    "reconcile": {
        "reports": ("insert", "body", "made_at_ms"),
        "switches": ("insert", "is_set", "reason", "changed_by", "changed_at_ms"),
    },
}
"""Kind of process → what it may change. The signer writes one row: its fee payer's. To lock an account's row takes the
right to update something of it, and `simulated` does no harm."""

ROLES: Final = tuple(READS)
HEAD: Final = "-- Made by `python -m scripts.rights`, which says why; run again after every migration. Do not edit.\n"

ENDS_STALLED: Final = """
-- A process that froze within a statement keeps its rows; the trade workers wait for them and end its session, whosever
-- it is (engine/persistence/stalled.py). Without this right they end their own user's only.
DO $$ BEGIN GRANT pg_signal_backend, pg_read_all_stats TO blitz_trade;
EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING 'blitz_trade may not end stalled sessions'; END $$;"""


def rights(role: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """For each table that the role may touch: its name, `insert` and `delete` as they apply, and its columns."""
    for name in TABLES:
        changes = WRITES[role].get(name, ())
        if name not in READS[role]:
            assert not changes, f"{role} writes {name} without reading it"
            continue
        unknown = {*changes} - {"insert", "delete"} - {*SQLModel.metadata.tables[name].columns.keys()}
        assert not unknown, f"{name} has no {unknown}"
        whole = [each for each in ("insert", "delete") if each in changes]
        yield name, whole, [each for each in changes if each not in whole]


def postgresql() -> str:
    """The users and their rights for PostgreSQL; to be run as the tables' owner, who may make users."""
    users = ", ".join(f"blitz_{role}" for role in ROLES)
    lines = [
        HEAD,
        "-- psql -v ON_ERROR_STOP=1 -d blitzhub -f deploy/database/postgresql.sql, then \\password for each user.\n",
        "BEGIN;",
    ]
    for role in ROLES:
        lines.append(f"DO $$ BEGIN CREATE ROLE blitz_{role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;")
    lines += [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {users};",
        f"GRANT USAGE ON SCHEMA public TO {users};",
        f"GRANT SELECT ON {VERSION_TABLE} TO {users};",
    ]
    for role in ROLES:
        lines.append(f"\n-- {role}")
        for name, whole, columns in rights(role):
            granted = ["SELECT", *(each.upper() for each in whole)]
            if columns:
                granted.append(f"UPDATE ({', '.join(columns)})")
            lines.append(f"GRANT {', '.join(granted)} ON {name} TO blitz_{role};")
    return "\n".join([*lines, ENDS_STALLED, "\nCOMMIT;", ""])


def oracle() -> str:
    """The same for Oracle; to be run as an administrator. READ, unlike SELECT, cannot lock rows."""
    lines = [
        HEAD,
        "-- sqlplus ADMIN@tokensdbeufe01_tp @deploy/database/oracle.sql; the tables belong to &owner.",
        "-- Never run on an Oracle server so far. Once, before it, for each user:",
        *(f'--   CREATE USER BLITZ_{role.upper()} IDENTIFIED BY "..."; ' for role in ROLES),
        "WHENEVER SQLERROR EXIT FAILURE",
        "DEFINE owner = BLITZHUB",
    ]
    for role in ROLES:
        user = f"blitz_{role}"
        lines += [f"\n-- {role}", f"GRANT CREATE SESSION TO {user};"]
        for name, whole, columns in [*rights(role), (VERSION_TABLE, [], [])]:
            granted = ["SELECT" if columns else "READ", *(each.upper() for each in whole)]
            if columns:
                granted.append(f"UPDATE ({', '.join(columns)})")
            lines.append(f"GRANT {', '.join(granted)} ON &owner..{name} TO {user};")
            lines.append(f"CREATE OR REPLACE SYNONYM {user}.{name} FOR &owner..{name};")
    return "\n".join([*lines, ""])


FILES: Final = {"postgresql.sql": postgresql, "oracle.sql": oracle}


def main() -> int:
    """Write both files anew."""
    for name, made in FILES.items():
        (DIRECTORY / name).write_text(made())
    return 0


if __name__ == "__main__":
    sys.exit(main())
