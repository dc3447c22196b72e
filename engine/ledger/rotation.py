"""The rebuild in turns: as many accounts as a budget of rows allows, the others in the next checks.

An account's number is the number of its movements, so the budget is known before anything is read. A small platform is
rebuilt whole in every check, a large one in as many as it takes.
"""

from dataclasses import dataclass, field
from typing import Final

from engine.identifiers import SOL
from engine.ledger.rebuild import Misfit, misfits
from engine.persistence.database import Connection, Database
from engine.persistence.rebuilding import account_balances, account_movements

ROWS_PER_TURN: Final = 50_000
"""About a fifth of a second of one core."""

ARRIVALS: Final = ("deposit", "donation")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn found, over how many accounts. Outflows: account, asset, amount, booked at, in epoch ms."""

    accounts: int = 0
    misfits: list[Misfit] = field(default_factory=list)
    outflows: list[tuple[str, str, int, int]] = field(default_factory=list)


class Rotation:
    """Remembers whose turn is next, and what stays wrong until its next turn."""

    def __init__(self, database: Database, rows_per_turn: int = ROWS_PER_TURN) -> None:
        self._database, self._rows_per_turn = database, rows_per_turn
        self._next = ""
        self._wrong: dict[str, Turn] = {}

    async def turn(self) -> Turn:
        """Rebuild the next accounts; the misfits and outflows of all accounts as they were seen last."""
        chosen, turn = await self._database.read(self._rebuilt)
        for account_id in chosen:
            self._wrong.pop(account_id, None)
        for account_id in {each.account_id for each in turn.misfits} | {outflow[0] for outflow in turn.outflows}:
            self._wrong[account_id] = Turn(
                misfits=[each for each in turn.misfits if each.account_id == account_id],
                outflows=[each for each in turn.outflows if each[0] == account_id],
            )
        return Turn(
            len(chosen),
            [each for wrong in self._wrong.values() for each in wrong.misfits],
            [each for wrong in self._wrong.values() for each in wrong.outflows],
        )

    def _rebuilt(self, connection: Connection) -> tuple[set[str], Turn]:
        balances = account_balances(connection)
        chosen = self._choose({row.account_id: row.account_seq for row in balances if row.asset == SOL})
        trades, transfers = account_movements(connection, sorted(chosen))
        outflows = [
            (row.account_id, row.asset, row.amount, row.created_at_ms)
            for row in transfers
            if row.kind in ARRIVALS and row.amount < 0
        ]
        own = [row for row in balances if row.account_id in chosen]
        return chosen, Turn(len(chosen), misfits(own, trades, transfers), outflows)

    def _choose(self, numbers: dict[str, int]) -> set[str]:
        """The accounts from the next one on, round and round, until the budget is used; at least one."""
        ordered = sorted(numbers)
        ordered = [each for each in ordered if each >= self._next] + [each for each in ordered if each < self._next]
        chosen: set[str] = set()
        left = self._rows_per_turn
        for account_id in ordered:
            if chosen and numbers[account_id] > left:
                self._next = account_id
                return chosen
            chosen.add(account_id)
            left -= numbers[account_id]
        self._next = ""
        return chosen
