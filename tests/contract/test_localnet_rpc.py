"""Localnet's JSON-RPC as clients and browsers speak it: errors, batches, CORS, lookups, simulation and fees."""

import base64
import socket
from typing import Any

import httpx
import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Processed
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus as Status

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
from tests.localnet import Localnet

ADDRESS = str(Pubkey.new_unique())


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("getNothing", [], -32601),
        ("signatureSubscribe", [], -32601),
        ("getBalance", [], -32602),
        ("getBalance", ["not-an-address"], -32602),
        ("getBalance", [7], -32602),
        ("getBalance", [ADDRESS, {"commitment": "certain"}], -32602),
        ("getBalance", [ADDRESS, 7], -32602),
        ("getBalance", [ADDRESS, {"minContextSlot": -1}], -32602),
        ("getBalance", [ADDRESS, {"minContextSlot": 2**63}], -32016),
        ("getMultipleAccounts", [[ADDRESS] * 101], -32602),
        ("getMultipleAccounts", [ADDRESS], -32602),
        ("getAccountInfo", ["11111111111111111111111111111111", {"encoding": "base99"}], -32602),
        ("getTokenAccountBalance", [ADDRESS], -32602),
        ("getTokenSupply", ["11111111111111111111111111111111"], -32602),
        ("getTokenLargestAccounts", [ADDRESS], -32602),
        ("getTokenAccountsByOwner", [ADDRESS, {}], -32602),
        ("getTokenAccountsByOwner", [ADDRESS, {"mint": ADDRESS, "programId": ADDRESS}], -32602),
        ("getMinimumBalanceForRentExemption", [True], -32602),
        ("getMinimumBalanceForRentExemption", [2**63], -32602),
        ("getSignatureStatuses", [["short"]], -32602),
        ("getSignatureStatuses", [["1" * 64] * 257], -32602),
        ("getTransaction", ["1" * 64, {"commitment": "processed"}], -32602),
        ("getSignaturesForAddress", [ADDRESS, {"limit": 1001}], -32602),
        ("getSignaturesForAddress", [ADDRESS, {"limit": 0}], -32602),
        ("requestAirdrop", [ADDRESS, 2**64], -32602),
        ("requestAirdrop", [ADDRESS, 1.5], -32602),
        ("requestAirdrop", [ADDRESS, 1], -32002),
        ("requestAirdrop", [ADDRESS, 2**63], -32002),
        ("sendTransaction", ["0OIl"], -32602),
        ("sendTransaction", ["AAAA", {"encoding": "base64"}], -32602),
        ("sendTransaction", ["!!!", {"encoding": "base64"}], -32602),
        ("sendTransaction", [base64.b64encode(bytes(1233)).decode(), {"encoding": "base64"}], -32602),
        ("getFeeForMessage", ["AAAA"], -32602),
        ("isBlockhashValid", ["x"], -32602),
    ],
)
async def test_a_request_that_cannot_be_answered_gets_its_code(
    localnet: Localnet, method: str, params: list[Any], code: int
) -> None:
    answer = await ask(localnet.rpc_url, method, *params)
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]
    assert "result" not in answer


@pytest.mark.parametrize(
    ("body", "code"), [("{", -32700), ("7", -32600), ("[]", -32600), ('{"id":1}', -32600), ("[1]", -32600)]
)
async def test_a_body_that_is_no_request_is_an_answer_not_a_crash(localnet: Localnet, body: str, code: int) -> None:
    async with httpx.AsyncClient(verify=False) as http:
        response = await http.post(localnet.rpc_url, content=body)
    assert response.status_code == 200
    answer = response.json()
    assert (answer[0] if isinstance(answer, list) else answer)["error"]["code"] == code


async def test_a_batch_is_answered_in_order_with_its_errors_in_place(localnet: Localnet) -> None:
    requests = [
        {"jsonrpc": "2.0", "id": "a", "method": "getHealth"},
        {"jsonrpc": "2.0", "id": "b", "method": "getNothing"},
        {"jsonrpc": "2.0", "id": "c", "method": "getSlot", "params": [{"commitment": "processed"}]},
    ]
    async with httpx.AsyncClient(verify=False) as http:
        answers = (await http.post(localnet.rpc_url, json=requests)).json()
    assert [answer["id"] for answer in answers] == ["a", "b", "c"]
    assert answers[0]["result"] == "ok"
    assert answers[1]["error"]["code"] == -32601
    assert answers[2]["result"] > 0


async def test_a_browser_of_any_origin_may_ask(localnet: Localnet) -> None:
    async with httpx.AsyncClient(verify=False) as http:
        preflight = await http.options(
            localnet.rpc_url,
            headers={"Origin": "http://example.org", "Access-Control-Request-Headers": "content-type,solana-client"},
        )
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert preflight.headers["access-control-allow-headers"]
        body = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
        for port in (localnet.port, localnet.port + 1):
            answer = await http.post(f"http://127.0.0.1:{port}", json=body)
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.json()["result"] == "ok"


def test_only_this_machine_is_served(localnet: Localnet) -> None:
    for port in (localnet.port, localnet.port + 1):
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=5):
            pass


