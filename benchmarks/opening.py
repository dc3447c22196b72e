"""A market opened the way people open one: accounts, SOL from the faucet, tokens launched on the chain, an audience."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import orjson

from benchmarks.seeding import funded_accounts, tradable_tokens, unconfirmed_settlements
from benchmarks.tape import Market
from engine.accounts import accounts
from engine.identifiers import AccountId, TokenAddress
from engine.live import Frame, Hub
from engine.persistence.database import Connection
from engine.services import Services
from engine.trading.launch import LaunchRequest, request_launch
from engine.units import LAMPORTS_PER_SOL

FUNDS_LAMPORTS: Final = 200 * LAMPORTS_PER_SOL
LIMIT_S: Final = 120
POLL_S: Final = 0.1


class Reader:
    """A market socket that takes everything at once, and counts."""

    def __init__(self) -> None:
        self.frames = 0

    async def send(self, frame: Frame) -> None:
        """Take a frame."""
        self.frames += 1

    def backlog(self) -> int:
        """Nothing waits."""
        return 0

    def close(self, code: int, reason: str) -> None:
        """The hub ends."""


async def open_market(services: Services, invented: Market) -> Market:
    """The invented accounts signed in and funded, and as many tokens launched, all confirmed on the chain.

    Raises:
        TimeoutError: the chain did not confirm it.
    """
    opened = [await accounts.get_or_create(services, account, simulated=True) for account in invented.accounts]
    for account in opened:
        await services.chain.airdrop(account.wallet, FUNDS_LAMPORTS)
    await _until(services, lambda connection: funded_accounts(connection) == len(opened))
    tokens = [await _launch(services, invented.accounts[0], number) for number in range(len(invented.tokens))]
    await _until(services, lambda connection: tradable_tokens(connection) == len(tokens))
    return Market(tokens, invented.accounts)


async def _launch(services: Services, creator: AccountId, number: int) -> TokenAddress:
    request = LaunchRequest(str(uuid.UUID(int=number, version=4)), f"Benchmark {number}", f"BENCH{number}")
    return await request_launch(services, creator, request)


def watch(hub: Hub, tokens: Sequence[TokenAddress]) -> Reader:
    """One reader of the board and of every token's figures, as far as one socket may."""
    reader = Reader()
    connection = hub.connect(reader)
    topics = [{"type": "board"}, *({"type": "token", "token": token} for token in tokens)]
    for topic in topics:
        connection.receive(orjson.dumps({"method": "subscribe", "subscription": topic}))
    return reader


async def settled_s(services: Services) -> float:
    """Wait until every movement is confirmed on the chain; the seconds it took from now.

    Raises:
        TimeoutError: something stays unconfirmed.
    """
    started_s = asyncio.get_running_loop().time()
    await _until(services, lambda connection: unconfirmed_settlements(connection) == 0)
    return asyncio.get_running_loop().time() - started_s


async def _until(services: Services, reached: Callable[[Connection], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            if await services.database.read(reached):
                return
            await asyncio.sleep(POLL_S)
