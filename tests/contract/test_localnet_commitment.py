"""Localnet answers every question at the commitment it is asked for, with solana-py as it is published."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Commitment, Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import TokenAccountOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.rpc.responses import SignatureNotification
from solders.signature import Signature
from solders.transaction_status import TransactionConfirmationStatus as Status
from spl.token.constants import TOKEN_PROGRAM_ID

from tests.contract.solana_steps import (
    BLINDLY,
    ask,
    built,
    create_mint,
    funded,
    holding_address,
    send,
    send_mint,
    token_transfer,
    transfer_sol,
    until_height,
    until_status,
)
from tests.localnet import Localnet, running_localnet


@pytest.fixture(scope="module")
def unhurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """A node on which nothing gets past processed while a test looks."""
    with running_localnet(
        tmp_path_factory.mktemp("unhurried"), confirm_ms=600_000, finalize_ms=600_000, slot_ms=15
    ) as node:
        yield node


async def test_what_is_only_processed_is_not_shown_at_confirmed_or_finalized(unhurried: Localnet) -> None:
    owner, other = Keypair(), Pubkey.new_unique()
    async with AsyncClient(unhurried.rpc_url, commitment=Processed) as client:
        await client.request_airdrop(owner.pubkey(), 10**10)
        mint, _ = await send_mint(client, owner, supply=1_000)
        paid = await send(client, owner, token_transfer(owner, mint, other, 400))
        target, programs = holding_address(other, mint), TokenAccountOpts(program_id=TOKEN_PROGRAM_ID)
        assert (await client.get_balance(owner.pubkey())).value > 0
        assert (await client.get_token_account_balance(target)).value.amount == "400"
        assert (await client.get_token_supply(mint)).value.amount == "1000"
        assert len((await client.get_token_accounts_by_owner(other, programs)).value) == 1
        status = (await client.get_signature_statuses([paid])).value[0]
        assert status is not None
        assert status.confirmation_status == Status.Processed
        for commitment in (Confirmed, Finalized):
            read = await client.get_balance(owner.pubkey(), commitment)
            assert read.value == 0
            assert read.context.slot < status.slot
            assert (await client.get_account_info(owner.pubkey(), commitment)).value is None
            assert (await client.get_multiple_accounts([owner.pubkey(), mint], commitment)).value == [None, None]
            assert (await client.get_token_accounts_by_owner(other, programs, commitment)).value == []
            for missing in (
                client.get_token_account_balance(target, commitment),
                client.get_token_supply(mint, commitment),
            ):
                with pytest.raises(RPCException):
                    await missing
            assert (await client.get_transaction(paid, "json", commitment, 0)).value is None
            assert (await client.get_signatures_for_address(other, commitment=commitment)).value == []
            assert (await client.get_slot(commitment)).value < status.slot
            assert (await client.get_block_height(commitment)).value == 0
        assert (await client.get_block_height()).value > 0


async def test_finalized_is_what_is_read_when_nothing_is_asked(unhurried: Localnet) -> None:
    receiver = str(Pubkey.new_unique())
    assert "result" in await ask(unhurried.rpc_url, "requestAirdrop", receiver, 10**9)
    at_processed = await ask(unhurried.rpc_url, "getBalance", receiver, {"commitment": "processed"})
    assert at_processed["result"]["value"] == 10**9
    assert (await ask(unhurried.rpc_url, "getBalance", receiver))["result"]["value"] == 0
    assert (await ask(unhurried.rpc_url, "getBlockHeight"))["result"] == 0


async def test_a_transaction_is_confirmed_and_finalized_after_its_delays_and_not_before(
    localnet: Localnet, client: AsyncClient
) -> None:
    payer = await funded(client)
    begun = time.perf_counter()
    signature = await send(client, payer, [transfer_sol(payer, Pubkey.new_unique(), 10**6)])
    await until_status(client, signature, Status.Confirmed)
    assert time.perf_counter() - begun >= localnet.confirm_ms / 1_000
    assert (await until_status(client, signature, Status.Finalized)).confirmations is None
    assert time.perf_counter() - begun >= localnet.finalize_ms / 1_000


@pytest.mark.parametrize(("commitment", "status"), [(Confirmed, Status.Confirmed), (Finalized, Status.Finalized)])
async def test_a_balance_shows_a_transfer_exactly_when_the_slot_it_is_read_at_has_reached_it(
    client: AsyncClient, commitment: Commitment, status: Status
) -> None:
    payer, receiver = await funded(client), Pubkey.new_unique()
    signature = await send(client, payer, [transfer_sol(payer, receiver, 1_000_000)])
    landed = (await until_status(client, signature, Status.Processed)).slot
    reached = False
    while not reached:
        now = (await client.get_signature_statuses([signature])).value[0]
        reached = now is not None and int(now.confirmation_status) >= int(status)
        read = await client.get_balance(receiver, commitment)
        account = await client.get_account_info(receiver, commitment)
        several = await client.get_multiple_accounts([payer.pubkey(), receiver], commitment)
        assert read.value == (1_000_000 if read.context.slot >= landed else 0)
        assert (account.value is not None) == (account.context.slot >= landed)
        assert (several.value[1] is not None) == (several.context.slot >= landed)
        assert read.context.slot >= landed or not reached


async def test_token_balances_are_read_at_the_slot_they_name(client: AsyncClient) -> None:
    owner, other = await funded(client), Keypair().pubkey()
    mint = await create_mint(client, owner, supply=1_000)
    source, target = holding_address(owner.pubkey(), mint), holding_address(other, mint)
    await until_status(client, await send(client, owner, token_transfer(owner, mint, other, 0)), Status.Confirmed)
    signature = await send(client, owner, token_transfer(owner, mint, other, 400))
    landed = (await until_status(client, signature, Status.Processed)).slot
    reached = False
    while not reached:
        read = await client.get_token_account_balance(target, Confirmed)
        by_owner = await client.get_token_accounts_by_owner_json_parsed(
            other, TokenAccountOpts(program_id=TOKEN_PROGRAM_ID), Confirmed
        )
        told = by_owner.value[0].account.data.parsed["info"]["tokenAmount"]["amount"]
        assert read.value.amount == ("400" if read.context.slot >= landed else "0")
        assert told == ("400" if by_owner.context.slot >= landed else "0")
        reached = read.context.slot >= landed
    assert (await client.get_token_account_balance(source, Confirmed)).value.amount == "600"


async def test_a_transaction_and_an_addresss_history_appear_with_their_commitment(client: AsyncClient) -> None:
    payer, receiver = await funded(client), Pubkey.new_unique()
    signature = await send(client, payer, [transfer_sol(payer, receiver, 1_000_000)])
    for commitment, status in ((Confirmed, Status.Confirmed), (Finalized, Status.Finalized)):
        await until_status(client, signature, status)
        told = (await client.get_transaction(signature, "json", commitment, 0)).value
        assert told is not None
        history = (await client.get_signatures_for_address(receiver, commitment=commitment)).value
        assert [(row.signature, row.slot) for row in history] == [(signature, told.slot)]


async def test_heights_become_final_after_the_delay(localnet: Localnet, client: AsyncClient) -> None:
    begun = time.perf_counter()
    height = (await client.get_block_height(Processed)).value
    await until_height(client, height, Finalized)
    assert time.perf_counter() - begun >= localnet.finalize_ms / 2 / 1_000
    slots = [(await client.get_slot(level)).value for level in (Finalized, Confirmed, Processed)]
    heights = [(await client.get_block_height(level)).value for level in (Finalized, Confirmed, Processed)]
    assert slots == sorted(slots)
    assert heights == sorted(heights)


@pytest.mark.parametrize("commitment", [Processed, Confirmed, Finalized])
async def test_a_signature_subscription_fires_once_its_commitment_is_reached(
    localnet: Localnet, client: AsyncClient, commitment: Commitment
) -> None:
    payer = await funded(client)
    async with SolanaWsClient(localnet.ws_url) as socket:
        sent = await send(client, payer, [transfer_sol(payer, Pubkey.new_unique(), 10**6)])
        subscription = await socket.signature_subscribe(signature=sent, commitment=commitment)
        told = await asyncio.wait_for(socket.recv(), 5)
        assert isinstance(told, SignatureNotification)
        assert told.subscription == subscription.subscription_id
        assert told.result.value.err is None
        status = (await client.get_signature_statuses([sent])).value[0]
        assert status is not None
        assert told.result.context.slot >= status.slot
        rank = {Processed: 0, Confirmed: 1, Finalized: 2}[commitment]
        assert int(status.confirmation_status) >= rank


async def test_subscribing_before_sending_and_on_both_ports_works(localnet: Localnet, client: AsyncClient) -> None:
    payer = await funded(client)
    for url in (localnet.ws_url, localnet.rpc_url.replace("http", "ws")):
        async with SolanaWsClient(url) as socket:
            transaction = await built(client, payer, [transfer_sol(payer, Pubkey.new_unique(), 10**6)])
            await socket.signature_subscribe(signature=transaction.signatures[0], commitment=Confirmed)
            begun = time.perf_counter()
            await client.send_transaction(transaction, BLINDLY)
            await asyncio.wait_for(socket.recv(), 5)
            assert time.perf_counter() - begun >= localnet.confirm_ms / 1_000


async def test_slots_are_told_and_unsubscribing_ends_it(localnet: Localnet) -> None:
    async with SolanaWsClient(localnet.ws_url) as socket:
        subscription = await socket.slot_subscribe()
        first = await asyncio.wait_for(socket.recv(), 5)
        second = await asyncio.wait_for(socket.recv(), 5)
        assert second.result.slot == first.result.slot + 1  # type: ignore[union-attr]
        await socket.unsubscribe(subscription)
        waiting = await socket.signature_subscribe(signature=Signature.new_unique(), commitment=Confirmed)
        await socket.unsubscribe(waiting)