async def test_history_pages_backwards_between_two_signatures(client: AsyncClient) -> None:
    payer, receiver = await funded(client), Pubkey.new_unique()
    sent = [await send(client, payer, [transfer_sol(payer, receiver, 10**6 + i)]) for i in range(6)]
    await until_status(client, sent[-1], Status.Confirmed)
    newest_first = sent[::-1]

    async def page(**limits: Any) -> list[Any]:
        rows = (await client.get_signatures_for_address(receiver, commitment=Confirmed, **limits)).value
        return [row.signature for row in rows]

    assert await page() == newest_first
    assert await page(limit=2) == newest_first[:2]
    assert await page(before=newest_first[1], limit=2) == newest_first[2:4]
    assert await page(until=newest_first[3]) == newest_first[:3]
    assert await page(before=newest_first[0], until=newest_first[4]) == newest_first[1:4]


@pytest.mark.parametrize("encoding", ["json", "jsonParsed", "base64", "base58"])
async def test_a_transaction_reads_the_same_in_every_encoding(
    localnet: Localnet, client: AsyncClient, encoding: str
) -> None:
    payer, other = await funded(client), Keypair().pubkey()
    mint = await create_mint(client, payer, supply=1_000)
    signature = await send(client, payer, token_transfer(payer, mint, other, 250))
    await until_status(client, signature, Status.Confirmed)
    told = (await client.get_transaction(signature, encoding, Confirmed, 0)).value
    assert told is not None
    assert told.transaction.version == 0
    assert told.block_time is not None
    meta = told.transaction.meta
    assert meta is not None
    balances = {row.owner: row.ui_token_amount.amount for row in meta.post_token_balances or []}
    assert balances == {payer.pubkey(): "750", other: "250"}
    shown = told.transaction.transaction
    if isinstance(shown, VersionedTransaction):
        assert shown.signatures[0] == signature
    else:
        assert shown.signatures[0] == signature  # type: ignore[union-attr]
    unversioned = await ask(
        localnet.rpc_url, "getTransaction", str(signature), {"commitment": "confirmed", "encoding": encoding}
    )
    assert unversioned["error"]["code"] == -32015


async def test_simulation_tells_the_outcome_and_changes_nothing(client: AsyncClient) -> None:
    payer, receiver = await funded(client), Pubkey.new_unique()
    transaction = await built(client, payer, [transfer_sol(payer, receiver, 1_000_000)])
    simulated = (await client.simulate_transaction(transaction, sig_verify=True)).value
    assert simulated.err is None
    assert simulated.units_consumed == 150
    failing = await built(client, payer, [transfer_sol(payer, receiver, 10**12)])
    failed = (await client.simulate_transaction(failing)).value
    assert failed.err is not None
    assert any("insufficient lamports" in line for line in failed.logs or [])
    assert (await client.get_balance(receiver, Processed)).value == 0
    assert (await client.get_signature_statuses([transaction.signatures[0]], True)).value == [None]


async def test_the_fee_that_is_announced_is_the_fee_that_is_paid(client: AsyncClient) -> None:
    payer = await funded(client)
    instructions = [
        set_compute_unit_limit(80_000),
        set_compute_unit_price(1_000_000),
        transfer_sol(payer, Pubkey.new_unique(), 1_000_000),
    ]
    transaction = await built(client, payer, instructions)
    announced = (await client.get_fee_for_message(transaction.message)).value
    assert announced == 5_000 + 80_000
    await client.send_transaction(transaction, BLINDLY)
    await until_status(client, transaction.signatures[0], Status.Confirmed)
    told = (await client.get_transaction(transaction.signatures[0], "json", Confirmed, 0)).value
    assert told is not None
    assert told.transaction.meta is not None
    assert told.transaction.meta.fee == announced
    assert (await client.get_balance(payer.pubkey(), Processed)).value == 10**10 - 1_000_000 - announced


async def test_accounts_are_told_whole_or_in_part(localnet: Localnet, client: AsyncClient) -> None:
    payer = await funded(client)
    mint = await create_mint(client, payer, supply=1_000)
    account = str(holding_address(payer.pubkey(), mint))

    async def data(**options: Any) -> Any:
        answer = await ask(localnet.rpc_url, "getAccountInfo", account, {"commitment": "confirmed", **options})
        return answer["result"]["value"]["data"]

    whole = base64.b64decode((await data(encoding="base64"))[0])
    assert len(whole) == 165
    part = await data(encoding="base64", dataSlice={"offset": 64, "length": 8})
    assert int.from_bytes(base64.b64decode(part[0]), "little") == 1_000
    parsed = await data(encoding="jsonParsed")
    assert parsed["parsed"]["info"]["tokenAmount"]["uiAmountString"] == "0.001"
    assert parsed["program"] == "spl-token"
    too_long = await ask(localnet.rpc_url, "getAccountInfo", account, {"commitment": "confirmed", "encoding": "base58"})
    assert too_long["error"]["code"] == -32600


async def test_the_cluster_describes_itself(client: AsyncClient) -> None:
    assert await client.is_connected()
    assert (await client.get_version()).value.solana_core
    epoch = (await client.get_epoch_info(Processed)).value
    assert epoch.slot_index == epoch.absolute_slot % epoch.slots_in_epoch
    assert epoch.block_height < epoch.absolute_slot
    assert (await client.get_minimum_balance_for_rent_exemption(0)).value == 890_880
    assert (await client.get_minimum_balance_for_rent_exemption(170)).value == 2_074_080
    assert (await client.get_recent_prioritization_fees()).value[0].prioritization_fee == 0
    assert (await client.get_genesis_hash()).value
    latest = (await client.get_latest_blockhash()).value
    transfer = await built(client, Keypair(), [])
    assert to_bytes_versioned(transfer.message)
    assert latest.last_valid_block_height > 150
