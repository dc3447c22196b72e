"""Rebuilds balances and tokens from the immutable rows alone: trades and transfers, in order of their numbers.

Graduations and claims take a number of their token too: their settlement's, whose figures never change.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.identifiers import SOL

Row = Mapping[str, Any]


@dataclass(slots=True)
class TokenState:
    """What a token's trades leave behind."""

    seq: int = 0
    supply: int = 0
    reserve_lamports: int = 0
    creator_fees_lamports: int = 0
    platform_fees_lamports: int = 0
    price: int = 0
    last_trade_at_ms: int = 0


@dataclass(slots=True)
class Ledger:
    """Balances by (account, asset), each account's last number, and tokens by address."""

    balances: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    account_seqs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tokens: dict[str, TokenState] = field(default_factory=lambda: defaultdict(TokenState))


def replayed(trades: Sequence[Row], transfers: Sequence[Row], settlements: Sequence[Row] = ()) -> Ledger:
    """The ledger that these rows describe.

    Raises:
        AssertionError: a number is missing or double, a balance was ever negative, or a trade's own figures are not
            what the trades before it led to.
    """
    ledger = Ledger()
    booked = [*trades, *(row for row in transfers if row["account_id"] is not None)]
    for row in sorted(booked, key=lambda row: (row["account_id"], row["account_seq"])):
        _book(ledger, row)
    surpluses = {row["settlement_id"]: row["amount"] for row in transfers if row["kind"] == "surplus"}
    movements = [row for row in settlements if row["kind"] in ("graduation", "claim")]
    for row in sorted([*trades, *movements], key=lambda row: (row["token"], row["seq"])):
        token = ledger.tokens[row["token"]]
        assert row["seq"] == token.seq + 1, "the token's numbers have no gap"
        token.seq = row["seq"]
        if row.get("kind") == "graduation":
            _graduate(token, row, surpluses.pop(row["settlement_id"], 0))
        elif row.get("kind") == "claim":
            token.creator_fees_lamports -= row["lamports"]
            assert token.creator_fees_lamports == 0, "a claim takes all that had accrued"
        else:
            _move_token(token, row)
    assert not surpluses, "a surplus belongs to a graduation"
    return ledger


def _graduate(token: TokenState, graduation: Row, surplus_lamports: int) -> None:
    assert surplus_lamports >= 0, "the curve covered its integral"
    token.reserve_lamports -= surplus_lamports
    token.platform_fees_lamports += surplus_lamports
    assert token.reserve_lamports == graduation["lamports"], "the pool opens with what its memo says"


def _book(ledger: Ledger, row: Row) -> None:
    account_id = row["account_id"]
    assert row["account_seq"] == ledger.account_seqs[account_id] + 1, "the account's numbers have no gap"
    ledger.account_seqs[account_id] += 1
    if "transfer_id" in row:
        moves = {row["asset"]: row["amount"]}
    else:
        sign = 1 if row["side"] == "buy" else -1
        moves = {SOL: -sign * row["lamports"], row["token"]: sign * row["tokens"]}
    for asset, amount in moves.items():
        ledger.balances[account_id, asset] += amount
        assert ledger.balances[account_id, asset] >= 0, "nobody ever spends what they do not have"


def _move_token(token: TokenState, trade: Row) -> None:
    sign = 1 if trade["side"] == "buy" else -1
    assert trade["lamports"] == trade["curve_lamports"] + sign * trade["fee_lamports"], "the legs add up"
    assert trade["executed_at_ms"] >= token.last_trade_at_ms, "time never goes back"
    token.supply += sign * trade["tokens"]
    token.reserve_lamports += sign * trade["curve_lamports"]
    token.creator_fees_lamports += trade["creator_fee_lamports"]
    token.platform_fees_lamports += trade["fee_lamports"] - trade["creator_fee_lamports"]
    token.price = trade["price"]
    token.last_trade_at_ms = trade["executed_at_ms"]
    assert (token.supply, token.reserve_lamports) == (trade["supply"], trade["reserve_lamports"])
