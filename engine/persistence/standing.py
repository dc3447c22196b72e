"""What stands and waits for somebody, counted: what operators are woken up for."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from engine.identifiers import SOL
from engine.persistence.parked import PARKED
from engine.persistence.switches import Switch, is_set
from engine.persistence.tables import ParkedRow, table
from engine.persistence.trading import BALANCES, SETTLEMENTS, TOKENS
from engine.settlement.settlement import State

_PARKED = table(ParkedRow)
_NOT_OVER = [State.WAITING.value, State.PENDING.value, State.SIGNED.value, State.FAILED.value]
_UNDER_WAY = (State.PENDING.value, State.SIGNED.value)


@dataclass(frozen=True, slots=True)
class Standing:
    """Counts at one moment. `oldest_ms` is when the oldest settlement that is pending or signed was made, 0 for none.

    `held_tokens` are held by an operator, `stopped_tokens` because their vault could not pay.
    """

    settlements: dict[str, int]
    oldest_ms: int
    parked_orders: int
    frozen_accounts: int
    held_tokens: int
    stopped_tokens: int
    withdrawals_frozen: bool


def standing(connection: Connection) -> Standing:
    """Count in one snapshot."""
    state = SETTLEMENTS.c.state
    grouped = select(state, func.count().label("rows"), func.min(SETTLEMENTS.c.created_at_ms).label("oldest_ms"))
    found = {row.state: row for row in connection.execute(grouped.where(state.in_(_NOT_OVER)).group_by(state))}
    under_way = [found[each].oldest_ms for each in _UNDER_WAY if each in found]
    parked = select(func.count()).select_from(_PARKED).where(_PARKED.c.state == PARKED)
    frozen = select(func.count()).select_from(BALANCES).where(BALANCES.c.asset == SOL, BALANCES.c.frozen.is_not(None))
    held = select(func.count(), func.count(TOKENS.c.failure)).where(TOKENS.c.held == 1)
    tokens, stopped = connection.execute(held).one()
    return Standing(
        settlements={each: found[each].rows if each in found else 0 for each in _NOT_OVER},
        oldest_ms=min(under_way, default=0),
        parked_orders=connection.execute(parked).scalar_one(),
        frozen_accounts=connection.execute(frozen).scalar_one(),
        held_tokens=tokens - stopped,
        stopped_tokens=stopped,
        withdrawals_frozen=is_set(connection, Switch.WITHDRAWALS_FROZEN),
    )
