"""The deposit scan: finalized SOL movements of owned addresses that no settlement of ours caused are booked, once each.

What reaches a trading wallet is a deposit and credits its account; what reaches any other owned address is a donation
and changes no balance. A transfer's id is a hash of signature, address and asset, so reading a transaction twice books
it once, and the cursors move in the transaction that books.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from engine.errors import Unavailable
from engine.identifiers import SOL
from engine.persistence import deposits as rows
from engine.persistence.database import Connection
from engine.persistence.deposits import Scanned
from engine.ports import AddressHistory, BalanceChange, BusMessage
from engine.services import Services
from engine.trading import events
from engine.trading.rows import Row, booking_id

log = logging.getLogger(__name__)

FULL_PASS_MS: Final = 60_000
"""Between passes over all addresses, changed or not: two changes that cancel out show in no balance."""


class DepositScan:
    """One pass at a time: `scan()`; or `run` until told to stop."""

    def __init__(self, services: Services, is_due_here: Callable[[], bool] = lambda: True) -> None:
        """`is_due_here` says whether this process is the one to scan: two would book nothing twice, and read it all."""
        self._services, self._is_due_here = services, is_due_here
        self._full_pass_due_ms = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Scan every `deposit_scan_ms` until `stop` is set."""
        while not stop.is_set():
            try:
                if self._is_due_here():
                    await self.scan()
            except Unavailable as error:
                log.warning("the deposit scan waits: %s", error)
            except Exception:
                log.exception("alert=deposit_scan_error the deposit scan goes on after an error")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._services.settings.deposit_scan_ms / 1000)

    async def scan(self) -> int:
        """Book what is new; returns how many transfers were booked.

        Trading wallets are looked at whenever their finalized balance moved, everything else on full passes: trades
        move vaults and the fee payer all the time, and nobody waits for a donation.

        Raises:
            engine.errors.Unavailable: the chain cannot be asked; nothing was booked.
        """
        services, now_ms = self._services, self._services.clock.now_ms()
        full_pass = now_ms >= self._full_pass_due_ms
        known = await services.database.read(rows.scanned_addresses)
        watched = [one for one in known if full_pass or one.account_id is not None]
        if not watched:
            return 0
        held = (await services.chain.balances([one.address for one in watched], [], finalized=True)).lamports
        moved = [one for one in watched if full_pass or held[one.address] != one.lamports]
        booked = await self._book(moved, held) if moved else 0
        if full_pass:
            self._full_pass_due_ms = now_ms + FULL_PASS_MS
        return booked

    async def _book(self, moved: list[Scanned], held: dict[str, int]) -> int:
        chain, database = self._services.chain, self._services.database
        histories = await chain.histories([(one.address, one.signature) for one in moved])
        changes = await self._foreign_changes(histories)
        cursors = [
            replace(one, signature=history.newest, lamports=held[one.address])
            for one, history in zip(moved, histories, strict=True)
            if not one.known or (history.newest, held[one.address]) != (one.signature, one.lamports)
        ]
        if not cursors and not changes:
            return 0
        owners = {one.address: one for one in moved}
        booked, messages = await database.write(partial(self._record, changes=changes, owners=owners, cursors=cursors))
        self._services.bus.publish(messages)
        return booked

    async def _foreign_changes(self, histories: list[AddressHistory]) -> list[BalanceChange]:
        """The changes made by transactions that are not our settlements', in the order of each address."""
        signatures = sorted({signature for history in histories for signature in history.succeeded})
        if not signatures:
            return []
        own = await self._services.database.read(partial(rows.own_signatures, signatures=signatures))
        wanted = [
            (history.address, signature)
            for history in histories
            for signature in history.succeeded
            if signature not in own
        ]
        changes = await self._services.chain.changes(wanted)
        for change in changes:
            if not change.lamports:
                said = "transaction %s names our %s and moves none of its SOL: perhaps an unknown token"
                log.warning(f"alert=foreign_transaction {said}", change.signature, change.address)
        return [change for change in changes if change.lamports]

    def _record(
        self, connection: Connection, changes: list[BalanceChange], owners: dict[str, Scanned], cursors: list[Scanned]
    ) -> tuple[int, list[BusMessage]]:
        """One transaction: the balances are locked first, so what is found unbooked then stays so until the commit."""
        accounts = {owners[change.address].account_id for change in changes} - {None}
        balances = rows.lock_sol(connection, [account_id for account_id in accounts if account_id is not None])
        known = rows.booked(connection, [_transfer_id(change) for change in changes])
        now_ms = self._services.clock.now_ms()
        transfers: list[Row] = []
        messages: list[BusMessage] = []
        for change in changes:
            if _transfer_id(change) in known:
                continue
            owner = owners[change.address]
            account_seq = 0
            if owner.account_id is not None:
                balance = balances[owner.account_id]
                balance["amount"] += change.lamports
                account_seq = balance["account_seq"] = balance["account_seq"] + 1
                messages.append(events.balance_changed(owner.account_id, "deposit", change.lamports, account_seq))
            else:
                log.warning("alert=donation %s lamports reached our %s", change.lamports, change.address)
            transfers.append(_transfer(change, owner, account_seq, now_ms))
        touched = {transfer["account_id"] for transfer in transfers}
        rows.write(connection, transfers, [balances[one] for one in balances if one in touched], cursors)
        return len(transfers), messages


def _transfer_id(change: BalanceChange) -> str:
    return booking_id("deposit", change.signature, change.address, SOL)


def _transfer(change: BalanceChange, owner: Scanned, account_seq: int, now_ms: int) -> dict[str, Any]:
    return {
        "transfer_id": _transfer_id(change),
        "kind": "donation" if owner.account_id is None else "deposit",
        "account_id": owner.account_id,
        "asset": SOL,
        "amount": change.lamports,
        "account_seq": account_seq,
        "token": owner.token,
        "address": change.address,
        "signature": change.signature,
        "settlement_id": None,
        "created_at_ms": now_ms,
    }
