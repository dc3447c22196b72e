"""The deposit scan's statements: owned addresses with their cursors, and the booking of what nobody here caused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, select

from engine.identifiers import SOL
from engine.persistence.bulk import chunks, insert_rows, update_rows
from engine.persistence.launches import WALLETS
from engine.persistence.tables import ScanCursorRow, table
from engine.persistence.trading import BALANCE_STATE, BALANCES, SETTLEMENTS, TRANSFERS, lock_balances
from engine.trading.rows import Row

CURSORS: Final = table(ScanCursorRow)

# Asked at every scan, built once.
_SCANNED: Final = select(
    WALLETS.c.address,
    WALLETS.c.account_id,
    WALLETS.c.token,
    CURSORS.c.signature,
    CURSORS.c.lamports,
    CURSORS.c.address.label("cursor"),
).join_from(WALLETS, CURSORS, WALLETS.c.address == CURSORS.c.address, isouter=True)
_OWN_SIGNATURES: Final = select(SETTLEMENTS.c.signature).where(
    SETTLEMENTS.c.signature.in_(bindparam("signatures", expanding=True))
)
_CURSORS_OF: Final = select(CURSORS).where(CURSORS.c.address.in_(bindparam("addresses", expanding=True)))


@dataclass(frozen=True, slots=True)
class Scanned:
    """An owned address and how far its finalized transactions are booked; without a row yet `known` is false."""

    address: str
    account_id: str | None
    token: str | None
    signature: str | None
    lamports: int
    known: bool


def scanned_addresses(connection: Connection) -> list[Scanned]:
    """Every address the platform holds the key of."""
    return [
        Scanned(row.address, row.account_id, row.token, row.signature, row.lamports or 0, row.cursor is not None)
        for row in connection.execute(_SCANNED)
    ]


def read_cursors(connection: Connection, addresses: Sequence[str]) -> dict[str, Scanned]:
    """How far each of these addresses is booked."""
    found = {address: Scanned(address, None, None, None, 0, False) for address in addresses}
    for part in chunks(addresses):
        for row in connection.execute(_CURSORS_OF, {"addresses": list(part)}):
            found[row.address] = Scanned(row.address, None, None, row.signature, row.lamports, True)
    return found


def own_signatures(connection: Connection, signatures: Sequence[str]) -> set[str]:
    """Which of these successful transactions are our settlements', whose signatures are stored before they are sent."""
    own: set[str] = set()
    for part in chunks(signatures):
        own.update(connection.execute(_OWN_SIGNATURES, {"signatures": list(part)}).scalars())
    return own


def booked(connection: Connection, transfer_ids: Iterable[str]) -> set[str]:
    """Which of these transfers are booked already."""
    found: set[str] = set()
    for part in chunks(list(transfer_ids)):
        statement = select(TRANSFERS.c.transfer_id).where(TRANSFERS.c.transfer_id.in_(part))
        found.update(connection.execute(statement).scalars())
    return found


def lock_sol(connection: Connection, account_ids: Iterable[str]) -> dict[str, Row]:
    """The SOL balances of these accounts, locked in order."""
    rows = lock_balances(connection, [(account_id, str(SOL)) for account_id in account_ids])
    return {account_id: row for (account_id, _), row in rows.items()}


def write(
    connection: Connection, transfers: Sequence[Row], balances: Sequence[Row], cursors: Sequence[Scanned]
) -> None:
    """Write the transfers, the balances they changed, and the cursors they were read up to."""
    insert_rows(connection, TRANSFERS, transfers)
    update_rows(connection, BALANCES, ("account_id", "asset"), BALANCE_STATE, balances)
    there = {cursor.address for cursor in cursors if cursor.known}
    found = read_cursors(connection, [cursor.address for cursor in cursors if not cursor.known])
    there |= {cursor.address for cursor in found.values() if cursor.known}
    old: list[Row] = []
    new: list[Row] = []
    for cursor in cursors:
        (old if cursor.address in there else new).append(_cursor(cursor))
    update_rows(connection, CURSORS, ("address",), ("signature", "lamports"), old)
    insert_rows(connection, CURSORS, new)


def _cursor(cursor: Scanned) -> Row:
    return {"address": cursor.address, "signature": cursor.signature, "lamports": cursor.lamports}
