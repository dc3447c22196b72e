"""Each kind of process has what its own statements take, on a real PostgreSQL, and is refused everything beside it."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlmodel import SQLModel

from engine.persistence.database import Database
from scripts.rights import DIRECTORY, FILES, READS, ROLES
from tests.databases import postgresql
from tests.integration.test_every_statement import STEPS
from tests.ledger import fund, list_tokens
from tests.roles import Server, granted

USED_BY: Final[dict[str, str]] = {
    "accounts": "web",
    "accounts.account_seqs": "stream web",
    "accounts.balances_json": "stream web",
    "orders": "web",
    "orders.orders_json": "stream web",
    "paging": "stream web",
    "images": "web",
    "sessions": "web",
    "market": "stream web",
    "market.changed_since": "indicators stream web",
    "ranking": "stream web",
    "ranking.store": "indicators",
    "candles": "stream web",
    "claims": "web",
    "heartbeats": "settle",
    "freezes": "settle",
    "freezes.reason_of": "web",
    "replaying": "",
    "api_keys": "web",
    "server_time": " ".join(ROLES),
    "stalled": " ".join(ROLES),
    "rebuilding": "reconcile",
    "trading": "settle trade",
    "parked": "trade",
    "trials": "trade",
    "settlements": "settle",
    "settlements.by_id": "sign",
    "settlements.withdrawal_requests": "sign",
    "settlements.key_names": "sign",
    "settlements.add_wallet": "sign",
    "launches": "settle",
    "launches.exists": "web",
    "launches.creator": "web",
    "launches.book": "web",
    "deposits": "settle",
    "movements": "web",
    "sweeps": "settle",
    "rents": "settle",
    "rents.booked": "reconcile settle",
    "movements.token_holdings": "settle",
    "withdrawals": "web",
    "withdrawals.lock": "settle web",
    "withdrawals.write": "settle web",
    "withdrawals.restore_balance": "settle web",
    "withdrawals.one": "settle web",
    "withdrawals.due": "settle",
    "withdrawals.release": "settle",
    "withdrawals.count_release": "settle",
    "withdrawals.released_lamports": "settle",
    "switches": "reconcile settle",
    "switches.state": "reconcile settle web",
    "switches.is_set": "settle sign",
    "audit": "web",
    "engine_room": "web",
    "controls": "web",
    "controls.paused_since_ms": "settle trade web",
    "parked.want": "web",
    "parked.one": "trade web",
    "parked.waiting": "trade web",
    "roles": "",
    "roles.role_of": "web",
    "indicators": "indicators",
    "tallies": "indicators",
    "activity": "web",
    "comparison": "reconcile",
    "standing": "reconcile web",
    "reports": "indicators reconcile",
    "reports.latest": "reconcile web",
    "journal": "",
    "bulk": "",
}
"""Module or function of the persistence package → the processes that call it. Embedded mode and helpers: nobody."""


def callers(step: str) -> list[str]:
    return USED_BY.get(step, USED_BY[step.partition(".")[0]]).split()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql() as url, granted(url) as server:
        yield server


def test_the_files_are_what_the_rights_say() -> None:
    for name, made in FILES.items():
        assert (DIRECTORY / name).read_text() == made(), "run `python -m scripts.rights`"


def test_every_function_has_its_callers() -> None:
    assert all(set(callers(step)) <= set(ROLES) for step in STEPS)


class Undone(Exception):
    """Rolls a step back: it will be run once more as somebody else."""


def run_as(database: Database, user: str | None, step: Any, keep: bool) -> None:
    with suppress(Undone), database.transaction() as connection:
        if user is not None:
            connection.execute(text(f"SET LOCAL ROLE {user}"))
        step(connection)
        if not keep:
            raise Undone


def test_each_process_may_run_its_own_statements(server: Server) -> None:
    database = Database(server.url)
    with database.transaction() as connection:
        fund(connection, range(2))
        list_tokens(connection, range(3), updated_at_ms=5)
    for name, step in STEPS.items():
        users = [server.prefix + role for role in callers(name)] or [None]
        for user in users:
            try:
                run_as(database, user, step, keep=user == users[-1])
            except Exception as error:
                error.add_note(f"in {name} as {user}")
                raise
    database.close()


FORBIDDEN: Final = [
    ("trade", "INSERT INTO withdrawals (withdrawal_id) VALUES ('a')"),
    ("settle", "INSERT INTO withdrawals (withdrawal_id) VALUES ('a')"),
    ("trade", "SELECT * FROM withdrawals"),
    *((role, "UPDATE withdrawals SET destination = 'thief'") for role in ROLES),
    *((role, "UPDATE withdrawals SET amount = 1, account_id = 'x'") for role in ROLES),
    *((role, "DELETE FROM withdrawals") for role in ROLES),
    ("trade", "INSERT INTO wallets (address) VALUES ('thief')"),
    ("settle", "INSERT INTO wallets (address) VALUES ('thief')"),
    *((role, "UPDATE wallets SET address = 'thief'") for role in ROLES),
    *((role, "UPDATE wallets SET key_name = 'wallet/thief', account_id = 'thief'") for role in ROLES),
    *((role, "UPDATE tokens SET vault = 'thief'") for role in ROLES),
    *((role, "UPDATE accounts SET wallet = 'thief'") for role in ROLES),
    *((role, "UPDATE settlements SET vault = 'thief'") for role in ROLES),
    *((role, "UPDATE settlements SET wallet = 'thief', lamports = 1") for role in ROLES),
    ("trade", "UPDATE settlements SET state = 'pending'"),
    ("trade", "INSERT INTO accounts (account_id) VALUES ('x')"),
    *((role, "UPDATE trades SET lamports = 1") for role in ROLES),
    *((role, "UPDATE transfers SET amount = 1") for role in ROLES),
    *((role, "DELETE FROM transfers") for role in ROLES),
    *((role, f"SELECT * FROM {secret}") for role in ROLES if role != "web" for secret in ("sessions", "api_keys")),
    ("web", "INSERT INTO trades (order_id) VALUES ('x')"),
    ("web", "INSERT INTO orders (order_id) VALUES ('x')"),
    ("web", "UPDATE switches SET is_set = 0"),
    *((role, "UPDATE audit_log SET reason = '-'") for role in ROLES),
    *((role, "DELETE FROM audit_log") for role in ROLES),
    ("web", "UPDATE parked_orders SET state = 'replayed'"),
    *((role, "INSERT INTO roles (account_id) VALUES ('x')") for role in ROLES),
    *((role, "UPDATE roles SET role = 'operator'") for role in ROLES),
    ("sign", "UPDATE settlements SET state = 'confirmed'"),
    ("sign", "SELECT * FROM balances"),
    ("indicators", "UPDATE tokens SET reserve_lamports = 1"),
    *((role, "UPDATE tallies SET trades = 1") for role in ROLES if role != "indicators"),
    *((role, "CREATE TABLE of_mine (x int)") for role in ROLES),
    *((role, "UPDATE alembic_version SET version_num = 'x'") for role in ROLES),
]


@pytest.mark.parametrize(("role", "statement"), FORBIDDEN, ids=lambda each: each[:40])
def test_what_is_not_a_process_own_is_refused(server: Server, role: str, statement: str) -> None:
    with server.connected(role) as connection, pytest.raises(ProgrammingError) as refused:
        connection.execute(text(statement))
    assert getattr(refused.value.orig, "sqlstate", None) == "42501", "insufficient_privilege"


def test_nobody_reads_what_is_not_his(server: Server) -> None:
    for role in ROLES:
        with server.connected(role) as connection:
            readable = {
                name
                for name in SQLModel.metadata.tables
                if connection.execute(text(f"SELECT has_table_privilege('{name}', 'SELECT')")).scalar_one()
            }
        assert readable == READS[role]


@pytest.mark.parametrize("role", ROLES)
def test_a_process_starts_on_a_migrated_database_without_the_right_to_migrate(server: Server, role: str) -> None:
    database = Database(server.url_of(role))
    try:
        database.migrate()
    finally:
        database.close()
