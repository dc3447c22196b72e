"""A tape of orders that practically all fill: made by trading against the curve while it is written.

The maker keeps every token's supply and every holding as the engine will have them, because orders of one token
execute in the order they were published. A third are sells, of tokens the account holds by then.
"""

import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import base58

from engine.curve import FeeSchedule, NothingReceived, PowerCurve, Terms, quote_buy, quote_sell
from engine.identifiers import AccountId, TokenAddress, order_id
from engine.trading.orders import Order, Side, body_hash
from engine.units import LAMPORTS_PER_SOL

K: Final = "1/1000000000"
TERMS: Final = Terms(PowerCurve(K, 1, 6), FeeSchedule(), 400_000_000_000, 600_000_000_000, 10_000_000)
"""The default token's terms."""

DEADLINE_MS: Final = 3_600_000
BOUND_PERCENT: Final = 95
SELLS_ONE_IN: Final = 3


@dataclass(frozen=True, slots=True)
class Market:
    """Who trades what."""

    tokens: Sequence[TokenAddress]
    accounts: Sequence[AccountId]


def invented_market(tokens: int, accounts: int, seed: int = 1) -> Market:
    """Addresses that no chain knows, the same for the same seed."""
    source = random.Random(seed)
    names = [base58.b58encode(source.randbytes(32)).decode() for _ in range(tokens + accounts)]
    return Market([TokenAddress(name) for name in names[:tokens]], [AccountId(name) for name in names[tokens:]])


@dataclass(slots=True)
class _Holdings:
    """One token as the tape left it: base units sold, and who holds how many."""

    supply: int = 0
    holders: list[AccountId] = field(default_factory=list)
    held: dict[AccountId, int] = field(default_factory=dict)


class TapeMaker:
    """Writes orders one after another; buys spend from `lowest_lamports` to `highest_lamports`, fee included."""

    def __init__(
        self,
        market: Market,
        seed: int = 2,
        lowest_lamports: int = LAMPORTS_PER_SOL // 100,
        highest_lamports: int = LAMPORTS_PER_SOL // 5,
    ) -> None:
        self._market = market
        self._source = random.Random(seed)
        self._amounts = (lowest_lamports, highest_lamports)
        self._tokens = {token: _Holdings() for token in market.tokens}

    def orders(self, count: int) -> list[Order]:
        """The next `count` orders of the tape, accepted now."""
        now_ms = time.time_ns() // 1_000_000
        return [self._next(now_ms) for _ in range(count)]

    def order_of(self, account: AccountId) -> Order:
        """An order of this account, a sell as often as it can."""
        now_ms, token = time.time_ns() // 1_000_000, self._source.choice(self._market.tokens)
        state = self._tokens[token]
        sells = account in state.held
        order = self._sell(token, state, now_ms, state.holders.index(account)) if sells else None
        return order or self._buy(token, state, now_ms, account)

    def buy(self, token: TokenAddress) -> Order:
        """A buy on this token, accepted now."""
        account = self._source.choice(self._market.accounts)
        return self._buy(token, self._tokens[token], time.time_ns() // 1_000_000, account)

    def _next(self, now_ms: int) -> Order:
        token = self._source.choice(self._market.tokens)
        state = self._tokens[token]
        sells = bool(state.holders) and self._source.randrange(SELLS_ONE_IN) == 0
        order = self._sell(token, state, now_ms, self._source.randrange(len(state.holders))) if sells else None
        return order or self._buy(token, state, now_ms, self._source.choice(self._market.accounts))

    def _buy(self, token: TokenAddress, state: _Holdings, now_ms: int, account: AccountId) -> Order:
        lamports = self._source.randint(*self._amounts)
        quote = quote_buy(TERMS, state.supply, lamports)
        if quote.graduates:
            raise ValueError("the tape would graduate a token: take more tokens or fewer orders")
        state.supply = quote.supply_after
        if account not in state.held:
            state.holders.append(account)
        state.held[account] = state.held.get(account, 0) + quote.tokens
        return self._order(account, token, Side.BUY, lamports, quote.tokens, now_ms)

    def _sell(self, token: TokenAddress, state: _Holdings, now_ms: int, index: int) -> Order | None:
        account = state.holders[index]
        tokens = state.held[account] * self._source.randint(20, 100) // 100
        try:
            quote = quote_sell(TERMS, state.supply, tokens)
        except NothingReceived:
            return None
        state.supply = quote.supply_after
        state.held[account] -= tokens
        if not state.held[account]:
            del state.held[account]
            state.holders[index] = state.holders[-1]
            state.holders.pop()
        return self._order(account, token, Side.SELL, tokens, quote.received_lamports, now_ms)

    def _order(self, account: AccountId, token: TokenAddress, side: Side, amount: int, out: int, now_ms: int) -> Order:
        client_order_id = str(uuid.UUID(int=self._source.getrandbits(128), version=4))
        bound = max(1, out * BOUND_PERCENT // 100)
        return Order(
            order_id=order_id(account, client_order_id),
            account_id=account,
            client_order_id=client_order_id,
            token=token,
            side=side,
            amount=amount,
            bound=bound,
            deadline_ms=now_ms + DEADLINE_MS,
            body_hash=body_hash(side, token, amount, bound, None),
            accepted_at_ms=now_ms,
        )
