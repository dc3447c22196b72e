"""The settlement worker's statements: read what must be sent, and move a row on only from the state it was seen in.

Every change names the attempt it knows. If the row has moved on meanwhile nothing changes, and the caller is told.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Select,
    and_,
    bindparam,
    insert,
    or_,
    select,
    update,
)

from engine.persistence.bulk import chunks, insert_rows
from engine.persistence.launches import WALLETS
from engine.persistence.tables import WithdrawalRow, table
from engine.persistence.trading import ORDERS, SETTLEMENTS, TOKENS, TRADES, TRANSFERS
from engine.settlement.settlement import Kind, Settlement, State
from engine.trading.orders import Side
from engine.trading.rows import Row

WITHDRAWALS: Final = table(WithdrawalRow)
KEPT_BY_FAILURE: Final = [kind.value for kind in Kind if not kind.is_undone_by_failure]
_TEXTS: Final = (TOKENS.c.decimals, TOKENS.c.name, TOKENS.c.symbol, TOKENS.c.uri)


def pending(connection: Connection, limit: int) -> list[Settlement]:
    """The oldest pending settlements. When as many as `limit` come back there may be more."""
    return [_settlement(row) for row in connection.execute(_PENDING, {"most": limit}).mappings()]


def reserved(connection: Connection) -> list[Settlement]:
    """Those whose outflow is still to come besides what is pending: signed ones, and failed ones that are not undone.

    Without their signed bytes.
    """
    return [_settlement(row) for row in connection.execute(_RESERVED).mappings()]


def settled_later(connection: Connection, slot: int) -> list[tuple[Settlement, int]]:
    """Those confirmed in a later slot than this, each with its own, without their signed bytes."""
    return [(_settlement(row), row["slot"]) for row in connection.execute(_SETTLED_LATER, {"seen": slot}).mappings()]


def in_state(connection: Connection, state: State) -> list[Settlement]:
    """Every settlement in that state."""
    return [_settlement(row) for row in connection.execute(_IN_STATE, {"of_state": state.value}).mappings()]


def adopt_signed(connection: Connection, worker: str, living: Sequence[str]) -> int:
    """Make that worker follow every signed settlement that none of the living follows; how many there were."""
    return connection.execute(_ADOPT_SIGNED, {"new_worker": worker, "living": list(living)}).rowcount


def adopt_confirmed(connection: Connection, worker: str, left_by: Sequence[str], created_since_ms: int) -> int:
    """Likewise for what these left that is so young that it may not be finalized yet."""
    statement = update(SETTLEMENTS).where(
        SETTLEMENTS.c.state == State.CONFIRMED.value,
        SETTLEMENTS.c.created_at_ms >= created_since_ms,
        SETTLEMENTS.c.worker.in_(left_by),
    )
    return connection.execute(statement.values(worker=worker)).rowcount


def signed_of(connection: Connection, worker: str) -> list[Settlement]:
    """The signed settlements that this worker follows."""
    found = connection.execute(_SIGNED_OF, {"of_worker": worker})
    return [_settlement(row) for row in found.mappings()]


def confirmed_of(connection: Connection, worker: str, created_since_ms: int) -> list[Settlement]:
    """This worker's confirmed settlements that were made since then."""
    found = connection.execute(_CONFIRMED_OF, {"of_worker": worker, "since_ms": created_since_ms})
    return [_settlement(row) for row in found.mappings()]


def by_id(connection: Connection, settlement_ids: Sequence[str]) -> dict[str, Settlement]:
    """Those of these settlements that exist."""
    found: dict[str, Settlement] = {}
    for part in chunks(settlement_ids):
        rows = connection.execute(_BY_ID, {"ids": list(part)}).mappings()
        found.update((row["settlement_id"], _settlement(row)) for row in rows)
    return found


def confirmed_after(
    connection: Connection, slot: int, created_since_ms: int, settlement_ids: Sequence[str]
) -> list[tuple[Settlement, int]]:
    """Settlements confirmed after that slot, each with its slot: those made since then, and of these ids any."""
    later = _settlements(State.CONFIRMED).where(SETTLEMENTS.c.slot > slot)
    wanted = [SETTLEMENTS.c.settlement_id.in_(part) for part in chunks(settlement_ids)]
    statements = [later.where(each) for each in [SETTLEMENTS.c.created_at_ms >= created_since_ms, *wanted]]
    found = (row for statement in statements for row in connection.execute(statement).mappings())
    return [(_settlement(row), row["slot"]) for row in found]


def _settlements(state: State) -> Select[Any]:
    return _all_settlements().where(SETTLEMENTS.c.state == state.value)


