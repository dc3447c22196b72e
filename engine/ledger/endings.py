"""What the end of a withdrawal's settlement does to the ledger, in the transaction that records that end."""

from collections.abc import Mapping
from typing import Any

from engine.identifiers import SOL
from engine.ledger.booking import Booking
from engine.ledger.withdrawals import give_back, told
from engine.persistence import withdrawals as rows
from engine.persistence.database import Connection
from engine.persistence.deposits import booked
from engine.ports import BusMessage
from engine.settlement.confirming import Hooks, HooksByKind
from engine.settlement.settlement import Kind
from engine.trading import events
from engine.trading.rows import Row


def withdrawal_hooks() -> HooksByKind:
    """What the settlement worker must call about every kind of withdrawal."""
    return {kind: Hooks(confirmed, failed) for kind in Kind if kind.is_withdrawal}


def confirmed(connection: Connection, settlement: Mapping[str, Any], now_ms: int) -> list[BusMessage]:
    """It is on the chain: whoever is concerned is told, and a closed account's rent is credited."""
    withdrawal = rows.one(connection, settlement["settlement_id"])
    assert withdrawal is not None
    messages = _rent_back(connection, withdrawal, now_ms) if withdrawal["kind"] == Kind.CLOSE.value else []
    _, news = told(connection, withdrawal["withdrawal_id"])
    return messages + news


def failed(connection: Connection, settlement: Mapping[str, Any], now_ms: int, error: str) -> list[BusMessage]:
    """It can never land: a withdrawal gets everything back. A transfer stays, because its recipient has it already."""
    withdrawal = rows.one(connection, settlement["settlement_id"])
    assert withdrawal is not None
    kept = withdrawal["kind"] == Kind.TRANSFER.value
    messages = [] if kept else give_back(connection, withdrawal, now_ms)
    _, news = told(connection, withdrawal["withdrawal_id"])
    return messages + news


def _rent_back(connection: Connection, withdrawal: Row, now_ms: int) -> list[BusMessage]:
    account_id = withdrawal["account_id"]
    locked = rows.lock(connection, account_id, SOL)
    booking = Booking(locked, account_id, withdrawal["withdrawal_id"], now_ms)
    if booked(connection, [booking.transfer_id("close", SOL)]):
        return []  # the cluster took it back after it was confirmed, and it landed again
    booking.move("close", SOL, withdrawal["rent_lamports"], withdrawal["wallet"])
    booking.move("fee", SOL, -withdrawal["fee_lamports"], withdrawal["wallet"])
    rows.write(connection, locked, booking.transfers)
    lamports = withdrawal["rent_lamports"] - withdrawal["fee_lamports"]
    return [events.balance_changed(account_id, "close", lamports, booking.account_seq)]
