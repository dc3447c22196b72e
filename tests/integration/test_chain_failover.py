"""Two nodes as one chain: whoever answers and keeps up is asked."""

from collections.abc import AsyncIterator, Iterator

import pytest

from engine.adapters import chain_failover
from engine.adapters.chain_failover import FailoverChain
from engine.errors import Unavailable
from engine.settings import InvalidSettings, fallback_urls
from tests.integration.test_settlement import until
from tests.localnet import Localnet, free_port_pair, running_localnet

NOBODY = "1nc1nerator11111111111111111111111111111111"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    with running_localnet(tmp_path_factory.mktemp("failover") / "localnet", confirm_ms=60, finalize_ms=120) as node:
        yield node


def urls(node: Localnet) -> tuple[str, str]:
    return node.rpc_url, node.ws_url


def nobody() -> tuple[str, str]:
    port = free_port_pair()
    return f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port + 1}"


@pytest.fixture
async def chain(node: Localnet) -> AsyncIterator[FailoverChain]:
    chain = FailoverChain([nobody(), urls(node)], lag_slots=50)
    yield chain
    await chain.close()


async def test_the_next_node_answers_for_one_that_is_away(chain: FailoverChain) -> None:
    assert await chain.slot() > 0
    assert await chain.balances([NOBODY], []) is not None
    assert (await chain.finalized()).slot > 0
    assert len(await chain.send([b"no transaction"])) == 1


async def test_the_socket_moves_on_to_a_node_that_stands(chain: FailoverChain) -> None:
    assert [signature async for signature in chain.confirmations()] == []
    sockets = chain.confirmations()
    assert await anext(sockets) == ""
    await sockets.aclose()  # type: ignore[attr-defined]


async def test_no_node_at_all_is_unavailable() -> None:
    chain = FailoverChain([nobody(), nobody()], lag_slots=50)
    for question in (chain.slot(), chain.send([b"x"]), chain.statuses(["1" * 64])):
        with pytest.raises(Unavailable):
            await question
    await chain.close()


async def test_a_node_far_behind_is_not_asked_until_it_has_caught_up(
    node: Localnet, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(chain_failover, "LAG_CHECK_S", 0.05)
    with running_localnet(tmp_path_factory.mktemp("other") / "localnet", confirm_ms=60, finalize_ms=120) as behind:
        behind.set_faults(lag_percent=100, lag_blocks=100_000)
        chain = FailoverChain([urls(behind), urls(node)], lag_slots=50_000)
        alone = FailoverChain([urls(node)], lag_slots=50)
        real = await alone.slot()
        await alone.close()

        async def keeps_up() -> bool:
            return await chain.slot() >= real

        assert not await keeps_up(), "the first node is asked before anybody knows that it lags"
        await until(keeps_up)
        await chain.close()


def test_fallbacks_are_pairs_of_addresses() -> None:
    listed = "https://a.example wss://a.example, https://b.example wss://b.example"
    assert fallback_urls(listed) == [
        ("https://a.example", "wss://a.example"),
        ("https://b.example", "wss://b.example"),
    ]
    for wrong in ("https://a.example", "wss://a.example https://a.example", "a b"):
        with pytest.raises(InvalidSettings):
            fallback_urls(wrong)
