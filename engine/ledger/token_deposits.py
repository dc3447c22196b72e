"""The scan for tokens of ours that others send to trading wallets: they are credited, once each.

It looks at every token account that the ledger knows, once a minute and where its finalized amount has changed: trades
change them all the time, and a transfer to one names neither the wallet nor anything else that is ours.
"""

import asyncio
import contextlib
import logging
from dataclasses import replace
from functools import partial
from typing import Final

from engine.errors import Unavailable
from engine.ledger.booking import Booking
from engine.persistence import deposits as cursors
from engine.persistence import withdrawals as rows
from engine.persistence.database import Connection
from engine.persistence.deposits import Scanned
from engine.persistence.movements import DEPOSIT, TokenHolding, token_holdings
from engine.ports import AddressHistory, BusMessage, Movement
from engine.services import Services
from engine.settlement.programs import token_account
from engine.trading import events
from engine.trading.rows import booking_id

log = logging.getLogger(__name__)

PERIOD_S: Final = 60.0


class TokenDeposits:
    """One pass at a time: `scan()`; or `run` until told to stop."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self, stop: asyncio.Event) -> None:
        """Scan once a minute until `stop` is set."""
        while not stop.is_set():
            try:
                await self.scan()
            except Unavailable as error:
                log.warning("the scan for tokens waits: %s", error)
            except Exception:
                log.exception("alert=deposit_scan_error the scan for tokens goes on after an error")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PERIOD_S)

    async def scan(self) -> int:
        """Book what is new; how many deposits were booked.

        Raises:
            engine.errors.Unavailable: the chain cannot be asked; what was not booked will be.
        """
        chain = self._services.chain
        held = await self._services.database.read(token_holdings)
        accounts = {str(token_account(one.wallet, one.token)): one for one in held}
        known = await self._services.database.read(partial(cursors.read_cursors, addresses=list(accounts)))
        amounts = (await chain.balances([], [(one.wallet, one.token) for one in held], finalized=True)).tokens
        moved = {
            address: replace(known[address], lamports=amounts[one.wallet, one.token])
            for address, one in accounts.items()
            if not known[address].known or known[address].lamports != amounts[one.wallet, one.token]
        }
        if not moved:
            return 0
        booked = 0
        histories = await chain.histories([(address, cursor.signature) for address, cursor in moved.items()])
        for history in histories:
            cursor = replace(moved[history.address], signature=history.newest)
            booked += await self._book(accounts[history.address], history, cursor)
        return booked

    async def _book(self, holding: TokenHolding, history: AddressHistory, cursor: Scanned) -> int:
        own = await self._services.database.read(partial(cursors.own_signatures, signatures=history.succeeded))
        foreign = [signature for signature in history.succeeded if signature not in own]
        movements = await self._services.chain.movements(holding.wallet, holding.token, foreign) if foreign else []
        record = partial(self._record, holding=holding, movements=movements, cursor=cursor)
        booked, messages = await self._services.database.write(record)
        self._services.bus.publish(messages)
        return booked

    def _record(
        self, connection: Connection, holding: TokenHolding, movements: list[Movement], cursor: Scanned
    ) -> tuple[int, list[BusMessage]]:
        """One transaction: the balance is locked before it is asked what is booked already."""
        arrived = [movement for movement in movements if movement.amount > 0]
        messages: list[BusMessage] = []
        if arrived:
            locked = rows.lock(connection, holding.account_id, holding.token)
            ids = {
                movement.signature: booking_id(DEPOSIT, movement.signature, holding.wallet, holding.token)
                for movement in arrived
            }
            known = cursors.booked(connection, ids.values())
            booking = Booking(locked, holding.account_id, "", self._services.clock.now_ms())
            for movement in arrived:
                if ids[movement.signature] not in known:
                    booking.move(DEPOSIT, holding.token, movement.amount, holding.wallet)
                    proof = {"transfer_id": ids[movement.signature], "signature": movement.signature}
                    booking.transfers[-1] |= {**proof, "settlement_id": None}
            rows.write(connection, locked, booking.transfers)
            arrived = [movement for movement in arrived if ids[movement.signature] not in known]
            if arrived:
                messages = [events.balance_changed(holding.account_id, DEPOSIT, 0, booking.account_seq)]
        cursors.write(connection, [], [], [cursor])
        return len(arrived), messages