def _all_settlements(*columns: ColumnElement[Any]) -> Select[Any]:
    """With these columns of theirs, or all."""
    return (
        select(*(columns or SETTLEMENTS.c), *_TEXTS, WITHDRAWALS.c.fee_lamports.label("charge_lamports"))
        .join_from(SETTLEMENTS, TOKENS, SETTLEMENTS.c.token == TOKENS.c.address, isouter=True)
        .outerjoin(WITHDRAWALS, WITHDRAWALS.c.withdrawal_id == SETTLEMENTS.c.settlement_id)
    )


def _without_bytes() -> Select[Any]:
    """Planning needs no bytes, and most of a row is them."""
    return _all_settlements(*(each for each in SETTLEMENTS.c if each.name != "signed_bytes"))


# Asked many times a second: building them takes longer than a database that has nothing to say.
_PENDING: Final = (
    _settlements(State.PENDING)
    .order_by(SETTLEMENTS.c.created_at_ms, SETTLEMENTS.c.settlement_id)
    .limit(bindparam("most", type_=Integer))
)
_RESERVED: Final = _without_bytes().where(
    or_(
        SETTLEMENTS.c.state == State.SIGNED.value,
        and_(SETTLEMENTS.c.state == State.FAILED.value, SETTLEMENTS.c.kind.in_(KEPT_BY_FAILURE)),
    )
)
_SETTLED_LATER: Final = _without_bytes().where(
    SETTLEMENTS.c.slot > bindparam("seen"), SETTLEMENTS.c.state == State.CONFIRMED.value
)
_IN_STATE: Final = _all_settlements().where(SETTLEMENTS.c.state == bindparam("of_state"))
_BY_ID: Final = _all_settlements().where(SETTLEMENTS.c.settlement_id.in_(bindparam("ids", expanding=True)))
_SIGNED_OF: Final = _settlements(State.SIGNED).where(SETTLEMENTS.c.worker == bindparam("of_worker"))
_CONFIRMED_OF: Final = _settlements(State.CONFIRMED).where(
    SETTLEMENTS.c.created_at_ms >= bindparam("since_ms"), SETTLEMENTS.c.worker == bindparam("of_worker")
)
_ADOPT_SIGNED: Final = (
    update(SETTLEMENTS)
    .where(SETTLEMENTS.c.state == State.SIGNED.value)
    .where(or_(SETTLEMENTS.c.worker.not_in(bindparam("living", expanding=True)), SETTLEMENTS.c.worker.is_(None)))
    .values(worker=bindparam("new_worker"))
)


def _settlement(row: RowMapping) -> Settlement:
    return Settlement(
        settlement_id=row["settlement_id"],
        kind=Kind(row["kind"]),
        side=None if row["side"] is None else Side(row["side"]),
        token=row["token"],
        seq=row["seq"],
        account_id=row["account_id"],
        account_seq=row["account_seq"],
        wallet=row["wallet"],
        vault=row["vault"],
        lamports=row["lamports"],
        tokens=row["tokens"],
        rent_lamports=row["rent_lamports"],
        decimals=row["decimals"] or 0,
        name=row["name"] or "",
        symbol=row["symbol"] or "",
        uri=row["uri"] or "",
        state=State(row["state"]),
        attempt=row["attempt"],
        errors=row["errors"],
        signature=row["signature"],
        signed_bytes=row.get("signed_bytes"),
        last_valid_block_height=row["last_valid_block_height"],
        created_at_ms=row["created_at_ms"],
        charge_lamports=row["charge_lamports"] or 0,
    )


def withdrawal_requests(connection: Connection, settlement_ids: Sequence[str]) -> dict[str, Row]:
    """The requests that these settlements carry out."""
    found: dict[str, Row] = {}
    for part in chunks(settlement_ids):
        statement = select(WITHDRAWALS).where(WITHDRAWALS.c.withdrawal_id.in_(part))
        found.update((row["withdrawal_id"], dict(row)) for row in connection.execute(statement).mappings())
    return found


def key_names(connection: Connection, addresses: Sequence[str]) -> dict[str, str]:
    """The names of owned addresses' keys."""
    names: dict[str, str] = {}
    for part in chunks(addresses):
        rows = connection.execute(_KEY_NAMES, {"addresses": list(part)})
        names.update((row.address, row.key_name) for row in rows)
    return names


_KEY_NAMES: Final = select(WALLETS.c.address, WALLETS.c.key_name).where(
    WALLETS.c.address.in_(bindparam("addresses", expanding=True))
)


def add_wallet(connection: Connection, wallet: Row) -> None:
    """Make an owned address known, unless it is."""
    if not key_names(connection, [wallet["address"]]):
        connection.execute(insert(WALLETS), [wallet])


