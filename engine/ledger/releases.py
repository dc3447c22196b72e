"""Releasing withdrawals: what is due is let go while nothing is frozen and the hour's limit holds, one at a time.

The limit counts what leaves the platform since an hour ago, or since an operator last lifted the freeze. Reaching it
freezes every withdrawal until an operator has looked.
"""

import asyncio
import contextlib
import logging
from functools import partial
from typing import Final

from engine.errors import Unavailable
from engine.identifiers import SOL
from engine.ledger.booking import Booking
from engine.ledger.withdrawals import told
from engine.persistence import withdrawals as rows
from engine.persistence.database import Connection
from engine.persistence.switches import Switch, SwitchState, lock, turn
from engine.ports import BusMessage
from engine.services import Services
from engine.settlement.settlement import Kind, State
from engine.trading import events
from engine.trading.rows import Row
from engine.units import token_value_lamports

log = logging.getLogger(__name__)

POLL_S: Final = 0.5
AT_ONCE: Final = 100
HOUR_MS: Final = 3_600_000


class Releases:
    """One pass at a time: `release_due()`; or `run` until told to stop."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self, stop: asyncio.Event) -> None:
        """Release what is due, twice a second, until `stop` is set."""
        while not stop.is_set():
            try:
                await self.release_due()
            except Unavailable as error:
                log.warning("releases wait: %s", error)
            except Exception:
                log.exception("alert=release_error releases go on after an error")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_S)

    async def release_due(self) -> int:
        """Release what may go now; how many were. Stops at the first that may not."""
        services, released = self._services, 0
        due = partial(rows.due, now_ms=services.clock.now_ms(), limit=AT_ONCE)
        for withdrawal_id in await services.database.read(due):
            messages = await services.database.write(partial(self._release, withdrawal_id=withdrawal_id))
            if messages is None:
                break
            released += bool(messages)
            services.bus.publish(messages)
        return released

    def _release(self, connection: Connection, withdrawal_id: str) -> list[BusMessage] | None:
        """One transaction: what to publish, nothing where it was cancelled meanwhile; None where all must stop."""
        now_ms = self._services.clock.now_ms()
        freeze = lock(connection, Switch.WITHDRAWALS_FROZEN)
        if freeze.is_set:
            return None
        row = rows.one(connection, withdrawal_id)
        if row is None or row["state"] != State.WAITING.value:
            return []
        leaves = row["kind"] == Kind.WITHDRAWAL.value
        if leaves and self._passes_limit(connection, row, freeze, now_ms):
            return None
        if not rows.release(connection, withdrawal_id):
            return []
        if leaves:
            rows.count_release(connection, withdrawal_id, _value_lamports(row), now_ms)
        messages = _credit(connection, row, now_ms) if row["kind"] == Kind.TRANSFER.value else []
        _, news = told(connection, withdrawal_id)
        return messages + news

    def _passes_limit(self, connection: Connection, row: Row, freeze: SwitchState, now_ms: int) -> bool:
        """Whether the hour's limit does not hold this one any more; then everything is frozen."""
        limit_lamports = self._services.settings.withdrawals_hourly_lamports
        lamports = _value_lamports(row)
        gone_lamports = rows.released_lamports(connection, max(now_ms - HOUR_MS, freeze.changed_at_ms))
        if gone_lamports + lamports <= limit_lamports:
            return False
        log.error(
            "alert=withdrawals_hourly_limit %s lamports left in an hour, %s more would pass the limit of %s",
            gone_lamports,
            lamports,
            limit_lamports,
        )
        reason = f"The hourly limit of {limit_lamports} lamports was reached."
        turn(connection, Switch.WITHDRAWALS_FROZEN, SwitchState(True, reason, "settle", now_ms))
        return True


def _value_lamports(row: Row) -> int:
    """What it is worth now; a token by its price."""
    if row["asset"] == SOL:
        return int(row["amount"])
    return token_value_lamports(row["amount"], row["price"], row["decimals"])


def _credit(connection: Connection, row: Row, now_ms: int) -> list[BusMessage]:
    """The recipient of a transfer has it from now on, in the ledger; Solana follows."""
    recipient_id, asset = row["recipient_id"], row["asset"]
    locked = rows.lock(connection, recipient_id, asset)
    booking = Booking(locked, recipient_id, row["withdrawal_id"], now_ms)
    booking.move(Kind.TRANSFER.value, asset, row["amount"], row["destination"])
    rows.write(connection, locked, booking.transfers)
    lamports = row["amount"] if asset == SOL else 0
    return [events.balance_changed(recipient_id, Kind.TRANSFER.value, lamports, booking.account_seq)]
