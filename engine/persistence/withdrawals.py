"""Withdrawals' statements: a request with the settlement that carries it out, its release, and its taking back.

Where a request stands is its settlement's state, so nothing is told twice. Locks: token, then balances, as everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Integer, Select, and_, bindparam, delete, func, insert, or_, select, update

from engine.identifiers import SOL
from engine.persistence.bulk import insert_rows, update_rows
from engine.persistence.launches import WALLETS
from engine.persistence.paging import page_after
from engine.persistence.settlements import WITHDRAWALS
from engine.persistence.tables import ReleaseRow, table
from engine.persistence.trading import (
    ACCOUNTS,
    BALANCE_STATE,
    BALANCES,
    SETTLEMENTS,
    TOKENS,
    TRANSFERS,
    lock_balances,
    lock_tokens,
)
from engine.settlement.settlement import Kind, State
from engine.trading.orders import Side
from engine.trading.rows import Row

RELEASES: Final = table(ReleaseRow)
_CANCELLABLE: Final = (State.WAITING.value, State.PENDING.value)
_UNSETTLED: Final = (State.PENDING.value, State.SIGNED.value, State.FAILED.value)
_BALANCE_KEY: Final = ("account_id", "asset")


@dataclass(slots=True)
class Locked:
    """An account's rows under lock: its balances by asset, and the token's row where the asset is one."""

    balances: dict[str, Row]
    token: Row | None
    new_balances: list[Row]

    @property
    def sol(self) -> Row:
        """The SOL balance, which carries `account_seq`."""
        return self.balances[SOL]


def lock(connection: Connection, account_id: str, asset: str) -> Locked:
    """Lock the token, if it is one, and the account's balances of SOL and of it."""
    token = None if asset == SOL else lock_tokens(connection, [asset]).get(asset)
    found = lock_balances(connection, {(account_id, str(SOL)), (account_id, asset)})
    return Locked({key[1]: row for key, row in found.items()}, token, [])


def write(connection: Connection, locked: Locked, transfers: Sequence[Row]) -> None:
    """Write what was moved: the transfers, the balances, and how many hold the token."""
    insert_rows(connection, TRANSFERS, transfers)
    insert_rows(connection, BALANCES, locked.new_balances)
    update_rows(connection, BALANCES, _BALANCE_KEY, BALANCE_STATE, list(locked.balances.values()))
    if locked.token is not None:
        update_rows(connection, TOKENS, ("address",), ("holders",), [locked.token])


def add(connection: Connection, withdrawal: Row, settlement: Row) -> None:
    """A new request and the settlement that waits for its release."""
    insert_rows(connection, WITHDRAWALS, [withdrawal])
    insert_rows(connection, SETTLEMENTS, [settlement])


def forget_balance(connection: Connection, account_id: str, asset: str) -> None:
    """The account's token account is closed: the next purchase pays for a new one."""
    found = (BALANCES.c.account_id == account_id) & (BALANCES.c.asset == asset)
    connection.execute(delete(BALANCES).where(found))


def restore_balance(connection: Connection, account_id: str, asset: str) -> None:
    """The token account was not closed after all; harmless when a purchase has made its row again."""
    row = {"account_id": account_id, "asset": asset, "amount": 0, "account_seq": 0}
    if not lock_balances(connection, [(account_id, asset)]):
        insert_rows(connection, BALANCES, [row])


def owner_of(connection: Connection, address: str) -> Mapping[str, Any] | None:
    """The owned address's row, None for an address that is none of the platform's."""
    row = connection.execute(select(WALLETS).where(WALLETS.c.address == address)).mappings().first()
    return None if row is None else dict(row)


def was_paid_before(connection: Connection, account_id: str, destination: str) -> bool:
    """Whether a withdrawal of the account to that address was ever confirmed."""
    statement = (
        select(func.count())
        .select_from(WITHDRAWALS)
        .join(SETTLEMENTS, SETTLEMENTS.c.settlement_id == WITHDRAWALS.c.withdrawal_id)
        .where(WITHDRAWALS.c.account_id == account_id, WITHDRAWALS.c.destination == destination)
        .where(SETTLEMENTS.c.state == State.CONFIRMED.value)
    )
    return bool(connection.execute(statement).scalar_one())


