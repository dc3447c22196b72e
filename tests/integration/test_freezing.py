"""What the chain refuses stops its account, and its token only if the vault is at fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.persistence import freezes
from engine.persistence.trading import TOKENS
from tests.integration.test_settlement import FUNDS, launched, running, until
from tests.localnet import Localnet, running_localnet
from tests.settling import Ledger, opened, settings_for


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    directory = tmp_path_factory.mktemp("freezing") / "localnet"
    with running_localnet(directory, confirm_ms=100, finalize_ms=200, slot_ms=20) as node:
        yield node


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.settlement.freezing.SHORT_FOR_MS", 1_000)


def reason(ledger: Ledger, wallet: str) -> str | None:
    with ledger.services.database.snapshot() as connection:
        return freezes.reason_of(connection, ledger.account_of(wallet))


def held(ledger: Ledger, token: str) -> bool:
    with ledger.services.database.snapshot() as connection:
        return bool(connection.execute(select(TOKENS.c.held).where(TOKENS.c.address == token)).scalar_one())


async def test_a_trade_that_lands_with_errors_freezes_its_account_and_nobody_else(
    node: Localnet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann, bob) = await launched(ledger, "ann", "bob")
    async with opened(settings_for(tmp_path, node, compute_unit_limit=1_000)) as ledger:
        order = await ledger.trade(ann, token, "buy", 1_000_000_000, 40_000_000_000)
        async with running(ledger):
            await until(lambda: ledger.settlement(order)["state"] == "failed")
        found = reason(ledger, ann)
        assert found is not None
        assert order in found
        assert (reason(ledger, bob), held(ledger, token)) == (None, False)
        assert "alert=account_frozen" in caplog.text
    async with opened(settings_for(tmp_path, node)) as ledger:
        with ledger.services.database.transaction() as connection:
            assert freezes.retry(connection, order)
            assert freezes.release(connection, ledger.account_of(ann), 1)
        async with running(ledger):
            await until(lambda: ledger.settlement(order)["state"] == "confirmed")


async def test_a_wallet_that_holds_less_than_the_ledger_says_stops_its_account_and_no_token(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann,) = await launched(ledger, "ann")
        poor = ledger.account("poor", FUNDS)
        stuck = await ledger.trade(poor, token, "buy", 1_000_000_000, 40_000_000_000)
        good = await ledger.trade(ann, token, "buy", 1_000_000_000, 30_000_000_000)
        async with running(ledger):
            await until(lambda: ledger.settlement(good)["state"] == "confirmed")
            await until(lambda: reason(ledger, poor) is not None)
            assert (reason(ledger, ann), held(ledger, token)) == (None, False)
            await ledger.services.chain.airdrop(poor, FUNDS)
            await until(lambda: ledger.settlement(stuck)["state"] == "confirmed")


async def test_a_vault_that_holds_less_than_the_ledger_says_stops_its_token_and_no_account(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        token, (ann,) = await launched(ledger, "ann")
        await ledger.trade(ann, token, "buy", 1_000_000_000, 40_000_000_000)
        await ledger.trade(ann, token, "sell", 3_000_000_000, 1_000_000)
        async with running(ledger):
            await until(lambda: held(ledger, token))
        assert reason(ledger, ann) is None
