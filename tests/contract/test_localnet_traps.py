"""What LiteSVM by itself gets wrong, and localnet therefore does itself: one test for each."""

import asyncio
import struct
import time

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import TxOpts
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import AccountMeta, CompiledInstruction, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.null_signer import NullSigner
from solders.pubkey import Pubkey
from solders.rpc.errors import SendTransactionPreflightFailureMessage
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus as Status
from solders.transaction_status import TransactionErrorFieldless
from spl.token import models
from spl.token.constants import WRAPPED_SOL_MINT
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    sync_native,
)

from tests.contract.solana_steps import (
    BLINDLY,
    CHECKED,
    built,
    funded,
    holding_address,
    transfer_sol,
    until_height,
    until_status,
)

_LOOKUP = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
_CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")


async def _balance(client: AsyncClient, key: Pubkey) -> int:
    return (await client.get_balance(key, Processed)).value


async def _preflight_error(client: AsyncClient, transaction: VersionedTransaction) -> object:
    with pytest.raises(RPCException) as caught:
        await client.send_transaction(transaction, CHECKED)
    message = caught.value.args[0]
    assert isinstance(message, SendTransactionPreflightFailureMessage)
    return message.data.err


async def test_a_transaction_sent_again_after_sixty_others_is_not_executed_again(client: AsyncClient) -> None:
    payer, receiver = await funded(client), Pubkey.new_unique()
    first = await built(client, payer, [transfer_sol(payer, receiver, 1_000_000)])
    await client.send_transaction(first, BLINDLY)
    blockhash = first.message.recent_blockhash
    others = [
        MessageV0.try_compile(payer.pubkey(), [transfer_sol(payer, receiver, 1_000_001 + number)], [], blockhash)
        for number in range(60)
    ]
    await asyncio.gather(
        *(client.send_transaction(VersionedTransaction(message, [payer]), BLINDLY) for message in others)
    )
    paid = await _balance(client, receiver)
    assert paid == sum(range(1_000_000, 1_000_061))
    assert (await client.send_transaction(first, BLINDLY)).value == first.signatures[0]
    assert await _balance(client, receiver) == paid
    assert await _preflight_error(client, first) == TransactionErrorFieldless.AlreadyProcessed


async def test_a_blockhash_works_for_150_heights_and_then_never(client: AsyncClient) -> None:
    payer, receiver = await funded(client), Pubkey.new_unique()
    latest = (await client.get_latest_blockhash()).value

    def paying(lamports: int) -> VersionedTransaction:
        message = MessageV0.try_compile(payer.pubkey(), [transfer_sol(payer, receiver, lamports)], [], latest.blockhash)
        return VersionedTransaction(message, [payer])

    await until_height(client, latest.last_valid_block_height - 100, Processed)
    assert (await client.get_latest_blockhash()).value.blockhash != latest.blockhash
    await client.send_transaction(paying(1_000_000), CHECKED)
    assert await _balance(client, receiver) == 1_000_000
    await until_height(client, latest.last_valid_block_height + 1, Finalized)
    late = paying(2_000_000)
    assert await _preflight_error(client, late) == TransactionErrorFieldless.BlockhashNotFound
    await client.send_transaction(late, BLINDLY)
    assert (await client.get_signature_statuses([late.signatures[0]], True)).value == [None]
    assert await _balance(client, receiver) == 1_000_000


async def test_the_clock_and_the_slot_that_programs_see_move_on(client: AsyncClient) -> None:
    async def clock() -> tuple[int, int]:
        account = (await client.get_account_info(_CLOCK, Processed)).value
        assert account is not None
        slot, _, _, _, unix_time = struct.unpack("<QqQQq", account.data)
        return slot, unix_time

    slot, unix_time = await clock()
    assert abs(unix_time - time.time()) < 5
    await until_height(client, (await client.get_block_height(Processed)).value + 1, Processed)
    assert (await clock())[0] > slot


