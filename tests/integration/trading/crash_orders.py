"""The orders of the crash test: the same for parent and child."""

import random
from typing import Final

from engine.trading.orders import Order, Side
from tests.ledger import ONE_SOL, make_order, token

ORDERS: Final = 500


def orders_of(seed: int) -> list[Order]:
    """Buys and sells of three accounts on three tokens; some must be rejected."""
    dice = random.Random(seed)
    orders = []
    for number in range(ORDERS):
        side = Side.BUY if dice.random() < 0.7 else Side.SELL
        amount = dice.randrange(ONE_SOL // 200, ONE_SOL // 20) if side is Side.BUY else dice.randrange(1, 10**9)
        orders.append(make_order(side, amount, number=number, who=dice.randrange(3), on=token(dice.randrange(3))))
    return orders