def unsettled_inflow(connection: Connection, account_id: str, wallet: str, asset: str) -> int:
    """What the ledger has credited of the asset and the chain has not confirmed: fills, and transfers received."""
    leg = SETTLEMENTS.c
    fills = and_(leg.account_id == account_id, leg.kind == Kind.TRADE.value)
    received = and_(leg.vault == wallet, leg.kind == Kind.TRANSFER.value)
    statement = select(leg.kind, leg.side, leg.token, leg.lamports, leg.tokens)
    statement = statement.where(leg.state.in_(_UNSETTLED), or_(fills, received))
    return sum(_inflow(row, asset) for row in connection.execute(statement).mappings())


def _inflow(row: Mapping[Any, Any], asset: str) -> int:
    if row["kind"] == Kind.TRADE.value and row["side"] == Side.SELL.value:
        return int(row["lamports"]) if asset == SOL else 0
    if row["token"] != asset:
        return 0
    return int(row["lamports"] if asset == SOL else row["tokens"])


def is_moving(connection: Connection, wallet: str, token: str) -> bool:
    """Whether anything of that token at that wallet is not settled, coming or going."""
    leg = SETTLEMENTS.c
    statement = select(func.count()).select_from(SETTLEMENTS)
    statement = statement.where(leg.state.in_((*_UNSETTLED, State.WAITING.value)), leg.token == token)
    statement = statement.where(or_(leg.wallet == wallet, leg.vault == wallet))
    return bool(connection.execute(statement).scalar_one())


def one(connection: Connection, withdrawal_id: str) -> Row | None:
    """The request with its settlement's `state`, `wallet`, `signature`, `error` and times; None for none."""
    row = connection.execute(_told().where(WITHDRAWALS.c.withdrawal_id == withdrawal_id)).mappings().first()
    return None if row is None else dict(row)


def cancel(connection: Connection, withdrawal_id: str) -> bool:
    """Take the settlement back, unless it was signed: then False, and nothing has changed."""
    statement = (
        update(SETTLEMENTS)
        .where(SETTLEMENTS.c.settlement_id == withdrawal_id, SETTLEMENTS.c.state.in_(_CANCELLABLE))
        .values(state=State.CANCELLED.value)
    )
    return connection.execute(statement).rowcount == 1


def due(connection: Connection, now_ms: int, limit: int) -> list[str]:
    """The ids of withdrawals that may be released by now, oldest first."""
    return list(connection.execute(_DUE, {"now_ms": now_ms, "most": limit}).scalars())


_DUE: Final = (
    select(WITHDRAWALS.c.withdrawal_id)
    .join_from(SETTLEMENTS, WITHDRAWALS, WITHDRAWALS.c.withdrawal_id == SETTLEMENTS.c.settlement_id)
    .where(SETTLEMENTS.c.state == State.WAITING.value, WITHDRAWALS.c.release_at_ms <= bindparam("now_ms"))
    .order_by(WITHDRAWALS.c.created_at_ms, WITHDRAWALS.c.withdrawal_id)
    .limit(bindparam("most", type_=Integer))
)


def release(connection: Connection, withdrawal_id: str) -> bool:
    """Let the settlement be sent; False when it waits no more."""
    statement = (
        update(SETTLEMENTS)
        .where(SETTLEMENTS.c.settlement_id == withdrawal_id, SETTLEMENTS.c.state == State.WAITING.value)
        .values(state=State.PENDING.value)
    )
    return connection.execute(statement).rowcount == 1


def count_release(connection: Connection, withdrawal_id: str, lamports: int, now_ms: int) -> None:
    """Note what a release uses up of the hourly limit."""
    row = {"withdrawal_id": withdrawal_id, "lamports": lamports, "released_at_ms": now_ms}
    connection.execute(insert(RELEASES).values(row))


