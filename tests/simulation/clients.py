"""Traders as the API's contract wants them: whoever does not know what became of an order asks again with its id."""

import asyncio
import random
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from engine.accounts.accounts import Account
from engine.errors import OutcomeUnknown, Refusal, Unavailable
from engine.identifiers import SOL, TokenAddress, order_id
from engine.persistence.database import DatabaseError
from engine.trading.accept import Accepted, TradeRequest, accept
from engine.trading.orders import Side
from engine.units import LAMPORTS_PER_SOL
from tests.simulation.hosts import Chaos
from tests.simulation.world import Platform

ANSWER_LIMIT_S: Final = 3.0
TRIES: Final = 60


@dataclass(slots=True)
class Ordered:
    """An order a trader sent. `accepted` once any answer was 202 or told its outcome; None if it was refused."""

    order_id: str
    accepted: bool = False


class Trader:
    """One client of one account."""

    def __init__(self, platform: Platform, account: Account, tokens: list[TokenAddress], rng: random.Random) -> None:
        self._platform, self._account, self._tokens, self._rng = platform, account, tokens, rng
        self.orders: list[Ordered] = []

    async def trade(self, count: int, chaos: Chaos) -> None:
        """Send so many orders, one after another."""
        for _ in range(count):
            await asyncio.sleep(self._rng.uniform(0.0, 1.0))
            client_id = str(UUID(int=self._rng.getrandbits(128), version=4))
            side, request = self._invented(client_id)
            ordered = Ordered(order_id(self._account.account_id, client_id))
            self.orders.append(ordered)
            ordered.accepted = await self._send(side, request)
            if ordered.accepted and chaos.chance(0.2, "request repeated"):
                await self._send(side, request)

    def _invented(self, client_id: str) -> tuple[Side, TradeRequest]:
        token = self._rng.choice(self._tokens)
        held = self._held(token)
        if held and self._rng.random() < 0.4:
            tokens = max(1, int(held * self._rng.choice((0.3, 0.5, 1.0))))
            return Side.SELL, TradeRequest(client_id, token, str(tokens), "1")
        lamports = int(self._rng.uniform(0.02, 3.0) * LAMPORTS_PER_SOL)
        bound = "1" if self._rng.random() < 0.9 else str(10**15)
        return Side.BUY, TradeRequest(client_id, token, str(lamports), bound)

    def _held(self, token: TokenAddress) -> int:
        with self._platform.disk.snapshot() as connection:
            found = connection.execute(
                text("SELECT amount FROM balances WHERE account_id = :account_id AND asset = :asset AND asset <> :sol"),
                {"account_id": self._account.account_id, "asset": token, "sol": SOL},
            ).scalar()
        return int(found or 0)

    async def _send(self, side: Side, request: TradeRequest) -> bool:
        """Ask until there is an answer; whether it was a yes."""
        for _ in range(TRIES):
            name = self._rng.choice(("eu", "na"))
            host = self._platform.hosts[name]
            asking = asyncio.create_task(self._ask(name, side, request))
            host.tasks.append(asking)  # type: ignore[arg-type]
            await asyncio.wait((asking,), timeout=ANSWER_LIMIT_S)
            if asking.done():
                answer = asking.result()
                if answer is not None:
                    return answer
            await asyncio.sleep(self._rng.uniform(0.05, 0.5))
        raise AssertionError("a trader never got an answer")

    async def _ask(self, name: str, side: Side, request: TradeRequest) -> bool | None:
        """True for accepted, False for refused, None for: ask again."""
        try:
            answer = await accept(self._platform.apis[name], self._account, side, request)
        except (Unavailable, OutcomeUnknown, DatabaseError):
            return None
        except Refusal:
            return False
        assert isinstance(answer, Accepted)
        return True