_STORE_SIGNED: Final = (
    update(SETTLEMENTS)
    .where(SETTLEMENTS.c.settlement_id == bindparam("key_id"))
    .where(SETTLEMENTS.c.attempt == bindparam("key_attempt"))
    .where(SETTLEMENTS.c.state == State.PENDING.value)
    .values(
        state=State.SIGNED.value,
        attempt=bindparam("new_attempt"),
        signature=bindparam("new_signature"),
        signed_bytes=bindparam("new_bytes"),
        last_valid_block_height=bindparam("new_height"),
        worker=bindparam("new_worker"),
    )
)


def store_signed(connection: Connection, signed: Sequence[Settlement], worker: str) -> set[str]:
    """Store the signed bytes of these, each under the attempt it carries; the ids of those that were still free.

    `worker` follows them from now on.
    """
    rows = [
        {
            "key_id": settlement.settlement_id,
            "key_attempt": settlement.attempt - 1,
            "new_attempt": settlement.attempt,
            "new_signature": settlement.signature,
            "new_bytes": settlement.signed_bytes,
            "new_height": settlement.last_valid_block_height,
            "new_worker": worker,
        }
        for settlement in signed
    ]
    if connection.execute(_STORE_SIGNED, rows).rowcount == len(rows):
        return {settlement.settlement_id for settlement in signed}
    stored: set[str] = set()
    for part in chunks([settlement.signature for settlement in signed]):
        statement = select(SETTLEMENTS.c.settlement_id).where(SETTLEMENTS.c.signature.in_(part))
        stored.update(connection.execute(statement).scalars())
    return stored


_CONFIRM: Final = (
    update(SETTLEMENTS)
    .where(SETTLEMENTS.c.settlement_id == bindparam("key_id"))
    .where(SETTLEMENTS.c.attempt == bindparam("key_attempt"))
    .where(SETTLEMENTS.c.state == State.SIGNED.value)
    .values(
        state=State.CONFIRMED.value,
        slot=bindparam("new_slot"),
        fee_lamports=bindparam("new_fee_lamports"),
        confirmed_at_ms=bindparam("new_at_ms"),
        error=None,
    )
)


def confirm(
    connection: Connection,
    landed: Sequence[tuple[Settlement, int]],
    fee_lamports: Callable[[Settlement], int],
    now_ms: int,
) -> set[str]:
    """Confirm settlements with the slot of each and the network fee it cost; the ids of those that waited for it."""
    rows = [
        {
            "key_id": settlement.settlement_id,
            "key_attempt": settlement.attempt,
            "new_slot": slot,
            "new_fee_lamports": fee_lamports(settlement),
            "new_at_ms": now_ms,
        }
        for settlement, slot in landed
    ]
    if connection.execute(_CONFIRM, rows).rowcount == len(rows):
        return {settlement.settlement_id for settlement, _ in landed}
    confirmed: set[str] = set()
    for part in chunks([settlement.settlement_id for settlement, _ in landed]):
        statement = select(SETTLEMENTS.c.settlement_id).where(SETTLEMENTS.c.settlement_id.in_(part))
        statement = statement.where(SETTLEMENTS.c.confirmed_at_ms == now_ms)
        confirmed.update(connection.execute(statement).scalars())
    return confirmed


def take_back(
    connection: Connection, settlement: Settlement, state: State, errors: int = 0, error: str | None = None
) -> bool:
    """Forget the current attempt: to be signed again (`pending`) or waiting for an operator (`failed`)."""
    statement = (
        update(SETTLEMENTS)
        .where(SETTLEMENTS.c.settlement_id == settlement.settlement_id)
        .where(SETTLEMENTS.c.attempt == settlement.attempt)
        .where(SETTLEMENTS.c.state == settlement.state.value)
        .values(state=state.value, errors=errors, error=error, signature=None, signed_bytes=None)
    )
    return connection.execute(statement).rowcount == 1


def book_network_fee(connection: Connection, transfer: Row) -> None:
    """Book what a failed transaction cost the platform."""
    insert_rows(connection, TRANSFERS, [transfer])


def fills(connection: Connection, settlement_ids: Sequence[str]) -> dict[str, RowMapping]:
    """What the events about these trades need: the client's order id, the amounts and the price of the fill."""
    found: dict[str, RowMapping] = {}
    for part in chunks(settlement_ids):
        rows = connection.execute(_FILLS, {"ids": list(part)}).mappings()
        found.update((row["order_id"], row) for row in rows)
    return found


_FILLS: Final = (
    select(
        TRADES.c.order_id,
        ORDERS.c.client_order_id,
        TRADES.c.token,
        TRADES.c.side,
        TRADES.c.lamports,
        TRADES.c.tokens,
        TRADES.c.price,
        TRADES.c.account_id,
        TRADES.c.account_seq,
    )
    .join_from(TRADES, ORDERS, TRADES.c.order_id == ORDERS.c.order_id)
    .where(TRADES.c.order_id.in_(bindparam("ids", expanding=True)))
)
