"""docs/asyncapi.yaml says what the socket says: every kind of frame, heard from both servers, is as described there."""

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError
from websockets.asyncio.client import connect

from engine.accounts.tickets import end_tickets, issue
from engine.indicators.candles import Interval
from engine.live import Limits
from engine.live.protocol import Kind, Method
from engine.trading import events
from tests.contract.test_account_channel import ACCOUNT, deposit, fund, join, order, tell
from tests.contract.test_market_socket import TOKEN, Serve, hear, serve
from tests.market_data import address, token_values, trade_values
from tests.unit.live_parts import until

__all__ = ["serve"]  # the fixture

DOCS: Final = Path(__file__).parents[2] / "docs"
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
TOLD: Final = ("token", "trades", "candles", "board", "account", "error", "pong", "heartbeat", "reconnect")
ASKED: Final = tuple(Method)
CANDLES: Final = {"type": "candles", "token": TOKEN, "interval": "1m"}


def validate(name: str, message: Any) -> None:
    """Hold a message against its description, where every object has the keys that are required of it."""
    schema = {"$ref": f"#/components/messages/{name}/payload", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(message)


def ask(method: str, subscription: dict[str, str] | None = None, **more: Any) -> str:
    message = {"method": method} | ({} if subscription is None else {"subscription": subscription}) | more
    validate(method, message)
    return orjson.dumps(message).decode()


def operation(name: str) -> set[str]:
    return {each["$ref"].rsplit("/", 1)[1] for each in DOCUMENT["operations"][name]["messages"]}


def test_what_may_be_asked_and_what_is_told_is_all_described() -> None:
    assert operation("ask") == {*ASKED}
    assert operation("tell") == {*TOLD}
    assert {*Kind} <= {*TOLD}
    assert {*DOCUMENT["components"]["messages"]} == {*DOCUMENT["channels"]["market"]["messages"]} == {*ASKED, *TOLD}
    *_, candles = DOCUMENT["components"]["schemas"]["subscription"]["oneOf"]
    assert candles["properties"]["interval"]["enum"] == [*Interval]


def test_another_frame_than_described_is_noticed() -> None:
    good = {"channel": "pong", "data": {"at_ms": 1, "seqs": {"board": 1}}}
    validate("pong", good)
    for bad in ({"channel": "pong"}, good | {"channel": "ping"}, {"channel": "pong", "data": {"at_ms": 1}}):
        with pytest.raises(ValidationError):
            validate("pong", bad)


async def test_every_kind_of_frame_is_as_described(serve: Serve) -> None:
    heard: dict[str, list[dict[str, Any]]] = {name: [] for name in TOLD}
    async with serve(Limits(heartbeat_ms=100)) as market, connect(market.url) as client:
        for subscription in ({"type": "token", "token": TOKEN}, {"type": "trades", "token": TOKEN}, CANDLES):
            await client.send(ask("subscribe", subscription))
        await client.send(ask("subscribe", {"type": "board"}))
        fund(market)
        ticket, _ = await issue(market.services, ACCOUNT)
        await client.send(ask("subscribe", {"type": "account"}, ticket=ticket))
        await client.send(ask("ping"))
        await client.send(ask("subscribe", {"type": "trades", "token": address(99)}))

        async def listen() -> None:
            while True:
                frame = await hear(client)
                name = frame["channel"].partition(":")[0]
                validate(name, frame)
                heard[name].append(frame)

        listening = asyncio.create_task(listen())
        kinds = [*Kind]
        await until(lambda: listening.done() or all(heard[kind] for kind in [*kinds, "pong", "error"]))
        row = token_values(seq=3, price=1_003, last_trade_at_ms=60_300)
        market.bus.publish([events.trade(trade_values(TOKEN, 3), 1_002, row), events.headline(row)])
        tell(market, order("filled", 2), order("rejected", 2, number=2))
        await until(lambda: listening.done() or all(len(heard[kind]) > 1 for kind in kinds))
        await until(lambda: listening.done() or bool(heard["heartbeat"]))
        await client.send(ask("unsubscribe", CANDLES))
        draining = asyncio.create_task(market.hub.drain(0.3))
        await until(lambda: listening.done() or bool(heard["reconnect"]))
        if listening.done():
            await listening
        listening.cancel()
        await draining
    assert all(frames[0]["from_seq"] == 0 and frames[1]["from_seq"] for frames in (heard[kind] for kind in kinds))


def client_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("market_client", DOCS / "market_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_example_client_prints_each_trade_once_though_its_line_is_cut(serve: Serve) -> None:
    async with serve() as market, connect(market.url) as steady:  # so that the hub goes on following the token
        await steady.send(ask("subscribe", {"type": "trades", "token": TOKEN}))
        await hear(steady)
        (other,) = market.hub._connections
        seen = client_module().trades(market.url, TOKEN)
        assert [(await anext(seen))["seq"] for _ in range(2)] == [1, 2]
        await until(lambda: market.hub.connections == 2)
        (own,) = market.hub._connections - {other}
        own.close(1001, "cut")
        await until(lambda: market.hub.connections == 1)
        for seq in (3, 4):
            market.bus.publish([events.trade(trade_values(TOKEN, seq), 1, token_values(seq=seq))])
        heard = [(await asyncio.wait_for(anext(seen), 10))["seq"] for _ in range(2)]
        market.bus.publish([events.trade(trade_values(TOKEN, 5), 1, token_values(seq=5))])
        heard.append((await asyncio.wait_for(anext(seen), 10))["seq"])
        assert heard == [3, 4, 5]
        await seen.aclose()


async def test_the_example_client_follows_an_account_though_its_line_is_cut(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = client_module()
    async with serve() as market, connect(market.url) as steady:
        fund(market)
        await join(market, steady)
        (other,) = market.hub._connections
        loop = asyncio.get_running_loop()

        def ticket(url: str, key: str) -> str:  # what the API would answer; it has tests of its own
            assert (url, key) == (market.url, "bh_key")
            return asyncio.run_coroutine_threadsafe(issue(market.services, ACCOUNT), loop).result(5)[0]

        monkeypatch.setattr(module, "ticket", ticket)
        seen = module.account(market.url, "bh_key")
        assert (await anext(seen))["from_seq"] == 0
        tell(market, order("filled", 2))
        assert (await asyncio.wait_for(anext(seen), 10))["seq"] == 2
        (own,) = market.hub._connections - {other}
        own.close(1001, "cut")
        await until(lambda: market.hub.connections == 1)
        deposit(market, 3)
        frame = await asyncio.wait_for(anext(seen), 10)
        assert (frame["from_seq"], frame["seq"]) == (3, 3)
        await end_tickets(market.services, ACCOUNT)
        frame = await asyncio.wait_for(anext(seen), 10)
        assert (frame["from_seq"], frame["seq"]) == (0, 1)  # the database, which saw none of this
        await seen.aclose()
