"""A thousand orders around the limit of one curve: the market they are sent to, the orders, and what must be true."""

import asyncio
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from solders.keypair import Keypair
from sqlalchemy import text

from engine.accounts.accounts import Account, get_or_create
from engine.curve import opening_pool
from engine.identifiers import AccountId, TokenAddress, order_id
from engine.ledger.reconciliation import Reconciler
from engine.persistence.database import Database
from engine.services import Services
from engine.trading.launch import LaunchRequest, request_launch
from engine.trading.orders import Order, Side, body_hash
from engine.trading.prices import pool_of, terms_of
from tests.ledger import ONE_SOL, all_of, check
from workers import settle, trade

ORDERS: Final = 1_000
TRADERS: Final = 12
FUNDS: Final = 60 * ONE_SOL
LIMIT_S: Final = 120.0
DEADLINE_MS: Final = 3_600_000


@dataclass(slots=True)
class Crowd:
    """Funded accounts on a chain, and one token of theirs whose curve is nearly full."""

    services: Services
    accounts: list[Account]
    token: TokenAddress

    async def orders(self, seed: int) -> list[Order]:
        """Buys that together go far over the limit, sells in between, and bounds that some of both cannot meet."""
        dice, held = random.Random(seed), await self._held()
        orders = []
        for _ in range(ORDERS):
            who = dice.choice(self.accounts)
            side = Side.BUY if dice.random() < 0.7 else Side.SELL
            if side is Side.BUY:
                amount = int(ONE_SOL * dice.choice((0.011, 0.02, 0.05, dice.uniform(0.01, 0.1))))
            else:
                amount = held[who.account_id] * dice.randint(1, 4) // 1_000 + 1
            bound = dice.choice((1, 1, 1, 1, 10**12))
            orders.append(self.order(who, side, amount, bound))
        return orders

    def order(self, who: Account, side: Side, amount: int, bound: int = 1) -> Order:
        """One order as the API would have accepted it."""
        client_order_id, now_ms = str(uuid.uuid4()), self.services.clock.now_ms()
        return Order(
            order_id=order_id(who.account_id, client_order_id),
            account_id=who.account_id,
            client_order_id=client_order_id,
            token=self.token,
            side=side,
            amount=amount,
            bound=bound,
            deadline_ms=now_ms + DEADLINE_MS,
            body_hash=body_hash(side, self.token, amount, bound, None),
            accepted_at_ms=now_ms,
        )

    async def publish(self, orders: list[Order]) -> None:
        """All of them at once."""
        await asyncio.gather(*(self.services.broker.publish(order.token, order.encoded()) for order in orders))

    async def _held(self) -> dict[str, int]:
        def read(connection: Any) -> dict[str, int]:
            rows = all_of(connection, "balances")
            return {row["account_id"]: row["amount"] for row in rows if row["asset"] == self.token}

        return await self.services.database.read(read)


async def gather_crowd(services: Services, seed: int) -> Crowd:
    """Fund the accounts, launch a token of their first one, and let them buy until one sixteenth is left to raise."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(trade.run(services, stop))
        group.create_task(settle.run(services, stop))
        try:
            accounts = [await _funded(services, number) for number in range(TRADERS)]
            request = LaunchRequest(str(uuid.UUID(int=seed)), f"Crowd {seed}", "CROWD")
            token = await request_launch(services, accounts[0].account_id, request)
            await until(lambda: token_row(services.database, token)["stage"] == "curve")
            crowd = Crowd(services, accounts, token)
            await crowd.publish([crowd.order(who, Side.BUY, 19 * ONE_SOL // 3) for who in accounts])
            await until(lambda: token_row(services.database, token)["seq"] == TRADERS)
        finally:
            stop.set()
    return crowd


async def _funded(services: Services, number: int) -> Account:
    account_id = AccountId(str(Keypair.from_seed(bytes([number + 1]) * 32).pubkey()))
    account = await get_or_create(services, account_id, simulated=False)
    if _lamports(services.database, account_id) < FUNDS // 2:
        await services.chain.airdrop(account.wallet, FUNDS)
        await until(lambda: _lamports(services.database, account_id) >= FUNDS // 2)
    return account


def _lamports(database: Database, account_id: str) -> int:
    with database.snapshot() as connection:
        rows = all_of(connection, "balances")
        return sum(row["amount"] for row in rows if row["account_id"] == account_id and row["asset"] == "SOL")


def token_row(database: Database, token: str) -> dict[str, Any]:
    """The token's row."""
    with database.snapshot() as connection:
        return next(row for row in all_of(connection, "tokens") if row["address"] == token)


async def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Poll until it holds."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  other processes ring no event
            await asyncio.sleep(0.05)


def all_done(database: Database, orders: list[Order], token: str) -> bool:
    """Every order final, every settlement confirmed, the token graduated."""
    with database.snapshot() as connection:
        final = connection.execute(text("SELECT count(*) FROM orders WHERE token = :t"), {"t": token}).scalar_one()
        unsettled = connection.execute(text("SELECT count(*) FROM settlements WHERE state <> 'confirmed'"))
        return (
            final >= len(orders) + TRADERS
            and unsettled.scalar_one() == 0
            and token_row(database, token)["stage"] == "graduated"
        )


def check_graduation(database: Database, crowd: Crowd, orders: list[Order]) -> dict[str, int]:
    """What the issue asks for, to the lamport and the base unit; returns figures worth printing."""
    check(database)
    row = token_row(database, crowd.token)
    terms = terms_of(row)
    with database.snapshot() as connection:
        decided, trades, settlements = (
            [each for each in all_of(connection, name) if each["token"] == crowd.token]
            for name in ("orders", "trades", "settlements")
        )
    trades.sort(key=lambda trade: trade["seq"])
    [mark] = [each for each in settlements if each["kind"] == "graduation"]
    curve = [trade for trade in trades if trade["seq"] < mark["seq"]]
    pool = [trade for trade in trades if trade["seq"] > mark["seq"]]

    assert curve[-1]["supply"] == row["curve_supply"], "the curve is filled exactly to the base unit"
    assert all(trade["supply"] < row["curve_supply"] for trade in curve[:-1])
    assert mark["seq"] == curve[-1]["seq"] + 1
    assert (mark["lamports"], mark["tokens"]) == (terms.raise_lamports, terms.pool_tokens) == (80 * ONE_SOL, 2 * 10**11)
    assert opening_pool(terms).price == curve[-1]["price"], "the pool opens at the curve's last price"
    assert [trade["seq"] for trade in trades] == [n for n in range(1, row["seq"] + 1) if n != mark["seq"]]
    assert pool_of(row).invariant >= opening_pool(terms).invariant

    states = {each["order_id"]: each["state"] for each in decided}
    assert len(decided) == len(states)
    assert {order.order_id for order in orders} <= states.keys()
    assert set(states.values()) == {"filled", "rejected"}
    reasons = {each["reason"] for each in decided} - {None}
    assert "slippage" in reasons
    assert reasons <= {"slippage", "funds", "below_minimum"}
    assert len(pool) > 100, "the pool traded"
    assert len(curve) > TRADERS + 10, "and the curve before it"
    return {"curve": len(curve), "pool": len(pool), "rejected": len(decided) - len(trades)}


async def check_chain(services: Services) -> None:
    """On the chain everything is as the ledger says, the vault above all."""
    checked = await Reconciler(services).check()
    assert checked.findings == []
    assert checked.look.lines
    assert all(line.ledger == line.chain for line in checked.look.lines if not line.in_flight)
