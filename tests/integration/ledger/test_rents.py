"""What a stranger pays for beforehand: whoever would have paid has it, and ledger and chain agree to the lamport."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from sqlalchemy import select, update

from engine.ledger.releases import Releases
from engine.persistence.trading import SETTLEMENTS, TRANSFERS
from engine.services import Services
from engine.settlement.outlays import RENT_BACK
from engine.settlement.programs import ASSOCIATED_TOKEN, SYSTEM, TOKEN_2022, token_account
from tests.localnet import Localnet, running_localnet
from tests.settling import Faulty, Ledger, differences, opened, settings_for
from tests.withdrawing import Desk, desk, paying, stranger, until

RENT = 2_074_080
FEE = 10_000


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    directory = tmp_path_factory.mktemp("rents") / "localnet"
    with running_localnet(directory, confirm_ms=100, finalize_ms=250, slot_ms=20) as node:
        yield node


class Meddler:
    """A stranger with money of his own."""

    def __init__(self, services: Services) -> None:
        self._chain, self._key = services.chain, Keypair()

    async def make_account(self, owner: str, token: str) -> None:
        """Make somebody's token account, unless it exists, and pay for it."""
        account = token_account(owner, token)
        metas = [
            AccountMeta(self._key.pubkey(), True, True),
            AccountMeta(account, False, True),
            *(AccountMeta(Pubkey.from_string(key), False, False) for key in (owner, token)),
            *(AccountMeta(program, False, False) for program in (SYSTEM, TOKEN_2022)),
        ]
        await self._send(Instruction(ASSOCIATED_TOKEN, b"\x01", metas), account)

    async def give(self, owner: str, token: str, lamports: int) -> None:
        """Send lamports to where somebody's token account is, or will be."""
        account = token_account(owner, token)
        terms = TransferParams(from_pubkey=self._key.pubkey(), to_pubkey=account, lamports=lamports)
        await self._send(transfer(terms), account)

    async def _send(self, instruction: Instruction, account: Pubkey) -> None:
        payer = str(self._key.pubkey())
        await self._chain.airdrop(payer, 1_000_000_000)
        await until(lambda: self._moved(payer, 0))
        before = await self._held(str(account))
        blockhash = Hash.from_string((await self._chain.latest_blockhash()).value)
        message = MessageV0.try_compile(self._key.pubkey(), [instruction], [], blockhash)
        assert await self._chain.send([bytes(VersionedTransaction(message, [self._key]))]) == [None]
        await until(lambda: self._moved(str(account), before))

    async def _held(self, address: str) -> int:
        return (await self._chain.balances([address], [])).lamports[address]

    async def _moved(self, address: str, before: int) -> bool:
        return await self._held(address) != before


def rents_back(ledger: Ledger) -> list[tuple[str | None, str, int]]:
    """Whose balance each moved, at which address, by how much."""
    columns = TRANSFERS.c.account_id, TRANSFERS.c.address, TRANSFERS.c.amount
    with ledger.services.database.snapshot() as connection:
        statement = select(*columns).where(TRANSFERS.c.kind == RENT_BACK).order_by(TRANSFERS.c.created_at_ms)
        return [tuple(row) for row in connection.execute(statement)]


async def launched(ledger: Ledger, creator: Desk) -> str:
    token = await ledger.launch(creator.account.wallet)
    async with paying(ledger) as launches:
        await reached(lambda: launches.confirmed == [token])
    return token


async def reached(condition: Any) -> None:
    async def met() -> bool:
        return bool(condition())

    await until(met)


async def settled(ledger: Ledger, *settlement_ids: str) -> None:
    async with paying(ledger):
        await reached(lambda: all(ledger.settlement(each)["state"] == "confirmed" for each in settlement_ids))


async def bought(ledger: Ledger, buyer: Desk, token: str) -> str:
    return await ledger.trade(buyer.account.wallet, token, "buy", 1_000_000_000, 40_000_000_000)


async def agrees(ledger: Ledger, *desks: Desk) -> None:
    assert await differences(ledger.services) == []
    for each in desks:
        assert each.balance() == await each.lamports(each.account.wallet)


def hold(ledger: Ledger, settlement_id: str, state: str) -> None:
    """Keep the settlement from being sent, or let it go."""
    with ledger.services.database.transaction() as connection:
        found = SETTLEMENTS.c.settlement_id == settlement_id
        connection.execute(update(SETTLEMENTS).where(found).values(state=state))


