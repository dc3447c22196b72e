"""The faults a localnet can be told to have, as a client meets them."""

import asyncio
import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from engine.localnet.faults import FaultsRefused, parse_faults
from tests.localnet import Localnet, running_localnet

LAMPORTS = 1_000_000_000


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    directory = tmp_path_factory.mktemp("faults") / "localnet"
    with running_localnet(directory, confirm_ms=60, finalize_ms=120, slot_ms=20, blockhash_blocks=25) as node:
        yield node


@pytest.fixture
def node(shared: Localnet) -> Iterator[Localnet]:
    yield shared
    shared.set_faults()


def ask(node: Localnet, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(node.rpc_url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["result"]


def funded(node: Localnet) -> Keypair:
    payer = Keypair()
    ask(node, "requestAirdrop", str(payer.pubkey()), LAMPORTS)
    return payer


def blockhash(node: Localnet) -> dict[str, Any]:
    value: dict[str, Any] = ask(node, "getLatestBlockhash")["value"]
    return value


def send(node: Localnet, payer: Keypair, recent: str) -> str:
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=Pubkey.new_unique(), lamports=LAMPORTS // 2))
    message = MessageV0.try_compile(payer.pubkey(), [pay], [], Hash.from_string(recent))
    raw = bytes(VersionedTransaction(message, [payer]))

    encoded = base64.b64encode(raw).decode()
    signature: str = ask(node, "sendTransaction", encoded, {"encoding": "base64", "skipPreflight": True})
    return signature


def landed(node: Localnet, signature: str) -> bool:
    options = {"searchTransactionHistory": True}
    return ask(node, "getSignatureStatuses", [signature], options)["value"][0] is not None


def test_a_dropped_transaction_is_taken_and_never_lands(node: Localnet) -> None:
    payer = funded(node)
    node.set_faults(drop_percent=100)
    signature = send(node, payer, blockhash(node)["blockhash"])
    time.sleep(0.3)
    assert not landed(node, signature)


def test_a_delayed_transaction_lands_late_unless_its_blockhash_expires_first(node: Localnet) -> None:
    first, second = funded(node), funded(node)
    node.set_faults(delay_percent=100, delay_ms=200)
    late = send(node, first, blockhash(node)["blockhash"])
    assert not landed(node, late)
    node.set_faults(delay_percent=100, delay_ms=1_000)
    too_late = send(node, second, blockhash(node)["blockhash"])
    time.sleep(0.4)
    assert landed(node, late)
    time.sleep(1)
    assert not landed(node, too_late)


def test_a_lagging_node_tells_a_height_and_a_blockhashs_end_that_are_too_low(node: Localnet) -> None:
    height, last_valid = ask(node, "getBlockHeight"), blockhash(node)["lastValidBlockHeight"]
    slot = ask(node, "getSlot")
    node.set_faults(lag_percent=100, lag_blocks=500)
    assert ask(node, "getBlockHeight") < height
    assert ask(node, "getSlot") < slot
    assert blockhash(node)["lastValidBlockHeight"] < last_valid


def test_a_blockhash_expires_after_the_blocks_the_node_was_told(node: Localnet) -> None:
    recent = blockhash(node)
    assert recent["lastValidBlockHeight"] <= ask(node, "getBlockHeight", {"commitment": "processed"}) + 25
    assert ask(node, "isBlockhashValid", recent["blockhash"], {"commitment": "processed"})["value"]
    while ask(node, "getBlockHeight") <= recent["lastValidBlockHeight"]:
        time.sleep(0.05)
    assert not ask(node, "isBlockhashValid", recent["blockhash"], {"commitment": "finalized"})["value"]
    assert not landed(node, send(node, funded(node), recent["blockhash"]))


def test_a_refusing_node_answers_429_and_503(node: Localnet) -> None:
    node.set_faults(refuse_percent=60)
    seen = set()
    for _ in range(60):
        try:
            ask(node, "getSlot")
            seen.add(200)
        except urllib.error.HTTPError as error:
            seen.add(error.code)
    assert seen == {200, 429, 503}


async def test_the_socket_is_cut_as_often_as_told(node: Localnet) -> None:
    async with connect(node.ws_url) as socket:
        await asyncio.to_thread(node.set_faults, cut_ms=100)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)


def test_the_command_line_takes_faults_and_refuses_what_is_none(tmp_path: Path) -> None:
    assert parse_faults("drop_percent=20, cut_ms=3000").cut_ms == 3_000
    for wrong in ("drop=20", "drop_percent=101", "drop_percent=-1", "drop_percent", "cut_ms=x"):
        with pytest.raises(FaultsRefused):
            parse_faults(wrong)