async def test_equal_airdrops_are_two_real_transfers_with_their_own_signatures(client: AsyncClient) -> None:
    receiver = Pubkey.new_unique()
    signatures = [(await client.request_airdrop(receiver, 10**9)).value for _ in range(2)]
    assert signatures[0] != signatures[1]
    for signature in signatures:
        await until_status(client, signature, Status.Confirmed)
    assert await _balance(client, receiver) == 2 * 10**9
    told = (await client.get_transaction(signatures[1], "json", Confirmed, 0)).value
    assert told is not None
    meta = told.transaction.meta
    assert meta is not None
    index = told.transaction.transaction.message.account_keys.index(receiver)  # type: ignore[union-attr]
    assert meta.post_balances[index] - meta.pre_balances[index] == 10**9
    assert sum(meta.pre_balances) - sum(meta.post_balances) == meta.fee == 5_000
    history = (await client.get_signatures_for_address(receiver, commitment=Confirmed)).value
    assert [row.signature for row in history] == signatures[::-1]


async def test_the_native_mint_exists_and_sol_can_be_wrapped(client: AsyncClient) -> None:
    payer = await funded(client)
    wrapped = holding_address(payer.pubkey(), WRAPPED_SOL_MINT)
    await client.send_transaction(
        await built(
            client,
            payer,
            [
                create_idempotent_associated_token_account(payer.pubkey(), payer.pubkey(), WRAPPED_SOL_MINT),
                transfer_sol(payer, wrapped, 5_000_000),
                sync_native(models.SyncNativeParams(program_id=_token_program(), account=wrapped)),
            ],
        ),
        CHECKED,
    )
    held = (await client.get_token_account_balance(wrapped, Processed)).value
    assert (held.amount, held.decimals) == ("5000000", 9)


def _token_program() -> Pubkey:
    return Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")


@pytest.mark.parametrize("preflight", [True, False])
@pytest.mark.parametrize("kind", ["no signature", "too many", "empty signature", "of something else"])
async def test_a_transaction_that_is_not_fully_signed_is_refused(
    client: AsyncClient, kind: str, preflight: bool
) -> None:
    payer, receiver = await funded(client), Pubkey.new_unique()
    signed = await built(client, payer, [transfer_sol(payer, receiver, 1_000_000)])
    broken = {
        "no signature": lambda: VersionedTransaction.populate(signed.message, []),
        "too many": lambda: VersionedTransaction.populate(signed.message, [signed.signatures[0]] * 2),
        "empty signature": lambda: VersionedTransaction(signed.message, [NullSigner(payer.pubkey())]),
        "of something else": lambda: VersionedTransaction.populate(
            signed.message, [payer.sign_message(b"something else")]
        ),
    }[kind]()
    with pytest.raises(RPCException, match="TransactionSignatureVerificationFailure"):
        await client.send_raw_transaction(bytes(broken), TxOpts(skip_preflight=not preflight))
    assert await _balance(client, receiver) == 0


async def test_a_transaction_whose_indices_point_outside_it_is_refused(client: AsyncClient) -> None:
    payer = await funded(client)
    good = await built(client, payer, [transfer_sol(payer, Pubkey.new_unique(), 1_000_000)])
    message = good.message
    outside = [CompiledInstruction(9, ix.data, ix.accounts) for ix in message.instructions]
    message = MessageV0(message.header, message.account_keys, message.recent_blockhash, outside, [])
    broken = VersionedTransaction.populate(message, [payer.sign_message(to_bytes_versioned(message))])
    for preflight in (True, False):
        with pytest.raises(RPCException, match="invalid transaction"):
            await client.send_raw_transaction(bytes(broken), TxOpts(skip_preflight=not preflight))


