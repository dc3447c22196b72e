"""Small steps on a chain that the contract tests take through solana-py."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import httpx
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Commitment, Confirmed
from solana.rpc.models import TxOpts
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus, TransactionStatus
from spl.token import models
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
    initialize_mint2,
    mint_to_checked,
    transfer_checked,
)

LIMIT_S: Final = 10.0
BLINDLY: Final = TxOpts(skip_preflight=True)
CHECKED: Final = TxOpts(skip_preflight=False, preflight_commitment=Confirmed)


async def ask(url: str, method: str, *params: Any) -> dict[str, Any]:
    """One JSON-RPC request without any client library; the whole answer."""
    async with httpx.AsyncClient(verify=False) as http:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
        answer = (await http.post(url, json=body)).json()
    assert answer["jsonrpc"] == "2.0"
    assert answer["id"] == 7
    return dict(answer)


async def built(
    client: AsyncClient, payer: Keypair, instructions: Sequence[Instruction], *signers: Keypair
) -> VersionedTransaction:
    """A signed transaction with the newest block hash."""
    blockhash = (await client.get_latest_blockhash()).value.blockhash
    message = MessageV0.try_compile(payer.pubkey(), instructions, [], blockhash)
    return VersionedTransaction(message, [payer, *signers])


async def send(
    client: AsyncClient, payer: Keypair, instructions: Sequence[Instruction], *signers: Keypair
) -> Signature:
    """Build and send without preflight."""
    return (await client.send_transaction(await built(client, payer, instructions, *signers), BLINDLY)).value


async def until_status(
    client: AsyncClient, signature: Signature, wanted: TransactionConfirmationStatus
) -> TransactionStatus:
    """Poll until the transaction has reached the status."""
    begun = time.monotonic()
    while time.monotonic() - begun < LIMIT_S:
        status = (await client.get_signature_statuses([signature])).value[0]
        if status is not None and int(status.confirmation_status) >= int(wanted):
            return status
        await asyncio.sleep(0.005)
    raise TimeoutError(f"{signature} did not reach {wanted}")


async def until_height(client: AsyncClient, height: int, commitment: Commitment) -> None:
    """Poll until the chain's height at the commitment is at least this."""
    begun = time.monotonic()
    while time.monotonic() - begun < LIMIT_S:
        if (await client.get_block_height(commitment)).value >= height:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(f"the chain did not reach height {height}")


async def funded(client: AsyncClient, lamports: int = 10**10) -> Keypair:
    """A new wallet with a confirmed airdrop."""
    wallet = Keypair()
    signature = (await client.request_airdrop(wallet.pubkey(), lamports)).value
    await until_status(client, signature, TransactionConfirmationStatus.Confirmed)
    return wallet


def transfer_sol(payer: Keypair, receiver: Pubkey, lamports: int) -> Instruction:
    """A transfer of SOL."""
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=receiver, lamports=lamports))


def holding_address(owner: Pubkey, mint: Pubkey) -> Pubkey:
    """The owner's associated token account."""
    return get_associated_token_address(owner, mint)


def token_transfer(owner: Keypair, mint: Pubkey, receiver: Pubkey, amount: int) -> list[Instruction]:
    """Make the receiver's token account if it is missing, and pay into it."""
    return [
        create_idempotent_associated_token_account(owner.pubkey(), receiver, mint),
        transfer_checked(
            models.TransferCheckedParams(
                program_id=TOKEN_PROGRAM_ID,
                source=holding_address(owner.pubkey(), mint),
                mint=mint,
                dest=holding_address(receiver, mint),
                owner=owner.pubkey(),
                amount=amount,
                decimals=6,
                signers=[],
            )
        ),
    ]


async def create_mint(client: AsyncClient, owner: Keypair, supply: int) -> Pubkey:
    """A confirmed mint, as `send_mint` makes it."""
    mint, signature = await send_mint(client, owner, supply)
    await until_status(client, signature, TransactionConfirmationStatus.Confirmed)
    return mint


async def send_mint(client: AsyncClient, owner: Keypair, supply: int) -> tuple[Pubkey, Signature]:
    """Send a mint of the plain token program with six decimals, its whole supply with the owner."""
    mint, payer = Keypair(), owner.pubkey()
    rent = (await client.get_minimum_balance_for_rent_exemption(82)).value
    instructions = [
        create_account(
            CreateAccountParams(
                from_pubkey=payer, to_pubkey=mint.pubkey(), lamports=rent, space=82, owner=TOKEN_PROGRAM_ID
            )
        ),
        initialize_mint2(
            models.InitializeMint2Params(
                decimals=6, program_id=TOKEN_PROGRAM_ID, mint=mint.pubkey(), mint_authority=payer
            )
        ),
        create_idempotent_associated_token_account(payer, payer, mint.pubkey()),
        mint_to_checked(
            models.MintToCheckedParams(
                program_id=TOKEN_PROGRAM_ID,
                mint=mint.pubkey(),
                dest=holding_address(payer, mint.pubkey()),
                mint_authority=payer,
                amount=supply,
                decimals=6,
                signers=[],
            )
        ),
    ]
    return mint.pubkey(), await send(client, owner, instructions, mint)
