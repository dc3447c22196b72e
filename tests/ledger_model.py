"""The ledger as plain dictionaries: what every operation must do, one after another, with no SQL, batch or cache.

What one order does at one moment is `decide`'s, which has its own proofs; the books are kept here.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from engine.identifiers import SOL
from engine.trading.execution import Fill, Purse, decide
from engine.trading.orders import Order, Side
from engine.trading.prices import terms_of
from engine.units import LOCKED_LAMPORTS
from tests.ledger import RENT

NETWORK_FEE = 10_000
FIGURES = ("stage", "paused", "seq", "supply", "reserve_lamports", "creator_fees_lamports", "platform_fees_lamports")

Key = tuple[str, str]


@dataclass(slots=True)
class Withdrawal:
    """A request that was taken; `recipient` is an account of ours or None, `state` its settlement's."""

    account: str
    asset: str
    amount: int
    rent: int
    recipient: str | None
    due_ms: int
    state: str = "waiting"


@dataclass(slots=True)
class Model:
    """`balances` by (account, asset), amounts in lamports or base units; `entered` and `left` count what crossed the
    border, by asset."""

    balances: dict[Key, int] = field(default_factory=dict)
    account_seqs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    orders: dict[str, tuple[str, str | None, str]] = field(default_factory=dict)
    withdrawals: dict[str, Withdrawal] = field(default_factory=dict)
    launches: dict[str, int] = field(default_factory=dict)
    unsettled: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    entered: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    left: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def move(self, account: str, asset: str, amount: int) -> None:
        """One numbered movement of one balance; nothing is none."""
        if amount:
            self.balances[account, asset] = self.balances.get((account, asset), 0) + amount
            self.account_seqs[account] += 1

    def deposit(self, account: str, lamports: int) -> None:
        """SOL arrives."""
        self.entered[SOL] += lamports
        self.move(account, SOL, lamports)

    def free(self, account: str) -> int:
        """The SOL above the locked part; may be negative."""
        return self.balances.get((account, SOL), 0) - LOCKED_LAMPORTS

    def list_token(self, row: dict[str, Any]) -> None:
        """A token's row as it begins."""
        self.tokens[row["address"]] = dict(row)

    def execute(self, order: Order, now_ms: int) -> None:
        """One order; the first body under an id wins."""
        if order.order_id in self.orders:
            return
        token = self.tokens.get(order.token)
        held = self.balances.get((order.account_id, order.token))
        decision = decide(order, token, Purse(self.free(order.account_id), held or 0, held is not None), now_ms, RENT)
        if isinstance(decision, Fill):
            assert token is not None
            self._fill(order, token, decision, now_ms)
            self.orders[order.order_id] = ("filled", None, order.body_hash)
        else:
            self.orders[order.order_id] = ("rejected", decision.reason.value, order.body_hash)

    def _fill(self, order: Order, token: dict[str, Any], fill: Fill, now_ms: int) -> None:
        account, sign = order.account_id, 1 if order.side is Side.BUY else -1
        self.left[SOL] += fill.rent_lamports
        self.move(account, SOL, -fill.rent_lamports)
        self.balances[account, SOL] -= sign * fill.lamports
        self.balances[account, token["address"]] = (
            self.balances.get((account, token["address"]), 0) + sign * fill.tokens
        )
        self.account_seqs[account] += 1
        inflow = (token["address"], fill.tokens) if sign > 0 else (SOL, fill.lamports)
        self.unsettled[account, inflow[0]] += inflow[1]
        token["seq"] += 1
        token["supply"] += sign * fill.tokens
        token["reserve_lamports"] += sign * fill.curve_lamports
        token["creator_fees_lamports"] += fill.creator_fee_lamports
        token["platform_fees_lamports"] += fill.fee_lamports - fill.creator_fee_lamports
        token["last_trade_at_ms"] = max(now_ms, token["last_trade_at_ms"])
        if fill.graduates:
            surplus = token["reserve_lamports"] - terms_of(token).raise_lamports
            token["reserve_lamports"] -= surplus
            token["platform_fees_lamports"] += surplus
            token["stage"] = "graduating"
            token["seq"] += 1

    def launch(self, row: dict[str, Any], cost_lamports: int) -> None:
        """Its creator pays; nobody trades yet."""
        self.list_token(row)
        self.launches[row["address"]] = cost_lamports
        self.left[SOL] += cost_lamports
        self.move(row["creator"], SOL, -cost_lamports)

    def launch_failed(self, token: str) -> None:
        """Everything goes back."""
        self.tokens[token]["stage"] = "failed"
        self.left[SOL] -= self.launches[token]
        self.move(self.tokens[token]["creator"], SOL, self.launches[token])

    def claim(self, token: dict[str, Any]) -> None:
        """The creator takes the accrued fees."""
        self.move(token["creator"], SOL, token["creator_fees_lamports"])
        token["creator_fees_lamports"] = 0
        token["seq"] += 1

    def takes(self, wanted: Withdrawal) -> bool:
        """Whether the account has that much, settled, with what it costs."""
        needed = NETWORK_FEE + wanted.rent + (wanted.amount if wanted.asset == SOL else 0)
        if needed > max(0, self.free(wanted.account) - self.unsettled[wanted.account, SOL]):
            return False
        if wanted.asset == SOL:
            there = (
                self.balances[wanted.recipient, SOL] - self.unsettled[wanted.recipient, SOL] if wanted.recipient else 0
            )
            return max(0, there) + wanted.amount >= LOCKED_LAMPORTS
        held = self.balances.get((wanted.account, wanted.asset), 0)
        return wanted.amount <= held - self.unsettled[wanted.account, wanted.asset]

    def withdraw(self, name: str, wanted: Withdrawal) -> None:
        """The money leaves the ledger at once."""
        self.withdrawals[name] = wanted
        self._take(wanted, 1)

    def undo(self, name: str, state: str) -> None:
        """It comes back."""
        self.withdrawals[name].state = state
        self._take(self.withdrawals[name], -1)

    def _take(self, one: Withdrawal, sign: int) -> None:
        costs = [NETWORK_FEE, one.rent] if sign > 0 else [NETWORK_FEE + one.rent]
        for asset, amount in [(one.asset, one.amount), *((str(SOL), cost) for cost in costs)]:
            self.left[asset] += sign * amount
            self.move(one.account, asset, -sign * amount)

    def release(self, now_ms: int) -> None:
        """What is due may be sent; a recipient of ours has it from now on."""
        for one in self.withdrawals.values():
            if one.state == "waiting" and one.due_ms <= now_ms:
                one.state = "pending"
                if one.recipient:
                    self.left[one.asset] -= one.amount
                    self.move(one.recipient, one.asset, one.amount)
                    self.unsettled[one.recipient, one.asset] += one.amount

    def figures(self) -> dict[str, tuple[Any, ...]]:
        """Every token's figures, with how many hold it."""
        return {
            address: (*(row[name] for name in FIGURES), self._holders(address)) for address, row in self.tokens.items()
        }

    def _holders(self, token: str) -> int:
        return sum(amount > 0 for (_, asset), amount in self.balances.items() if asset == token)