async def test_a_failed_transaction_lands_with_its_error_and_costs_its_fee(client: AsyncClient) -> None:
    payer, receiver = await funded(client, 10**9), Pubkey.new_unique()
    too_much = await built(client, payer, [transfer_sol(payer, receiver, 10**10)])
    error = await _preflight_error(client, too_much)
    assert "Custom(1)" in str(error)
    assert await _balance(client, payer.pubkey()) == 10**9
    await client.send_transaction(too_much, BLINDLY)
    status = await until_status(client, too_much.signatures[0], Status.Confirmed)
    assert status.err == error
    assert await _balance(client, payer.pubkey()) == 10**9 - 5_000
    told = (await client.get_transaction(too_much.signatures[0], "json", Confirmed, 0)).value
    assert told is not None
    assert told.transaction.meta is not None
    assert (told.transaction.meta.err, told.transaction.meta.fee) == (error, 5_000)
    assert any("insufficient lamports" in line for line in told.transaction.meta.log_messages or [])


async def test_a_transaction_whose_payer_cannot_pay_the_fee_leaves_no_trace(client: AsyncClient) -> None:
    stranger = Keypair()
    poor = await built(client, stranger, [transfer_sol(stranger, Pubkey.new_unique(), 1)])
    assert await _preflight_error(client, poor) == TransactionErrorFieldless.AccountNotFound
    await client.send_transaction(poor, BLINDLY)
    assert (await client.get_signature_statuses([poor.signatures[0]], True)).value == [None]


async def test_a_payment_that_leaves_an_account_below_rent_exemption_fails(client: AsyncClient) -> None:
    payer = await funded(client)
    tiny = await built(client, payer, [transfer_sol(payer, Pubkey.new_unique(), 890_879)])
    assert "InsufficientFundsForRent" in str(await _preflight_error(client, tiny))
    await client.send_transaction(
        await built(client, payer, [transfer_sol(payer, Pubkey.new_unique(), 890_880)]), CHECKED
    )


async def test_more_than_256_statuses_are_refused(client: AsyncClient) -> None:
    assert len((await client.get_signature_statuses([Signature.default()] * 256)).value) == 256
    with pytest.raises(RPCException, match="max 256"):
        await client.get_signature_statuses([Signature.default()] * 257)


async def test_an_address_lookup_table_can_be_made_filled_and_used(client: AsyncClient) -> None:
    payer, receiver = await funded(client), Pubkey.new_unique()
    recent = (await client.get_slot(Confirmed)).value
    address, bump = Pubkey.find_program_address([bytes(payer.pubkey()), struct.pack("<Q", recent)], _LOOKUP)
    table, authority = AccountMeta(address, False, True), AccountMeta(payer.pubkey(), True, True)
    system = AccountMeta(Pubkey.default(), False, False)
    create = Instruction(_LOOKUP, struct.pack("<IQB", 0, recent, bump), [table, authority, authority, system])
    extend = Instruction(_LOOKUP, struct.pack("<IQ", 2, 1) + bytes(receiver), [table, authority, authority, system])
    made = await client.send_transaction(await built(client, payer, [create, extend]), CHECKED)
    await until_status(client, made.value, Status.Confirmed)
    blockhash = (await client.get_latest_blockhash()).value.blockhash
    tables = [AddressLookupTableAccount(address, [receiver])]
    message = MessageV0.try_compile(payer.pubkey(), [transfer_sol(payer, receiver, 10**6)], tables, blockhash)
    assert receiver not in message.account_keys
    paid = await client.send_transaction(VersionedTransaction(message, [payer]), CHECKED)
    await until_status(client, paid.value, Status.Confirmed)
    told = (await client.get_transaction(paid.value, "json", Confirmed, 0)).value
    assert told is not None
    meta = told.transaction.meta
    assert meta is not None
    assert meta.loaded_addresses is not None
    assert meta.loaded_addresses.writable == [receiver]
    assert meta.post_balances[len(message.account_keys)] == 10**6
    history = (await client.get_signatures_for_address(receiver, commitment=Confirmed)).value
    assert [row.signature for row in history] == [paid.value]
