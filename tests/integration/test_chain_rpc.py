"""The chain adapter against a localnet process: everything the engine asks of a Solana node."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

from engine.adapters.chain_rpc import RpcChain
from engine.errors import Unavailable
from engine.ports import SignatureStatus
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE, mint_size_bytes
from engine.settlement.settlement import Settlement
from engine.settlement.transactions import ComputeBudget, build
from tests.localnet import Localnet, free_port_pair, running_localnet
from tests.unit.settlement.samples import BUY, FEE_PAYER, KEYS, SELL, WALLET, launch

LIMIT_S = 20.0
SOL_10 = 10_000_000_000
NOBODY = "SysvarC1ock11111111111111111111111111111112"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    with running_localnet(tmp_path_factory.mktemp("chain") / "localnet", confirm_ms=150, finalize_ms=600) as node:
        yield node


@pytest.fixture
async def chain(node: Localnet) -> AsyncIterator[RpcChain]:
    chain = RpcChain(node.rpc_url, node.ws_url)
    yield chain
    await chain.close()


async def status_once(chain: RpcChain, signature: str, reached: str) -> SignatureStatus:
    limit = time.monotonic() + LIMIT_S
    while time.monotonic() < limit:
        (status,) = await chain.statuses([signature], search_history=True)
        if status is not None and getattr(status, reached):
            return status
        await asyncio.sleep(0.02)
    raise AssertionError(f"{signature} was not {reached} in {LIMIT_S} s")


async def transaction(chain: RpcChain, settlement: Settlement) -> tuple[str, bytes]:
    blockhash = await chain.latest_blockhash()
    message = build(settlement, str(FEE_PAYER.pubkey()), blockhash.value, ComputeBudget(120_000, 0))
    raw = to_bytes_versioned(message)
    required = message.account_keys[: message.header.num_required_signatures]
    signed = VersionedTransaction.populate(message, [KEYS[str(key)].sign_message(raw) for key in required])
    return str(signed.signatures[0]), bytes(signed)


async def test_a_token_lives_from_launch_to_sale_and_every_balance_is_read(chain: RpcChain) -> None:
    for key in (FEE_PAYER, WALLET):
        await status_once(chain, await chain.airdrop(str(key.pubkey()), SOL_10), "confirmed")
    plain = launch()
    launching = launch(mint_rent=await chain.rent_lamports(mint_size_bytes(plain.name, plain.symbol, plain.uri)))
    for settlement in (launching, BUY, SELL):
        signature, raw = await transaction(chain, settlement)
        assert await chain.send([raw]) == [None]
        status = await status_once(chain, signature, "confirmed")
        assert status.error is None
    holdings = [(BUY.wallet, BUY.token), (BUY.vault, BUY.token), (NOBODY, BUY.token)]
    balances = await chain.balances([BUY.wallet, BUY.vault, NOBODY], holdings)
    assert balances.slot >= status.slot
    rent = await chain.rent_lamports(TOKEN_ACCOUNT_SIZE)
    assert balances.lamports == {
        BUY.wallet: SOL_10 - launching.lamports - BUY.lamports - rent + SELL.lamports,
        BUY.vault: 890_880 + BUY.lamports - SELL.lamports,
        NOBODY: 0,
    }
    assert balances.tokens == {
        (BUY.wallet, BUY.token): BUY.tokens - SELL.tokens,
        (BUY.vault, BUY.token): launching.tokens - BUY.tokens + SELL.tokens,
        (NOBODY, BUY.token): 0,
    }


async def test_a_watched_signature_is_heard_of_when_it_is_confirmed(chain: RpcChain) -> None:
    heard = chain.confirmations()
    assert await asyncio.wait_for(anext(heard), LIMIT_S) == ""
    signature = await chain.airdrop(NOBODY, 1_000_000)
    await chain.watch([signature])
    assert await asyncio.wait_for(anext(heard), LIMIT_S) == signature
    (status,) = await chain.statuses([signature])
    assert status is not None
    assert status.confirmed
    await heard.aclose()


async def test_confirmations_end_when_the_socket_is_closed(chain: RpcChain) -> None:
    heard = chain.confirmations()
    assert await anext(heard) == ""
    await chain.close()
    assert [signature async for signature in heard] == []


async def test_a_failed_transaction_shows_its_error_and_changes_nothing(chain: RpcChain) -> None:
    await status_once(chain, await chain.airdrop(str(FEE_PAYER.pubkey()), SOL_10), "confirmed")
    before = (await chain.balances([str(WALLET.pubkey())], [])).lamports
    signature, raw = await transaction(chain, replace(BUY, lamports=10**15))
    assert await chain.send([raw]) == [None]
    status = await status_once(chain, signature, "finalized")
    assert status.error
    assert (await chain.balances([str(WALLET.pubkey())], [])).lamports == before


async def test_a_transaction_with_a_wrong_signature_is_refused_beside_good_ones(chain: RpcChain) -> None:
    await status_once(chain, await chain.airdrop(str(FEE_PAYER.pubkey()), SOL_10), "confirmed")
    _, good = await transaction(chain, replace(BUY, lamports=3, settlement_id="aa" * 16))
    _, bad = await transaction(chain, replace(BUY, lamports=4, settlement_id="bb" * 16))
    bad = bad[:10] + bytes([bad[10] ^ 1]) + bad[11:]
    first, second, third = await chain.send([good, bad, good])
    assert (first, third) == (None, None)
    assert second is not None
    assert "SignatureVerification" in second


async def test_unknown_signatures_have_no_status_in_any_number(chain: RpcChain) -> None:
    assert await chain.statuses(["1" * 64] * 300, search_history=True) == [None] * 300


async def test_the_history_of_an_address_tells_changes_once_and_in_order(chain: RpcChain) -> None:
    address = str(Keypair().pubkey())
    (start,) = await chain.histories([(address, None)])
    assert (start.newest, start.succeeded) == (None, ())
    signatures = []
    for lamports in (1_000_000, 2_000_000, 3_000_000):
        signatures.append(await chain.airdrop(address, lamports))
        await status_once(chain, signatures[-1], "finalized")
    (history,) = await chain.histories([(address, start.newest)])
    assert history.succeeded == tuple(signatures)
    assert history.newest == signatures[-1]
    changes = await chain.changes([(address, signature) for signature in signatures])
    assert [change.lamports for change in changes] == [1_000_000, 2_000_000, 3_000_000]
    (again,) = await chain.histories([(address, history.newest)])
    assert (again.succeeded, again.newest) == ((), history.newest)


async def test_finalized_figures_lag_behind_confirmed_ones(chain: RpcChain) -> None:
    before = (await chain.balances([NOBODY], [], finalized=True)).lamports[NOBODY]
    signature = await chain.airdrop(NOBODY, 5_000_000)
    status = await status_once(chain, signature, "confirmed")
    if not status.finalized:
        assert (await chain.balances([NOBODY], [])).lamports[NOBODY] == before + 5_000_000
    await status_once(chain, signature, "finalized")
    assert (await chain.balances([NOBODY], [], finalized=True)).lamports[NOBODY] == before + 5_000_000
    tip = await chain.finalized()
    assert 0 < tip.height <= tip.slot <= await chain.slot()


async def test_only_the_finalized_state_says_that_a_blockhash_is_used_up(chain: RpcChain) -> None:
    tip, fresh, unknown = await chain.finalized(), await chain.latest_blockhash(), str(Hash.new_unique())
    async with asyncio.timeout(10):
        await status_once(chain, await chain.airdrop(NOBODY, 1), "finalized")
    assert await chain.usable_blockhashes([fresh.value, unknown], tip.slot) == {fresh.value}


async def test_a_node_that_has_not_seen_a_slot_is_not_believed_about_it(chain: RpcChain) -> None:
    future = await chain.slot() + 1_000_000
    with pytest.raises(Unavailable):
        await chain.statuses(["1" * 64], search_history=True, since_slot=future)
    with pytest.raises(Unavailable):
        await chain.usable_blockhashes([(await chain.latest_blockhash()).value], future)


async def test_a_node_out_of_reach_is_unavailable() -> None:
    port = free_port_pair()
    chain = RpcChain(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port + 1}")
    for request in (
        chain.latest_blockhash(),
        chain.send([b"x"]),
        chain.statuses(["1" * 64]),
        chain.balances([NOBODY], []),
        chain.histories([(NOBODY, None)]),
        chain.finalized(),
        chain.usable_blockhashes([NOBODY], 0),
    ):
        with pytest.raises(Unavailable):
            await request
    assert [signature async for signature in chain.confirmations()] == []
    await chain.watch(["1" * 64])
    await chain.close()
