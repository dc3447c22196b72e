"""What strangers do to addresses of ours, inside other programs' calls too: booked or alarmed, and nothing breaks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from sqlalchemy import func, select

from engine.ledger.deposits import DepositScan
from engine.persistence.trading import TOKENS, TRANSFERS
from engine.settlement.programs import ASSOCIATED_TOKEN, SYSTEM, TOKEN_2022, token_account
from tests.localnet import Localnet, running_localnet
from tests.settling import Ledger, differences, opened, settings_for
from tests.withdrawing import desk, paying, until

RENT = 2_074_080


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    directory = tmp_path_factory.mktemp("foreign") / "localnet"
    with running_localnet(directory, confirm_ms=100, finalize_ms=250, slot_ms=20) as node:
        yield node


async def finalized(ledger: Ledger, signature: str) -> None:
    async def reached() -> bool:
        (status,) = await ledger.services.chain.statuses([signature], search_history=True)
        return status is not None and status.finalized and status.error is None

    await until(reached)


async def stranger(ledger: Ledger) -> Keypair:
    made = Keypair()
    await finalized(ledger, await ledger.services.chain.airdrop(str(made.pubkey()), 1_000_000_000))
    return made


async def launched(ledger: Ledger, creator: str) -> str:
    token = await ledger.launch(creator)
    async with paying(ledger) as launches:

        async def tradable() -> bool:
            return launches.confirmed == [token]

        await until(tradable)

    async def is_fee_payer_booked() -> bool:
        """What the faucet paid to the fee payer is the last thing on its way."""
        await DepositScan(ledger.services).scan()
        with ledger.services.database.snapshot() as connection:
            donations = select(func.count()).select_from(TRANSFERS).where(TRANSFERS.c.kind == "donation")
            return bool(connection.execute(donations).scalar_one())

    await until(is_fee_payer_booked)
    return token


async def send(ledger: Ledger, sender: Keypair, *instructions: Instruction) -> str:
    """Sign as the stranger, and wait until it is final; the signature."""
    blockhash = await ledger.services.chain.latest_blockhash()
    message = MessageV0.try_compile(sender.pubkey(), list(instructions), [], Hash.from_string(blockhash.value))
    transaction = VersionedTransaction(message, [sender])
    assert await ledger.services.chain.send([bytes(transaction)]) == [None]
    await finalized(ledger, str(transaction.signatures[0]))
    return str(transaction.signatures[0])


def make_account(payer: Keypair, owner: str, mint: str) -> Instruction:
    owned = Pubkey.from_string(owner), Pubkey.from_string(mint), SYSTEM, TOKEN_2022
    accounts = [AccountMeta(payer.pubkey(), True, True), AccountMeta(token_account(owner, mint), False, True)]
    return Instruction(ASSOCIATED_TOKEN, b"\1", [*accounts, *(AccountMeta(each, False, False) for each in owned)])


def close_account(owner: Keypair, mint: str, to: str) -> Instruction:
    account = token_account(str(owner.pubkey()), mint)
    metas = [AccountMeta(account, False, True), AccountMeta(Pubkey.from_string(to), False, True)]
    return Instruction(TOKEN_2022, bytes([9]), [*metas, AccountMeta(owner.pubkey(), True, False)])


async def test_lamports_that_another_programs_call_brings_are_a_deposit(node: Localnet, tmp_path: Path) -> None:
    """A closed token account gives its rent to our wallet: no transfer instruction says so, the balances do."""
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann = await desk(ledger, "ann")
        token = await launched(ledger, ann.account.wallet)
        before, friend = ann.balance(), await stranger(ledger)
        assert before is not None
        await send(
            ledger,
            friend,
            make_account(friend, str(friend.pubkey()), token),
            close_account(friend, token, ann.account.wallet),
        )
        assert await DepositScan(ledger.services).scan() == 1
        assert ann.balance() == before + RENT


async def test_a_token_account_that_a_stranger_opens_at_our_wallet_alarms_and_breaks_nothing(
    node: Localnet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann, bob = await desk(ledger, "ann"), await desk(ledger, "bob", 0)
        await finalized(ledger, await ledger.services.chain.airdrop(bob.account.wallet, 5_000_000_000))
        token = await launched(ledger, ann.account.wallet)
        before, friend = bob.balance(), await stranger(ledger)
        signature = await send(ledger, friend, make_account(friend, bob.account.wallet, token))
        assert await DepositScan(ledger.services).scan() == 0
        assert f"alert=foreign_transaction transaction {signature} names our {bob.account.wallet}" in caplog.text
        assert bob.balance() == before
        bought = await ledger.trade(bob.account.wallet, token, "buy", 100_000_000, 4_000_000_000)
        async with paying(ledger):

            async def settled() -> bool:
                return bool(ledger.settlement(bought)["state"] == "confirmed")

            await until(settled)
        assert [line for line in await differences(ledger.services) if line.address == bob.account.wallet] == []


async def test_a_lamport_sent_to_a_vault_alarms_and_trading_goes_on(
    node: Localnet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann = await desk(ledger, "ann")
        token = await launched(ledger, ann.account.wallet)
        with ledger.services.database.snapshot() as connection:
            vault = str(connection.execute(select(TOKENS.c.vault).where(TOKENS.c.address == token)).scalar_one())
        await finalized(ledger, await ledger.services.chain.airdrop(vault, 1))
        assert await DepositScan(ledger.services).scan() == 1
        assert f"alert=donation 1 lamports reached our {vault}" in caplog.text
        bought = await ledger.trade(ann.account.wallet, token, "buy", 100_000_000, 4_000_000_000)
        async with paying(ledger):

            async def settled() -> bool:
                return bool(ledger.settlement(bought)["state"] == "confirmed")

            await until(settled)
