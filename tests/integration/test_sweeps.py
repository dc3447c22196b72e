"""Platform sweeps on a localnet process: two operators, one treasury, and a ledger that agrees with the chain."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from engine.errors import Refusal
from engine.ledger import sweeps
from engine.persistence.trading import TOKENS
from engine.settlement.service import SettlementService
from tests.localnet import Localnet, running_localnet
from tests.settling import Faulty, Ledger, differences, opened, settings_for
from tests.withdrawing import desk, paying, stranger, until

TREASURY = stranger()
ANN, BOB, EVE = stranger(), stranger(), stranger()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    directory = tmp_path_factory.mktemp("sweeps") / "localnet"
    with running_localnet(directory, confirm_ms=100, finalize_ms=250, slot_ms=20) as node:
        yield node


async def earned(ledger: Ledger, lamports: int) -> str:
    """A token whose vault holds that much of platform fees."""
    ann = await desk(ledger, "ann")
    token = await ledger.launch(ann.account.wallet)
    async with paying(ledger):
        bought = await ledger.trade(ann.account.wallet, token, "buy", 1_000_000_000, 40_000_000_000)

        async def settled() -> bool:
            return bool(ledger.settlement(bought)["state"] == "confirmed")

        await until(settled)
    values = {
        "platform_fees_lamports": lamports,
        "reserve_lamports": TOKENS.c.reserve_lamports - lamports,
    }
    with ledger.services.database.transaction() as connection:
        connection.execute(update(TOKENS).where(TOKENS.c.address == token).values(values))
    assert await differences(ledger.services) == []
    return token


async def refused(code: str, asked: Any) -> None:
    with pytest.raises(Refusal) as caught:
        await asked
    assert caught.value.code == code


async def test_a_sweep_takes_two_operators_and_reaches_the_treasury(node: Localnet, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, node, treasury_address=TREASURY, operators=f"{ANN}, {BOB}")
    async with opened(settings) as ledger:
        services, token = ledger.services, await earned(ledger, 7_000_000)
        await refused("not_an_operator", sweeps.propose(services, token, EVE))
        proposed = await sweeps.propose(services, token, ANN)
        assert proposed["lamports"] == 7_000_000
        await refused("one_operator", sweeps.confirm(services, proposed["sweep_id"], ANN))
        await refused("not_an_operator", sweeps.confirm(services, proposed["sweep_id"], EVE))
        await refused("unknown_sweep", sweeps.confirm(services, "0" * 32, BOB))
        await sweeps.confirm(services, proposed["sweep_id"], BOB)
        await refused("unknown_sweep", sweeps.confirm(services, proposed["sweep_id"], BOB))
        await refused("too_little_to_sweep", sweeps.propose(services, token, ANN))
        async with paying(ledger):

            async def swept() -> bool:
                return bool(ledger.settlement(proposed["sweep_id"])["state"] == "confirmed")

            await until(swept)
        found = await services.chain.balances([TREASURY], [])
        assert found.lamports[TREASURY] == 7_000_000
        assert await differences(services) == []


async def test_the_signer_signs_no_sweep_to_another_address_than_its_own_treasury(
    node: Localnet, tmp_path: Path
) -> None:
    """The worker's settings were changed; the signer's were not."""
    settings = settings_for(tmp_path, node, treasury_address=TREASURY, operators=f"{ANN},{BOB}")
    async with opened(settings) as ledger:
        token, thief = await earned(ledger, 7_000_000), stranger()
        lying = replace(ledger.services, settings=replace(settings, treasury_address=thief))
        proposed = await sweeps.propose(lying, token, ANN)
        await sweeps.confirm(lying, proposed["sweep_id"], BOB)
        async with paying(ledger):

            async def given_up() -> bool:
                return bool(ledger.settlement(proposed["sweep_id"])["state"] == "failed")

            await until(given_up)
        assert (await ledger.services.chain.balances([thief], [])).lamports[thief] == 0


@pytest.mark.parametrize("treasury", ["", "nowhere"])
async def test_without_a_treasury_nothing_is_proposed(node: Localnet, tmp_path: Path, treasury: str) -> None:
    settings = settings_for(tmp_path, node, treasury_address=treasury, operators=f"{ANN},{BOB}")
    async with opened(settings) as ledger:
        await refused("no_treasury", sweeps.propose(ledger.services, stranger(), ANN))


async def test_a_fee_payer_that_runs_low_alarms_where_there_is_no_faucet(
    node: Localnet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(tmp_path, node, fee_payer_low_lamports=1_000)
    async with opened(settings) as ledger:
        fee_payer = await ledger.services.signer.fee_payer()
        await ledger.services.chain.airdrop(fee_payer, 2_000_000)
        held = {"lamports": 999}

        async def balances(addresses: list[str], *others: Any, **options: Any) -> Any:
            found = await ledger.services.chain.balances(addresses, *others, **options)
            return replace(found, lamports={address: held["lamports"] for address in addresses})

        elsewhere = replace(settings, solana_rpc_url="https://api.devnet.solana.com")
        services = replace(ledger.services, settings=elsewhere, chain=Faulty(ledger.services.chain, balances=balances))
        await SettlementService(services, {})._check_funds()
        assert f"alert=fee_payer_low the fee payer {fee_payer} holds 999 lamports" in caplog.text
        caplog.clear()
        held["lamports"] = 1_000
        await SettlementService(services, {})._check_funds()
        assert "alert" not in caplog.text
