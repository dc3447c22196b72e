"""The replay: the whole state out of trades and transfers, equal to the tables, or the place where it is not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from engine.identifiers import SOL
from engine.ledger.replay import NotEmpty, main, replay
from engine.persistence.database import Connection, Database
from engine.persistence.trading import BALANCES, CANDLES, TOKENS, TRADES, TRANSFERS
from tests.databases import copied, database_of
from tests.fakes import migrated_database
from tests.ledger import SMALL_CURVE, account, token
from tests.reconciling import write_ledger


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Two tokens that trade, their small curves full and trading on their pools."""
    with database_of(request.param, request, tmp_path) as database:
        write_ledger(database, accounts=60, tokens=2, buys_each=2, **SMALL_CURVE)
        with database.snapshot() as connection:
            assert {row.stage for row in connection.execute(TOKENS.select())} == {"graduating"}
        yield database


@pytest.fixture
def target(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    with copied(migrated, tmp_path / "target.db") as database:
        yield database


def test_the_whole_state_is_rebuilt_and_equal(ledger: Database, target: Database) -> None:
    counts, found = replay(ledger, target)
    assert found == []
    assert counts["trades"] > 100
    assert counts["transfers"] > counts["accounts"] == 60
    with target.snapshot() as connection:
        assert connection.execute(CANDLES.select()).first() is not None
        assert {row.address for row in connection.execute(TOKENS.select()) if row.holders} == {token(0), token(1)}


OF_THREE = (BALANCES.c.account_id == account(3)) & (BALANCES.c.asset == SOL)
CHANGES: dict[str, tuple[Callable[[Connection], object], str]] = {
    "a balance": (
        lambda c: c.execute(update(BALANCES).where(OF_THREE).values(amount=BALANCES.c.amount + 1)),
        f"balance {account(3)} SOL amount",
    ),
    "a reserve": (
        lambda c: c.execute(update(TOKENS).where(TOKENS.c.address == token(1)).values(reserve_lamports=5)),
        f"token {token(1)} reserve_lamports: 5 in the ledger",
    ),
    "a number of holders": (
        lambda c: c.execute(update(TOKENS).where(TOKENS.c.address == token(0)).values(holders=1)),
        f"token {token(0)} holders: 1 in the ledger",
    ),
    "a candle": (
        lambda c: c.execute(update(CANDLES).where(CANDLES.c.token == token(0)).values(trades=0)),
        f"candle {token(0)}",
    ),
    "a trade": (
        lambda c: c.execute(
            update(TRADES).where(TRADES.c.token == token(0), TRADES.c.seq == 4).values(tokens=TRADES.c.tokens + 1)
        ),
        f"token {token(0)}: trade 4 leads to",
    ),
    "a lost trade": (
        lambda c: c.execute(delete(TRADES).where(TRADES.c.token == token(0), TRADES.c.seq == 4)),
        "number",
    ),
    "a lost deposit": (
        lambda c: c.execute(
            delete(TRANSFERS).where(TRANSFERS.c.account_id == account(3), TRANSFERS.c.kind == "deposit")
        ),
        f"account {account(3)}: number 1 is missing or double",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_not_what_the_rows_lead_to_is_named(name: str, ledger: Database, target: Database) -> None:
    change, told = CHANGES[name]
    with ledger.transaction() as connection:
        change(connection)
    found = replay(ledger, target)[1]
    assert found
    assert told in found[0]


def test_it_builds_in_an_empty_database_only(ledger: Database) -> None:
    with pytest.raises(NotEmpty):
        replay(ledger, ledger)


def test_the_command_says_equal_or_where_not(
    migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BLITZ_DATABASE_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    with copied(migrated, tmp_path / "ledger.db") as database:
        write_ledger(database, accounts=5, tokens=2, buys_each=1)
        assert main([]) == 0
        assert capsys.readouterr().out.endswith("balances, tokens and candles are equal\n")
        with database.transaction() as connection:
            CHANGES["a balance"][0](connection)
        assert main([]) == 1
        told = capsys.readouterr().out
        assert f"DIFFERENT balance {account(3)} SOL amount" in told
        assert "1 differences" in told
        assert main(["--into", f"sqlite:///{tmp_path / 'ledger.db'}"]) == 2
