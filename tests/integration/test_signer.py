"""The signer reads for itself: neither a forged row nor a message of somebody's own moves anything to a stranger."""

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction
from sqlalchemy import update

from engine.adapters.signer_http import HttpSigner
from engine.errors import Refusal
from engine.persistence import settlements as rows
from engine.persistence.trading import SETTLEMENTS, TOKENS
from engine.ports import Signed, Signer, SigningRequest
from engine.settlement.settlement import Settlement
from engine.settlement.signer import NotPending
from engine.settlement.signing import SignerRefused
from engine.settlement.transactions import ComputeBudget, build, message_bytes
from tests.fakes import fake_services, migrated_database
from tests.settling import Ledger
from tests.signing import SETTLE_SECRET, WEB_SECRET, Caller, serving

BUDGET = ComputeBudget(120_000, 0)
THIEF = str(Keypair.from_seed(bytes([66]) * 32).pubkey())
SOL = 10**9


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("signer"))


@pytest.fixture
def ledger(tmp_path: Path, migrated: Path) -> Iterator[Ledger]:
    with fake_services(tmp_path, migrated) as services:
        yield Ledger(services)


@pytest.fixture(params=["in process", "over its socket"])
async def signer(ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Signer]:
    """The signer as the app has it in embedded mode, and as every process has it elsewhere."""
    if request.param == "in process":
        yield ledger.services.signer
        return
    async with serving(ledger.services.signer, tmp_path / "signer.sock") as url:
        caller = Caller(HttpSigner(url, WEB_SECRET), HttpSigner(url, SETTLE_SECRET))
        yield caller
        await caller.close()


@pytest.fixture
async def bought(ledger: Ledger) -> str:
    """The id of a pending buy."""
    wallet = ledger.account("ada", 10 * SOL)
    return await ledger.trade(wallet, await ledger.launch(wallet), "buy", SOL, 5_000_000)


def stored(ledger: Ledger, settlement_id: str) -> Settlement:
    with ledger.services.database.snapshot() as connection:
        return rows.by_id(connection, [settlement_id])[settlement_id]


def change(ledger: Ledger, settlement_id: str, **values: Any) -> None:
    """What a thief with a worker's database user could write."""
    with ledger.services.database.transaction() as connection:
        statement = update(SETTLEMENTS).where(SETTLEMENTS.c.settlement_id == settlement_id)
        connection.execute(statement.values(values))


async def asked(signer: Signer, settlement: Settlement) -> Signed | Refusal:
    """Ask for the message that this settlement would have."""
    message = message_bytes(build(settlement, await signer.fee_payer(), "1" * 32, BUDGET))
    [answer] = await signer.sign([SigningRequest(settlement.settlement_id, message)])
    return answer


async def test_a_pending_settlement_is_signed_by_everyone_it_needs(ledger: Ledger, signer: Signer, bought: str) -> None:
    answer = await asked(signer, stored(ledger, bought))
    assert isinstance(answer, Signed)
    transaction = VersionedTransaction.from_bytes(answer.transaction)
    assert transaction.verify_with_results() == [True] * 3
    assert str(transaction.signatures[0]) == answer.signature


async def test_a_launch_is_signed_by_its_mint(ledger: Ledger, signer: Signer) -> None:
    token = await ledger.launch(ledger.account("ada", 10 * SOL))
    with ledger.services.database.snapshot() as connection:
        [launch] = rows.pending(connection, 10)
    answer = await asked(signer, launch)
    assert isinstance(answer, Signed)
    transaction = VersionedTransaction.from_bytes(answer.transaction)
    assert transaction.verify_with_results() == [True] * 3
    assert token in {str(key) for key in transaction.message.account_keys[:3]}


async def test_every_request_of_a_batch_has_its_own_answer(ledger: Ledger, signer: Signer, bought: str) -> None:
    good = stored(ledger, bought)
    message = message_bytes(build(good, await signer.fee_payer(), "1" * 32, BUDGET))
    wanted = [SigningRequest("0" * 32, message), SigningRequest(bought, message), SigningRequest(bought, b"\x80")]
    answers = await signer.sign(wanted)
    assert [type(answer) for answer in answers] == [SignerRefused, Signed, SignerRefused]


@pytest.mark.parametrize("column", ["wallet", "vault"])
async def test_a_row_that_names_a_strangers_address_is_refused(
    ledger: Ledger, signer: Signer, bought: str, column: str
) -> None:
    change(ledger, bought, **{column: THIEF})
    answer = await asked(signer, stored(ledger, bought))
    assert isinstance(answer, SignerRefused)
    assert "none of the platform's" in answer.detail


