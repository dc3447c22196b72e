"""Localnet forgets nothing: killed at any moment, it comes back with all it ever called confirmed."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.models import TokenAccountOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
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
    token_transfer,
    transfer_sol,
    until_status,
)
from tests.localnet import Localnet, free_port_pair, running_localnet


async def _numbered(client: AsyncClient, payer: Keypair, receiver: Pubkey, first: int, count: int) -> list[Signature]:
    """Send `count` transfers of 1,000,000 lamports plus their number without waiting for anything."""
    sent = []
    for number in range(first, first + count):
        if number % 20 == 0:
            blockhash = (await client.get_latest_blockhash()).value.blockhash
        message = MessageV0.try_compile(
            payer.pubkey(), [transfer_sol(payer, receiver, 1_000_000 + number)], [], blockhash
        )
        transaction = VersionedTransaction(message, [payer])
        sent.append((await client.send_transaction(transaction, BLINDLY)).value)
    return sent


async def test_what_was_confirmed_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    with running_localnet(tmp_path, confirm_ms=60, finalize_ms=300, slot_ms=20) as node:
        receiver, payer = Keypair().pubkey(), Keypair()
        confirmed: dict[Signature, int] = {}
        sent: list[Signature] = []
        for round_number in range(3):
            async with AsyncClient(node.rpc_url, commitment=Confirmed) as client:
                if round_number == 0:
                    payer = await funded(client)
                sent += await _numbered(client, payer, receiver, round_number * 100, 100)
                before_last = sent[-40]
                await until_status(client, before_last, Status.Confirmed)
                statuses = (await client.get_signature_statuses(sent[-100:])).value
                balance = await client.get_balance(receiver, Confirmed)
                height = (await client.get_block_height(Confirmed)).value
            for signature, status in zip(sent[-100:], statuses, strict=True):
                if status is not None and int(status.confirmation_status) >= 1:
                    confirmed[signature] = status.slot
            node.restart()
            async with AsyncClient(node.rpc_url, commitment=Confirmed) as client:
                found = (await client.get_signature_statuses(list(confirmed)[-256:], True)).value
                assert [status and status.slot for status in found] == list(confirmed.values())[-256:]
                assert (await client.get_block_height(Finalized)).value >= height
                now = await client.get_balance(receiver, Confirmed)
                assert now.value >= balance.value
                assert now.context.slot >= balance.context.slot
        assert len(confirmed) >= 3 * 60
        async with AsyncClient(node.rpc_url, commitment=Confirmed) as client:
            await _paid_is_what_landed(client, receiver, sent)


async def _paid_is_what_landed(client: AsyncClient, receiver: Pubkey, sent: list[Signature]) -> None:
    """Balance, statuses and history tell the same story: nothing lost, nothing twice."""
    landed = []
    for start in range(0, len(sent), 256):
        part = sent[start : start + 256]
        statuses = (await client.get_signature_statuses(part, True)).value
        landed += [one for one, status in zip(part, statuses, strict=True) if status is not None]
    numbers = {signature: number for number, signature in enumerate(sent)}
    paid = sum(1_000_000 + numbers[signature] for signature in landed)
    assert (await client.get_balance(receiver, Finalized)).value == paid
    history = (await client.get_signatures_for_address(receiver, commitment=Finalized)).value
    assert [row.signature for row in history] == landed[::-1]


async def test_a_transaction_is_a_duplicate_even_after_a_restart(tmp_path: Path) -> None:
    with running_localnet(tmp_path, confirm_ms=60, finalize_ms=200, slot_ms=20) as node:
        receiver = Keypair().pubkey()
        async with AsyncClient(node.rpc_url, commitment=Confirmed) as client:
            payer = await funded(client)
            transaction = await built(client, payer, [transfer_sol(payer, receiver, 1_000_000)])
            await client.send_transaction(transaction, BLINDLY)
            await until_status(client, transaction.signatures[0], Status.Confirmed)
        node.restart()
        async with AsyncClient(node.rpc_url, commitment=Confirmed) as client:
            blockhash = str(transaction.message.recent_blockhash)
            assert (await ask(node.rpc_url, "isBlockhashValid", blockhash))["result"]["value"] is True
            await client.send_transaction(transaction, BLINDLY)
            assert (await client.get_balance(receiver, Processed)).value == 1_000_000


async def _hashes(node: Localnet, up_to_height: int) -> dict[int, str]:
    """The block hashes a client is given until the chain has reached the height."""
    seen: dict[int, str] = {}
    async with AsyncClient(node.rpc_url) as client:
        while max(seen, default=0) < up_to_height:
            latest = (await client.get_latest_blockhash()).value
            seen[latest.last_valid_block_height - 150] = str(latest.blockhash)
    return seen


async def test_blockhashes_go_on_over_a_restart_and_differ_between_chains(tmp_path: Path) -> None:
    with running_localnet(tmp_path / "one", confirm_ms=20, finalize_ms=40, slot_ms=20) as one:
        before = await _hashes(one, 40)
        one.restart()
        after = await _hashes(one, 60)
    assert min(after) > max(before) - 5  # what was not stored yet is told again
    assert all(after[height] == before[height] for height in after.keys() & before.keys())
    first = before | after
    assert len(set(first.values())) == len(first)
    with running_localnet(tmp_path / "two", confirm_ms=20, finalize_ms=40, slot_ms=20) as two:
        second = await _hashes(two, 60)
    assert first.keys() & second.keys()
    assert not set(first.values()) & set(second.values())


async def test_accounts_tokens_and_history_are_whole_after_a_clean_stop(tmp_path: Path) -> None:
    with running_localnet(tmp_path, confirm_ms=60, finalize_ms=200, slot_ms=20) as node:
        other = Keypair().pubkey()
        async with AsyncClient(node.rpc_url, commitment=Confirmed) as client:
            payer = await funded(client)
            mint = await create_mint(client, payer, supply=1_000)
            last = await send(client, payer, token_transfer(payer, mint, other, 250))
        async with SolanaWsClient(node.ws_url) as socket:  # an open socket does not hold up the stop
            await socket.slot_subscribe()
            assert await asyncio.wait_for(asyncio.to_thread(node.stop), 8) == 0
        ready = await asyncio.to_thread(node.start)
        assert ready.startswith(
            f"localnet ready on http://127.0.0.1:{node.port} (ws {node.port} and {node.port + 1}), slot "
        )
        async with AsyncClient(node.rpc_url, commitment=Finalized) as client:
            assert (await client.get_token_account_balance(holding_address(other, mint))).value.amount == "250"
            held = await client.get_token_accounts_by_owner(other, TokenAccountOpts(program_id=TOKEN_PROGRAM_ID))
            assert [row.pubkey for row in held.value] == [holding_address(other, mint)]
            largest = (await client.get_token_largest_accounts(mint)).value
            assert [row.amount.amount for row in largest] == ["750", "250"]
            told = (await client.get_transaction(last, "json", Finalized, 0)).value
            assert told is not None
            history = (await client.get_signatures_for_address(payer.pubkey())).value
            assert len(history) == 3
            assert history[0].signature == last
            await funded(client)  # the faucet still has its key and its money


def test_two_nodes_never_share_a_data_directory(localnet: Localnet) -> None:
    second = subprocess.run(localnet.command(free_port_pair()), capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "another localnet runs on the data directory" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_a_clear_error(localnet: Localnet, tmp_path: Path) -> None:
    second = subprocess.run(
        Localnet(tmp_path).command(localnet.port), capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode == 1
    assert f"cannot serve on ports {localnet.port} and {localnet.port + 1}" in second.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "services: check, localnet"),
        (["nonsense"], "services: check, localnet"),
        (["localnet"], "--port, --data"),
        (["localnet", "--port", "65535", "--data", "x"], "--port must be between"),
        (["localnet", "--port", "1", "--data", "x", "--confirm-ms", "900", "--finalize-ms", "1"], "--confirm-ms"),
        (["localnet", "--port", "1", "--data", "x", "--slot-ms", "0"], "--slot-ms"),
    ],
)
def test_a_wrong_command_line_says_what_would_be_right(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from workers.__main__ import main

    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 2
    assert hint in capsys.readouterr().err
