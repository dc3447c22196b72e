"""Localnet runs Token-2022: a mint that carries its own name is launched and traded."""

import hashlib
import struct

from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.system_program import CreateAccountParams, create_account
from solders.transaction_status import TransactionConfirmationStatus as Status
from spl.token import models
from spl.token.constants import TOKEN_2022_PROGRAM_ID as TOKEN_2022
from spl.token.instructions import (
    AuthorityType,
    create_idempotent_associated_token_account,
    get_associated_token_address,
    initialize_mint2,
    mint_to_checked,
    set_authority,
    transfer_checked,
)

from tests.contract.solana_steps import (
    CHECKED,
    built,
    funded,
    send,
    until_status,
)


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<I", len(raw)) + raw


def _interface(name: str) -> bytes:
    return hashlib.sha256(f"spl_token_metadata_interface:{name}".encode()).digest()[:8]


async def test_a_token_2022_mint_with_its_own_metadata_is_launched_in_one_transaction(
    client: AsyncClient,
) -> None:
    payer, vault, mint_key = await funded(client), Keypair(), Keypair()
    mint, owner = mint_key.pubkey(), payer.pubkey()
    name, symbol, uri = "Copper Kettle", "KETL", "https://example.org/kettle.json"
    space = 82 + 83 + 1 + 4 + 64
    full = space + 4 + 64 + len(_text(name) + _text(symbol) + _text(uri)) + 4
    rent = (await client.get_minimum_balance_for_rent_exemption(full)).value
    vault_tokens = get_associated_token_address(vault.pubkey(), mint, TOKEN_2022)
    writable = AccountMeta(mint, False, True)
    launch = [
        create_account(
            CreateAccountParams(from_pubkey=owner, to_pubkey=mint, lamports=rent, space=space, owner=TOKEN_2022)
        ),
        Instruction(TOKEN_2022, bytes([39, 0]) + bytes(32) + bytes(mint), [writable]),
        initialize_mint2(
            models.InitializeMint2Params(
                decimals=6, program_id=TOKEN_2022, mint=mint, mint_authority=owner, freeze_authority=None
            )
        ),
        Instruction(
            TOKEN_2022,
            _interface("initialize_account") + _text(name) + _text(symbol) + _text(uri),
            [
                writable,
                AccountMeta(owner, False, False),
                AccountMeta(mint, False, False),
                AccountMeta(owner, True, False),
            ],
        ),
        create_idempotent_associated_token_account(owner, vault.pubkey(), mint, TOKEN_2022),
        mint_to_checked(
            models.MintToCheckedParams(
                program_id=TOKEN_2022,
                mint=mint,
                dest=vault_tokens,
                mint_authority=owner,
                amount=600_000 * 10**6,
                decimals=6,
                signers=[],
            )
        ),
        Instruction(
            TOKEN_2022,
            _interface("update_the_authority") + bytes(32),
            [writable, AccountMeta(owner, True, False)],
        ),
        set_authority(
            models.SetAuthorityParams(
                program_id=TOKEN_2022,
                account=mint,
                authority=AuthorityType.MINT_TOKENS,
                current_authority=owner,
                signers=[],
                new_authority=None,
            )
        ),
    ]
    launched = await client.send_transaction(await built(client, payer, launch, mint_key), CHECKED)
    await until_status(client, launched.value, Status.Confirmed)
    supply = (await client.get_token_supply(mint)).value
    assert (supply.amount, supply.decimals) == ("600000000000", 6)
    parsed = (await client.get_account_info_json_parsed(mint)).value
    assert parsed is not None
    assert parsed.data.parsed["info"]["mintAuthority"] is None  # type: ignore[union-attr]
    raw = (await client.get_account_info(mint)).value
    assert raw is not None
    assert name.encode() in raw.data
    largest = (await client.get_token_largest_accounts(mint)).value
    assert [(row.address, row.amount.amount) for row in largest] == [(vault_tokens, "600000000000")]
    vault_account = (await client.get_account_info(vault_tokens)).value
    assert vault_account is not None
    assert (len(vault_account.data), vault_account.lamports) == (170, 2_074_080)

    trader = await funded(client)
    trader_tokens = get_associated_token_address(trader.pubkey(), mint, TOKEN_2022)
    buy = await send(
        client,
        trader,
        [
            create_idempotent_associated_token_account(trader.pubkey(), trader.pubkey(), mint, TOKEN_2022),
            transfer_checked(
                models.TransferCheckedParams(
                    program_id=TOKEN_2022,
                    source=vault_tokens,
                    mint=mint,
                    dest=trader_tokens,
                    owner=vault.pubkey(),
                    amount=123,
                    decimals=6,
                    signers=[],
                )
            ),
        ],
        vault,
    )
    await until_status(client, buy, Status.Confirmed)
    told = (await client.get_transaction(buy, "json", Confirmed, 0)).value
    assert told is not None
    meta = told.transaction.meta
    assert meta is not None
    before = {row.owner: row.ui_token_amount.amount for row in meta.pre_token_balances or []}
    after = {row.owner: row.ui_token_amount.amount for row in meta.post_token_balances or []}
    assert before == {vault.pubkey(): "600000000000"}
    assert after == {vault.pubkey(): "599999999877", trader.pubkey(): "123"}
    assert {(row.mint, row.program_id) for row in meta.post_token_balances or []} == {(mint, TOKEN_2022)}
    assert meta.inner_instructions  # the token account is made by a call between programs
    assert meta.compute_units_consumed
