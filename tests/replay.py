"""The whole ledger as its immutable rows lead to it, in the form that the tests compare with the tables."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.ledger.history import TOKEN_MOVEMENTS, TokenState, account_history, token_history

Row = Mapping[str, Any]


@dataclass(slots=True)
class Ledger:
    """Balances by (account, asset), each account's last number, and tokens by address."""

    balances: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    account_seqs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tokens: dict[str, TokenState] = field(default_factory=lambda: defaultdict(TokenState))


def replayed(trades: Sequence[Row], transfers: Sequence[Row], settlements: Sequence[Row] = ()) -> Ledger:
    """The ledger that these rows describe.

    Raises:
        engine.ledger.history.Inconsistent: they contradict each other.
    """
    ledger = Ledger()
    surpluses = {row["settlement_id"]: row["amount"] for row in transfers if row["kind"] == "surplus"}
    moved = [row for row in settlements if row["kind"] in TOKEN_MOVEMENTS]
    assert surpluses.keys() <= {row["settlement_id"] for row in moved}, "a surplus belongs to a graduation"
    for account_id, rows in _grouped([*trades, *transfers], "account_id").items():
        history = account_history(account_id, rows)
        ledger.account_seqs[account_id] = history.account_seq
        ledger.balances |= {(account_id, asset): amount for asset, amount in history.amounts.items()}
    for token, rows in _grouped([*trades, *moved], "token").items():
        ledger.tokens[token] = token_history(token, rows, surpluses).state
    return ledger


def _grouped(rows: Sequence[Row], by: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row[by] is not None:
            groups[row[by]].append(row)
    return groups