async def test_an_account_that_a_stranger_made_before_the_first_buy_costs_nobody_anything_in_the_end(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann = await desk(ledger, "ann")
        token, fee_payer = await launched(ledger, ann), await ledger.services.signer.fee_payer()
        await Meddler(ledger.services).make_account(ann.account.wallet, token)
        buy = await bought(ledger, ann, token)
        assert await differences(ledger.services) == [], "while the buy is on its way"
        await settled(ledger, buy)
        assert rents_back(ledger) == [(None, fee_payer, RENT)], "the wallet has paid the platform, which kept it"
        await agrees(ledger, ann)
        await settled(ledger, await ledger.trade(ann.account.wallet, token, "sell", 900_000_000, 40_000_000_000))
        before = ann.balance() or 0
        await settled(ledger, (await ann.close(token))["withdrawal_id"])
        assert ann.balance() == before + RENT - FEE, "its rent comes back all the same"
        await agrees(ledger, ann)


async def test_lamports_where_a_token_account_will_be_or_is_closed_stay_with_the_platform(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann, meddler = await desk(ledger, "ann"), Meddler(ledger.services)
        token, fee_payer = await launched(ledger, ann), await ledger.services.signer.fee_payer()
        await meddler.give(ann.account.wallet, token, 1_000_000)
        await settled(ledger, await bought(ledger, ann, token))
        await settled(ledger, await ledger.trade(ann.account.wallet, token, "sell", 900_000_000, 40_000_000_000))
        await meddler.give(ann.account.wallet, token, 7)
        await settled(ledger, (await ann.close(token))["withdrawal_id"])
        assert rents_back(ledger) == [(None, fee_payer, 1_000_000), (None, fee_payer, 7)]
        await agrees(ledger, ann)


async def test_lamports_at_a_new_tokens_vault_are_its_creators(node: Localnet, tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann = await desk(ledger, "ann")
        token = await ledger.launch(ann.account.wallet)
        (vault,) = {ledger.settlement(each)["vault"] for each in _ids(ledger)}
        await Meddler(ledger.services).give(vault, token, 1_000_000)
        before = ann.balance() or 0
        await settled(ledger, *_ids(ledger))
        assert rents_back(ledger) == [(ann.account.account_id, ann.account.wallet, 1_000_000)]
        assert ann.balance() == before + 1_000_000
        await agrees(ledger, ann)


def _ids(ledger: Ledger) -> list[str]:
    with ledger.services.database.snapshot() as connection:
        return list(connection.execute(select(SETTLEMENTS.c.settlement_id)).scalars())


async def test_who_withdraws_to_an_account_that_appears_meanwhile_gets_its_rent_back(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node, withdrawal_delay_ms=0)) as ledger:
        ann, friend = await desk(ledger, "ann"), stranger()
        token = await launched(ledger, ann)
        await settled(ledger, await bought(ledger, ann, token))
        asked = await ann.ask(30_000_000_000, friend, token)
        assert asked["rent_lamports"] == str(RENT)
        before, events = ann.balance() or 0, await ledger.services.bus.subscribe(f"account:{ann.account.account_id}")
        await Meddler(ledger.services).make_account(friend, token)
        await settled(ledger, asked["withdrawal_id"])
        assert rents_back(ledger) == [(ann.account.account_id, ann.account.wallet, RENT)]
        assert ann.balance() == before + RENT
        assert await ann.tokens(friend, token) == 30_000_000_000
        await agrees(ledger, ann)
        async with asyncio.timeout(5):
            async for event in events:
                if b'"rent_back"' in event.payload:
                    break


async def test_a_transfer_and_the_first_buy_of_its_recipient_make_one_account_and_both_paid_for_it(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node, withdrawal_delay_ms=0)) as ledger:
        ann, bob = await desk(ledger, "ann"), await desk(ledger, "bob")
        token, fee_payer = await launched(ledger, ann), await ledger.services.signer.fee_payer()
        await settled(ledger, await bought(ledger, ann, token))
        asked = await ann.ask(1_000, bob.account.wallet, token)
        buy = await bought(ledger, bob, token)
        hold(ledger, buy, "waiting")
        await Releases(ledger.services).release_due()
        await settled(ledger, asked["withdrawal_id"])
        assert await differences(ledger.services) == []
        hold(ledger, buy, "pending")
        await settled(ledger, buy)
        assert rents_back(ledger) == [(None, fee_payer, RENT)]
        await agrees(ledger, ann, bob)


async def test_the_platform_lays_out_the_rent_for_a_buy_that_overtakes_the_first_one(
    node: Localnet, tmp_path: Path
) -> None:
    async with opened(settings_for(tmp_path, node)) as ledger:
        ann = await desk(ledger, "ann")
        token, fee_payer = await launched(ledger, ann), await ledger.services.signer.fee_payer()
        first, second = await bought(ledger, ann, token), await bought(ledger, ann, token)
        hold(ledger, first, "waiting")
        await settled(ledger, second)
        assert rents_back(ledger) == [(None, fee_payer, -RENT)]
        assert await differences(ledger.services) == []
        hold(ledger, first, "pending")
        await settled(ledger, first)
        assert rents_back(ledger) == [(None, fee_payer, -RENT), (None, fee_payer, RENT)]
        await agrees(ledger, ann)


async def test_between_landing_and_booking_the_difference_is_explained(node: Localnet, tmp_path: Path) -> None:
    """The node that is asked says that it is confirmed, and does not show the transaction yet."""
    shows = False

    def late(chain: Any) -> Faulty:
        async def lamports_moved(wanted: list[Any]) -> list[int | None]:
            return await chain.lamports_moved(wanted) if shows else [None] * len(wanted)

        return Faulty(chain, lamports_moved=lamports_moved)

    async with opened(settings_for(tmp_path, node)) as ledger:
        ann = await desk(ledger, "ann")
        token = await launched(ledger, ann)
        await Meddler(ledger.services).make_account(ann.account.wallet, token)
        buy = await bought(ledger, ann, token)
        blind = Ledger(replace(ledger.services, chain=late(ledger.services.chain)))
        async with paying(blind):
            await reached(lambda: ledger.settlement(buy)["state"] == "signed")
            vault = ledger.settlement(buy)["vault"]

            async def landed() -> bool:
                return await ann.lamports(vault) > 1_000_000_000

            await until(landed)
            await asyncio.sleep(0.5)
            assert ledger.settlement(buy)["state"] == "signed", "not confirmed before its rent is known"
            assert await differences(ledger.services) == []
            shows = True
            await reached(lambda: ledger.settlement(buy)["state"] == "confirmed")
        await agrees(ledger, ann)
