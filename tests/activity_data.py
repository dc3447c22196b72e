"""A month of a small platform, traded by the engine itself: curves, an opening fee, graduations, pools, transfers.

The same seed is the same month. `plainly` reads whole tables as rows, for answers that share no code with the reports.
"""

import random
from typing import Any, Final

from sqlalchemy import Connection, text

from engine.persistence import trading
from engine.persistence.bulk import insert_rows
from engine.persistence.database import Database
from engine.trading.batch import Batch
from engine.trading.orders import Side
from engine.trading.rows import booking_id
from tests.ledger import ONE_SOL, RENT, SMALL_CURVE, account, fund, list_tokens, make_order, token, wallet

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
NOW_MS: Final = 1_790_085_600_000
"""In the 15th hour of a Tuesday, UTC."""

DAYS: Final = 30
ACCOUNTS: Final = 14
SIMULATED: Final = (11, 12)
TOKENS: Final = 9
SMALL: Final = (1, 2, 3)
"""Tokens whose curve half a SOL fills."""

OPENING: Final = 4
HIDDEN: Final = 5
UNTRADED: Final = 8


def born_ms(number: int) -> int:
    """When that token began to trade: one after another."""
    return NOW_MS - DAYS * DAY_MS + number * 3 * DAY_MS + number * 977 + 1


class Month:
    """Writes the month part by part; `trade_until` may stand anywhere between two counts."""

    def __init__(self, database: Database, seed: int = 5) -> None:
        self._database, self._rng = database, random.Random(seed)
        self._number = 0
        self._held: dict[tuple[int, int], int] = {}
        self.at_ms = NOW_MS - DAYS * DAY_MS
        with database.transaction() as connection:
            fund(connection, range(ACCOUNTS), 1_000 * ONE_SOL)
            for number in range(TOKENS):
                born = born_ms(number)
                terms: dict[str, Any] = dict(SMALL_CURVE) if number in SMALL else {}
                if number == OPENING:
                    terms |= {"opening_fee_bps": 4_000, "opening_fee_ms": 60_000}
                if number == HIDDEN:
                    terms |= {"hidden": 1, "simulated": 1}
                list_tokens(
                    connection,
                    [number],
                    name=f"=Token {number}",
                    symbol=f"T{number}",
                    creator=account(number),
                    created_at_ms=born - 5_000,
                    tradable_at_ms=born,
                    updated_at_ms=born,
                    **terms,
                )

    def trade_until(self, until_ms: int) -> None:
        """Go on, in uneven steps, some of them minutes and some most of a day."""
        while True:
            before_ms, step_ms = self.at_ms, self._rng.choice((400, 7_000, 90_000, HOUR_MS, 5 * HOUR_MS, 17 * HOUR_MS))
            self.at_ms += step_ms
            for number in range(UNTRADED):
                if before_ms < born_ms(number) <= self.at_ms:
                    self._open(number)
            if self.at_ms >= until_ms:
                return
            for _ in range(self._rng.randrange(1, 9)):
                self.trade(self._rng.randrange(ACCOUNTS), self._rng.randrange(UNTRADED))

    def _open(self, number: int) -> None:
        """The creator and two others are there in the first minute."""
        for nth, who in enumerate((number, number + 1, SIMULATED[0])):
            self.trade(who, number, born_ms(number) + nth * 9_000)

    def trade(self, who: int, number: int, at_ms: int | None = None) -> None:
        """One order: a sell of half of what is held, or a buy."""
        at_ms = self.at_ms if at_ms is None else at_ms
        held = self._held.get((who, number), 0)
        side = Side.SELL if held > 10 and self._rng.random() < 0.4 else Side.BUY
        amount = self._sold(held) if side is Side.SELL else self._rng.randrange(ONE_SOL // 50, ONE_SOL // 4)
        self._number += 1
        order = make_order(side, amount, number=self._number, who=who, on=token(number), deadline_ms=at_ms + 1)
        order = order._replace(simulated=who in SIMULATED)
        with self._database.transaction() as connection:
            row = trading.lock_tokens(connection, [token(number)])[token(number)]
            if row["tradable_at_ms"] > at_ms:
                return
            batch = Batch(trading.lock_for(connection, [order], at_ms), {account(who): wallet(who)}, at_ms, RENT)
            batch.apply(order)
            trading.write(connection, batch.changes)
        for trade in batch.changes.trades:
            self._held[who, number] = held + (trade["tokens"] if side is Side.BUY else -trade["tokens"])

    def _sold(self, held: int) -> int:
        return held if self._rng.random() < 0.5 else held // 2

    def give(self, giver: int, taker: int, number: int) -> None:
        """One account gives another all it has of a token, as a transfer between trading wallets does."""
        amount = self._held.pop((giver, number))
        self._held[taker, number] = self._held.get((taker, number), 0) + amount
        with self._database.transaction() as connection:
            for who, signed in ((giver, -amount), (taker, amount)):
                self._move(connection, who, number, signed)

    def _move(self, connection: Connection, who: int, number: int, signed: int) -> None:
        row = {
            "transfer_id": booking_id("transfer", str(self.at_ms), str(who), str(number)),
            "kind": "transfer",
            "account_id": account(who),
            "asset": token(number),
            "amount": signed,
            "account_seq": 0,
            "token": token(number),
            "address": wallet(who),
            "signature": None,
            "settlement_id": None,
            "created_at_ms": self.at_ms,
        }
        insert_rows(connection, trading.TRANSFERS, [row])
        mine = {"who": account(who), "asset": token(number), "amount": signed}
        change = "UPDATE balances SET amount = amount + :amount WHERE account_id = :who AND asset = :asset"
        if not connection.execute(text(change), mine).rowcount:
            insert_rows(
                connection,
                trading.BALANCES,
                [
                    {
                        "account_id": mine["who"],
                        "asset": mine["asset"],
                        "amount": signed,
                        "account_seq": 0,
                        "frozen": None,
                    }
                ],
            )

    def holds(self, who: int, number: int) -> bool:
        """Whether the account has any of the token."""
        return self._held.get((who, number), 0) > 0


def plainly(database: Database, name: str) -> list[dict[str, Any]]:
    """Every row of a table."""
    with database.snapshot() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()]
