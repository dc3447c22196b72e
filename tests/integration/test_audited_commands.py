"""Every shell command that changes something is on record before it does: nothing else can be written until it is."""

import getpass
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from sqlalchemy import insert, text, update

from engine.identifiers import SOL
from engine.ledger.reconciliation import Reconciler
from engine.persistence import parked, roles, sweeps, switches
from engine.persistence.database import Connection, Database
from engine.persistence.switches import Switch, SwitchState
from engine.persistence.tables import AuditRow, SettlementRow, table
from engine.persistence.trading import BALANCES
from engine.trading.orders import Side
from engine.trading.rows import pending_settlement
from tests.databases import copied
from tests.fakes import migrated_database
from tests.ledger import ONE_SOL, RENT, account, all_of, fund, list_tokens, make_order, token, wallet
from workers import frozen as frozen_command
from workers import parked as parked_command
from workers import reconcile as reconcile_command
from workers import roles as roles_command
from workers import sweep as sweep_command
from workers import trade

LOG: Final = AuditRow.__tablename__
ANN, BOB, TREASURY = wallet(0), wallet(1), wallet(2)
GOOD, BAD = make_order(Side.BUY, ONE_SOL), make_order(Side.BUY, ONE_SOL, number=1)
FAILED, PROPOSED, NOTHING = "5" * 32, "6" * 32, "7" * 32

COMMANDS: Final = [
    (roles_command, ["grant", ANN, "operator"], "grant_role", ANN, {"roles"}),
    (roles_command, ["revoke", BOB], "revoke_role", BOB, {"roles"}),
    (frozen_command, ["release", account(1)], "frozen_release", account(1), {"balances"}),
    (frozen_command, ["retry", FAILED], "frozen_retry", FAILED, {"settlements"}),
    (parked_command, ["replay", GOOD.order_id], "parked_replay", GOOD.order_id, {"parked_orders", "orders", "trades"}),
    (
        parked_command,
        ["reject", BAD.order_id, "--reason", "no"],
        "parked_reject",
        BAD.order_id,
        {"parked_orders", "orders"},
    ),
    (sweep_command, ["propose", token(1), "--operator", ANN], "sweep_propose", token(1), {"sweeps"}),
    (sweep_command, ["confirm", PROPOSED, "--operator", BOB], "sweep_confirm", PROPOSED, {"sweeps", "settlements"}),
    (reconcile_command, ["--lift", "we looked"], "lift_freeze", Switch.WITHDRAWALS_FROZEN.value, {"switches"}),
]
REFUSED: Final = [
    (roles_command, ["revoke", TREASURY], "no_role"),
    (frozen_command, ["release", NOTHING], "not_frozen"),
    (frozen_command, ["retry", NOTHING], "not_frozen"),
    (parked_command, ["replay", NOTHING], "not_parked"),
    (parked_command, ["reject", NOTHING, "--reason", "no"], "not_parked"),
    (sweep_command, ["propose", token(2), "--operator", ANN], "too_little_to_sweep"),
    (sweep_command, ["confirm", PROPOSED, "--operator", ANN], "one_operator"),
]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
def database(migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Something for each command; whatever is written while the audit log is empty is refused."""

    async def rent_lamports(*_: object) -> int:
        return RENT

    async def nothing_found(_: Reconciler) -> SimpleNamespace:
        return SimpleNamespace(findings=[], at_ms=7)

    monkeypatch.setenv("BLITZ_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BLITZ_OPERATORS", f"{ANN},{BOB}")
    monkeypatch.setenv("BLITZ_TREASURY_ADDRESS", TREASURY)
    monkeypatch.setattr(trade, "account_rent_lamports", rent_lamports)
    monkeypatch.setattr(Reconciler, "check", nothing_found)
    with copied(migrated, tmp_path / "blitzhub.db") as database:
        with database.transaction() as connection:
            _fill(connection)
            _guard(connection)
        yield database


def _fill(connection: Connection) -> None:
    fund(connection, range(2))
    list_tokens(connection, range(2), platform_fees_lamports=5_000_000)
    list_tokens(connection, [2])
    roles.set_role(connection, BOB, "viewer", 1)
    assert switches.turn(connection, Switch.WITHDRAWALS_FROZEN, SwitchState(True, "it differed", "reconcile", 1))
    mine = (BALANCES.c.account_id == account(1), BALANCES.c.asset == SOL)
    connection.execute(update(BALANCES).where(*mine).values(frozen="refused by the chain"))
    parked.park(
        [parked.parked_row(each.token, each.encoded(), "killed_workers", 1) for each in (GOOD, BAD)], connection
    )
    sweep = {"sweep_id": PROPOSED, "token": token(0), "lamports": 5_000_000, "treasury": TREASURY, "proposed_by": ANN}
    sweeps.propose(connection, sweep | {"proposed_at_ms": 1, "confirmed_by": None, "confirmed_at_ms": 0})
    legs = {"settlement_id": FAILED, "kind": "trade", "side": "buy", "token": token(0), "seq": 1, "account_seq": 2}
    legs |= {"account_id": account(0), "wallet": wallet(0), "vault": token(1), "lamports": 1, "tokens": 1}
    failed = pending_settlement(legs | {"rent_lamports": 0}, 1) | {"state": "failed"}
    connection.execute(insert(table(SettlementRow)).values(failed))


def _guard(connection: Connection) -> None:
    for name in _tables(connection):
        for change in ("INSERT", "UPDATE", "DELETE"):
            refuse = f"SELECT RAISE(ABORT, '{change} {name} before the record of it')"
            early = f"WHEN NOT EXISTS (SELECT 1 FROM {LOG})"
            connection.execute(
                text(f"CREATE TRIGGER {name}_{change} BEFORE {change} ON {name} {early} BEGIN {refuse}; END")
            )


def _tables(connection: Connection) -> list[str]:
    """Every table but the log."""
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    return [name for name in connection.execute(text(names)).scalars() if name != LOG]


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.snapshot() as connection:
        return {name: all_of(connection, name) for name in _tables(connection)}


def log_of(database: Database) -> list[dict[str, Any]]:
    with database.snapshot() as connection:
        return all_of(connection, f"{LOG} ORDER BY seq")


@pytest.mark.parametrize(
    ("command", "arguments", "action", "target", "changes"), COMMANDS, ids=[each[2] for each in COMMANDS]
)
def test_a_command_is_on_record_before_it_changes_anything(
    database: Database, command: Any, arguments: list[str], action: str, target: str, changes: set[str]
) -> None:
    before = everything(database)
    assert command.main(arguments) == 0
    after = everything(database)
    assert changes <= {name for name in after if after[name] != before[name]}
    [row] = log_of(database)
    assert (row["action"], row["target"], row["operator"]) == (action, target, f"shell:{getpass.getuser()}")
    assert json.loads(row["after"])


@pytest.mark.parametrize(("command", "arguments", "code"), REFUSED, ids=[f"{each[1][0]}-{each[2]}" for each in REFUSED])
def test_a_command_that_is_refused_changes_nothing_and_both_are_on_record(
    database: Database, command: Any, arguments: list[str], code: str
) -> None:
    before = everything(database)
    assert command.main(arguments) == 1
    assert everything(database) == before
    asked, failed = log_of(database)
    assert (failed["action"], failed["reason"]) == (f"{asked['action']} failed", f"row 1: {code}")


def test_the_guard_of_these_tests_refuses_what_is_not_on_record(database: Database) -> None:
    with pytest.raises(Exception, match="before the record of it"), database.transaction() as connection:
        roles.set_role(connection, ANN, "operator", 1)