def released_lamports(connection: Connection, since_ms: int) -> int:
    """What was released since then."""
    statement = select(func.coalesce(func.sum(RELEASES.c.lamports), 0)).where(RELEASES.c.released_at_ms > since_ms)
    return int(connection.execute(statement).scalar_one())


def withdrawals_json(
    connection: Connection, account_id: str, limit: int, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """What the account sent and was sent from other accounts, newest first, and the next page's cursor.

    Raises:
        engine.persistence.paging.InvalidCursor: the cursor is not one of ours.
    """
    received = and_(WITHDRAWALS.c.recipient_id == account_id, SETTLEMENTS.c.state.in_(_UNSETTLED + _DONE))
    query = _told().where(or_(WITHDRAWALS.c.account_id == account_id, received))
    at, key = WITHDRAWALS.c.created_at_ms, WITHDRAWALS.c.withdrawal_id
    page, next_cursor = page_after(connection, query, (at, key), limit, cursor)
    return [told_json(row, account_id) for row in page], next_cursor


_DONE: Final = (State.CONFIRMED.value,)


def _told() -> Select[Any]:
    return (
        select(
            WITHDRAWALS,
            SETTLEMENTS.c.state,
            SETTLEMENTS.c.wallet,
            SETTLEMENTS.c.signature,
            SETTLEMENTS.c.error,
            SETTLEMENTS.c.confirmed_at_ms,
            TOKENS.c.symbol,
            TOKENS.c.decimals,
            TOKENS.c.price,
            ACCOUNTS.c.wallet.label("recipient_wallet"),
        )
        .join_from(WITHDRAWALS, SETTLEMENTS, SETTLEMENTS.c.settlement_id == WITHDRAWALS.c.withdrawal_id)
        .outerjoin(TOKENS, TOKENS.c.address == WITHDRAWALS.c.asset)
        .outerjoin(ACCOUNTS, ACCOUNTS.c.account_id == WITHDRAWALS.c.recipient_id)
    )


_SHOWN: Final = {State.PENDING.value: "queued", State.SIGNED.value: "sent"}


def told_json(row: Mapping[str, Any], account_id: str) -> dict[str, Any]:
    """A request as the API says it to that account; one that was received says so and keeps the sender's costs back."""
    received, state = row["account_id"] != account_id, row["state"]
    confirmed = state == State.CONFIRMED.value
    return {
        "withdrawal_id": row["withdrawal_id"],
        "client_id": None if received else row["client_id"],
        "kind": row["kind"],
        "direction": "in" if received else "out",
        "asset": row["asset"],
        "symbol": "SOL" if row["asset"] == SOL else row["symbol"],
        "decimals": 9 if row["asset"] == SOL else row["decimals"],
        "amount": str(row["amount"]),
        "destination": row["destination"],
        "sender": row["account_id"],
        "fee_lamports": "0" if received else str(row["fee_lamports"]),
        "rent_lamports": "0" if received else str(row["rent_lamports"]),
        "state": _SHOWN.get(state, state),
        "cancellable": not received and state in _CANCELLABLE,
        "error": None if received else row["error"],
        "signature": row["signature"],
        "created_at_ms": row["created_at_ms"],
        "release_at_ms": row["release_at_ms"],
        "confirmed_at_ms": row["confirmed_at_ms"] if confirmed else None,
    }


def holdings(connection: Connection, account_id: str, asset: str) -> tuple[int, int | None]:
    """The account's lamports, and how much of the asset it holds; None where it has no token account."""
    statement = select(BALANCES.c.asset, BALANCES.c.amount).where(BALANCES.c.account_id == account_id)
    held = {row.asset: row.amount for row in connection.execute(statement.where(BALANCES.c.asset.in_([SOL, asset])))}
    return held.get(SOL, 0), held.get(asset)