async def test_a_wallets_row_does_not_make_a_stranger_known(ledger: Ledger, signer: Signer, bought: str) -> None:
    settlement = stored(ledger, bought)
    forged = {"address": THIEF, "kind": "trading", "account_id": settlement.account_id, "created_at_ms": 1}
    with ledger.services.database.transaction() as connection:
        rows.add_wallet(connection, forged | {"key_name": f"wallet/{settlement.account_id}"})
    change(ledger, bought, wallet=THIEF)
    assert isinstance(await asked(signer, stored(ledger, bought)), SignerRefused)


async def test_another_accounts_wallet_is_a_stranger_to_this_account(
    ledger: Ledger, signer: Signer, bought: str
) -> None:
    change(ledger, bought, wallet=ledger.account("eve", 0))
    assert isinstance(await asked(signer, stored(ledger, bought)), SignerRefused)


async def test_another_tokens_vault_is_a_stranger_to_this_token(ledger: Ledger, signer: Signer, bought: str) -> None:
    other = await ledger.launch(ledger.account("eve", 10 * SOL), name="Other")
    change(ledger, bought, vault=ledger.keys.create(f"vault/{other}"))
    assert isinstance(await asked(signer, stored(ledger, bought)), SignerRefused)


async def test_a_launch_of_a_mint_whose_key_is_somebody_elses_is_refused(ledger: Ledger, signer: Signer) -> None:
    token = await ledger.launch(ledger.account("ada", 10 * SOL))
    with ledger.services.database.transaction() as connection:
        connection.execute(update(TOKENS).where(TOKENS.c.address == token).values(address=THIEF))
        connection.execute(update(SETTLEMENTS).values(token=THIEF))
        mint = {"address": THIEF, "kind": "mint", "key_name": "mint/" + "0" * 32, "token": THIEF, "created_at_ms": 1}
        rows.add_wallet(connection, mint)
        [launch] = rows.pending(connection, 10)
    change(ledger, launch.settlement_id, vault=ledger.keys.create(f"vault/{THIEF}"))
    answer = await asked(signer, stored(ledger, launch.settlement_id))
    assert isinstance(answer, SignerRefused)
    assert "none of the platform's" in answer.detail


@pytest.mark.parametrize("changes", [{"lamports": 2 * SOL}, {"tokens": 1}, {"wallet": THIEF}, {"vault": THIEF}])
async def test_a_message_that_pays_otherwise_than_the_row_is_refused(
    ledger: Ledger, signer: Signer, bought: str, changes: dict[str, Any]
) -> None:
    assert isinstance(await asked(signer, replace(stored(ledger, bought), **changes)), SignerRefused)


async def test_a_settlement_that_does_not_exist_is_refused(ledger: Ledger, signer: Signer, bought: str) -> None:
    invented = replace(stored(ledger, bought), settlement_id="ab" * 16)
    assert isinstance(await asked(signer, invented), SignerRefused)


@pytest.mark.parametrize("state", ["signed", "confirmed", "failed"])
async def test_a_settlement_that_is_not_pending_is_not_signed_again(
    ledger: Ledger, signer: Signer, bought: str, state: str
) -> None:
    change(ledger, bought, state=state)
    assert isinstance(await asked(signer, stored(ledger, bought)), NotPending)


async def test_a_refusal_is_a_line_in_the_audit_log(
    ledger: Ledger, signer: Signer, bought: str, caplog: pytest.LogCaptureFixture
) -> None:
    change(ledger, bought, wallet=THIEF)
    with caplog.at_level(logging.WARNING, "blitzhub.audit"):
        await asked(signer, stored(ledger, bought))
    [line] = [record.getMessage() for record in caplog.records if record.name == "blitzhub.audit"]
    assert "alert=signer_refused code=signer_refused" in line
    assert bought in line
    assert THIEF in line


async def test_keys_are_made_for_accounts_mints_and_vaults_only(ledger: Ledger, signer: Signer) -> None:
    for name in (f"wallet/{THIEF}", f"vault/{THIEF}", "mint/" + "0f" * 16):
        assert await signer.create_key(name) == ledger.keys.address(name)
    for name in ("fee-payer", "wallet/", f"wallet/{THIEF}/../x", "mint/" + "0F" * 16, "", f"wallet/{THIEF}\n"):
        with pytest.raises(SignerRefused):
            await signer.create_key(name)


async def test_the_fee_payer_is_one_of_the_wallets_once_it_is_known(ledger: Ledger, signer: Signer) -> None:
    address = await signer.fee_payer()
    with ledger.services.database.snapshot() as connection:
        assert rows.key_names(connection, [address]) == {address: "fee-payer"}
