"""The published Solana libraries against our chain and our API: @solana/web3.js, @solana/spl-token, @solana/kit.

Their scripts stand in tests/clients. They are installed once per change of their lock, by the packages' own bun.
"""

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from benchmarks.opening import settled_s
from blitzhub.api import create_api
from blitzhub.embedded import run_workers
from engine.bootstrap import open_services
from scripts.prepare import build_environment
from tests.integration.api.client import ORIGIN, Browser
from tests.localnet import Localnet, running_localnet
from tests.settling import settings_for

CLIENTS = Path(__file__).parents[1] / "clients"
PAID = 123_456_789
LIMIT_S = 60


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """An environment in which `bun` runs the scripts; their packages are installed."""
    found = build_environment()
    lock = hashlib.sha256((CLIENTS / "bun.lock").read_bytes()).hexdigest()
    stamp = CLIENTS / "node_modules" / "blitzhub.stamp"
    if not stamp.exists() or stamp.read_text() != lock:
        command = ["bun", "install", "--frozen-lockfile", "--ignore-scripts"]
        done = subprocess.run(command, cwd=CLIENTS, env=found, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"the npm packages of tests/clients cannot be installed: {done.stderr.strip()[-300:]}")
        stamp.write_text(lock)
    return found


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    with running_localnet(tmp_path_factory.mktemp("clients") / "localnet", confirm_ms=150, finalize_ms=400) as node:
        yield node


async def ran(environment: dict[str, str], *command: str, given: Any = None) -> Any:
    """The JSON that a script answered with."""
    process = await asyncio.create_subprocess_exec(
        "bun", *command, cwd=CLIENTS, env=os.environ | environment, stdin=-1, stdout=-1, stderr=-1
    )
    out, error = await asyncio.wait_for(process.communicate(json.dumps(given).encode()), LIMIT_S)
    assert process.returncode == 0, error.decode()[-3_000:]
    return json.loads(out)


async def test_they_send_confirm_and_read_transactions_unmodified(node: Localnet, environment: dict[str, str]) -> None:
    told = await ran(environment, "transactions.mjs", node.rpc_url, node.ws_url)
    assert told == {
        "web3.js": {"received": PAID, "fee": 5_000, "error": None},
        "spl-token": {"supply": 1_000_000, "received": 250_000},
        "kit": {"received": PAID, "fee": 5_000, "error": None},
    }


async def test_they_read_every_balance_as_the_api_tells_it(
    node: Localnet, environment: dict[str, str], tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings_for(tmp_path, node, public_url=ORIGIN)))
        await stack.enter_async_context(run_workers(services))
        api = create_api()
        api.state.services = services
        app = Starlette(routes=[Mount("/api", api)])
        traders = [await stack.enter_async_context(Browser(app)) for _ in range(3)]
        for trader in traders:
            await trader.sign_in()
            assert (await trader.post("/api/faucet")).status_code == 202
        await asyncio.gather(*(_funded(trader) for trader in traders))
        tokens = [await _launched(traders[0], f"Client {number}") for number in range(2)]
        for number, trader in enumerate(traders):
            for token in tokens[: 1 + number % 2]:
                await _trade(
                    trader, "buy", {"token": token, "lamports": str(10**8 * (number + 1)), "min_tokens_out": "1"}
                )
        await _trade(traders[1], "sell", {"token": tokens[0], "tokens": "1000001", "min_lamports_out": "1"})
        await settled_s(services)
        api_says = [await _told(trader) for trader in traders]
        wallets = [
            {"address": wallet, "mints": [key for key in held if key != "lamports"]} for wallet, held in api_says
        ]
        for library, read in (await ran(environment, "balances.mjs", node.rpc_url, given=wallets)).items():
            assert read == dict(api_says), library
        assert sum(len(held) - 1 for _, held in api_says) == 4


async def _funded(trader: Browser) -> None:
    async with asyncio.timeout(LIMIT_S):
        while (await trader.get("/api/me/balances")).json()["lamports"] == "0":  # noqa: ASYNC110  a deposit scan
            await asyncio.sleep(0.1)


async def _launched(creator: Browser, name: str) -> str:
    body = {"client_id": str(uuid4()), "name": name, "symbol": "CLNT"}
    answer = await creator.post("/api/tokens", json=body)
    assert answer.status_code == 202, answer.text
    token: str = answer.json()["token"]
    async with asyncio.timeout(LIMIT_S):
        while (await creator.get(f"/api/tokens/{token}")).json()["stage"] != "curve":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return token


async def _trade(trader: Browser, side: str, terms: dict[str, str]) -> None:
    client_order_id = str(uuid4())
    answer = await trader.post(f"/api/{side}", json={"client_order_id": client_order_id, **terms})
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(LIMIT_S):
        while (await trader.get(f"/api/orders/{client_order_id}")).json()["state"] != "confirmed":  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def _told(trader: Browser) -> tuple[str, dict[str, str]]:
    """The trading wallet, and what the API says is on it."""
    wallet = (await trader.get("/api/me")).json()["wallet"]
    held = (await trader.get("/api/me/balances")).json()
    return wallet, {"lamports": held["lamports"]} | {each["token"]: each["amount"] for each in held["tokens"]}
