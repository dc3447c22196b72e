"""Secrets that are planted before the start are looked for afterwards wherever the stack could have told them."""

import asyncio
import secrets
from pathlib import Path

import httpx
import pytest
import redis
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

from engine.adapters.rabbitmq.topology import Topology
from tests import rabbit
from tests.databases import postgresql
from tests.integration.test_up_stack import PRICE_OF_A_TRY, has_sol, trades, until
from tests.stack import REDIS_URL, Stack, running_stack
from tests.traders.client import TraderClient

ASKED = [
    ("GET", "/"),
    ("GET", "/nope"),
    ("GET", "/api/nope"),
    ("DELETE", "/api/buy"),
    ("POST", "/api/buy"),
    ("GET", "/api/me"),
    ("GET", "/api/tokens"),
    ("GET", "/api/tokens/nope"),
    ("GET", "/api/proof"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/health/live"),
    ("GET", "/api/health/ready"),
    ("GET", "/%00"),
    ("GET", "/.env"),
    ("GET", "/proc/self/environ"),
]


def dumped(url: str) -> str:
    """Every row of every table as text; bytes as hexadecimal digits and as they are."""
    engine = create_engine(url)
    told = []
    with engine.connect() as connection:
        for name in SQLModel.metadata.tables:
            for row in connection.execute(text(f"SELECT * FROM {name}")):
                told += [bytes(each).decode(errors="replace") if isinstance(each, bytes) else str(each) for each in row]
    engine.dispose()
    return "\n".join(told)


def cached() -> str:
    """Every key of the Redis server with its value."""
    client = redis.Redis.from_url(REDIS_URL)
    told = []
    for key in client.scan_iter(count=1_000):
        kind = client.type(key)
        told += [repr(key), repr(client.get(key)) if kind == b"string" else repr(client.dump(key))]
    client.close()
    return "\n".join(told)


async def answers(stack: Stack) -> str:
    told = []
    async with httpx.AsyncClient(base_url=stack.url, timeout=20) as client:
        for method, path in ASKED:
            for headers in ({}, {"Authorization": "Bearer nonsense", "Cookie": "sid=nonsense; __Host-sid=nonsense"}):
                answer = await client.request(method, path, headers=headers)
                told.append(f"{answer.status_code} {answer.headers} {answer.text}")
    assert len({each[:3] for each in told}) >= 4, "good answers and several kinds of bad ones"
    return "\n".join(told)


@pytest.mark.slow
async def test_planted_secrets_are_told_nowhere(tmp_path: Path) -> None:
    seed = secrets.token_hex(32)
    keys = tmp_path / "keys.seed"
    keys.touch(0o600)
    keys.write_text(seed + "\n")
    tokens = {
        name: f"canary-{secrets.token_urlsafe(40)}"
        for name in ("BLITZ_SIGNER_WEB_TOKEN", "BLITZ_SIGNER_SETTLE_TOKEN", "BLITZ_DATABASE_WALLET_PASSWORD")
    }
    canaries = [seed, *tokens.values()]
    with postgresql(migrated=False) as url, running_stack(tmp_path, url, **tokens) as stack:
        trader = TraderClient(stack.url, continent="EU")
        await trader.sign_in()
        await trader.faucet()
        await until(lambda: has_sol(trader))
        token = await trader.launch("Canary", "CNRY")
        try:
            await until(lambda: trades(trader, token))
            await trader.buy(token, PRICE_OF_A_TRY)
            await asyncio.to_thread(stack.kill, "sign")  # whatever a crash tells is told
            places = {
                "API and pages": await answers(stack),
                "database": await asyncio.to_thread(dumped, url),
                "Redis": await asyncio.to_thread(cached),
                "logs": stack.told,
            }
        finally:
            await trader.close()
            await rabbit.delete(Topology(stack.prefix), [token])
    assert all(len(told) > 100 for told in places.values())
    assert token in places["database"]
    assert [(place, each) for place, told in places.items() for each in canaries if each in told] == []
