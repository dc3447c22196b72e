"""Sending: pending settlements are planned, built, signed, stored and only then handed to the cluster."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from engine.errors import Unavailable
from engine.identifiers import SOL
from engine.persistence import settlements as rows
from engine.ports import Blockhash
from engine.services import Services
from engine.settlement.flights import Flight, Flights
from engine.settlement.planning import Holdings, sendable
from engine.settlement.programs import MAX_TRANSACTION_BYTES
from engine.settlement.settlement import Settlement, State
from engine.settlement.signing import Signer, SignerRefused
from engine.settlement.transactions import ComputeBudget, build, message_bytes

log = logging.getLogger(__name__)

BLOCKHASH_MS: Final = 1_000
"""How long a blockhash is used: a fraction of the minute it is good for."""

SIGNED_AT_ONCE: Final = 8
"""Building and signing takes 0.2 ms each; the event loop breathes after this many."""


GiveUp = Callable[[Settlement, str], Awaitable[None]]
"""Called with a settlement that can never be sent, and why."""


@dataclass(frozen=True, slots=True)
class SendingLimits:
    """How much may be on its way at once, and what a transaction may use.

    Pending rows are read oldest first; `clock_skew_ms` is how far the clocks that dated them may differ.
    """

    in_flight: int
    budget: ComputeBudget
    clock_skew_ms: int


class Sender:
    """One round at a time: `round()`."""

    def __init__(
        self, services: Services, signer: Signer, flights: Flights, limits: SendingLimits, give_up: GiveUp
    ) -> None:
        self._services, self._signer, self._flights, self._limits = services, signer, flights, limits
        self._give_up = give_up
        self._window = limits.in_flight
        self._key_names: dict[str, str] = {}
        self._blockhash: Blockhash | None = None
        self._blockhash_at_ms = 0

    async def round(self) -> int:
        """Send what may be sent now; how many were signed.

        Raises:
            engine.errors.Unavailable: the chain cannot be asked; whatever is stored will be sent again.
        """
        free = self._limits.in_flight - len(self._flights)
        if free <= 0:
            return 0
        given_back = self._flights.given_back
        waiting, complete = await self._pending()
        if not waiting:
            return 0
        holdings = await self._holdings(waiting)
        if holdings.slot < self._flights.newest_slot or given_back != self._flights.given_back:
            return 0
        self._flights.forget_confirmed(holdings.slot)
        self._flights.forget_failed(waiting)
        chosen = sendable(waiting, self._flights.unsettled(), self._flights.confirmed, holdings)[:free]
        if chosen:
            self._window = self._limits.in_flight
        elif not complete:
            self._window *= 2
        signed = await self._signed(chosen)
        if signed:
            await self.send(await self._stored(signed))
        return len(signed)

    async def _pending(self) -> tuple[list[Settlement], bool]:
        """The oldest pending settlements, cut where an older one may be missing, and whether they are all there are."""
        while True:
            found = await self._services.database.read(partial(rows.pending, limit=self._window))
            if len(found) < self._window:
                return found, True
            cut_ms = found[-1].created_at_ms - self._limits.clock_skew_ms
            whole = [settlement for settlement in found if settlement.created_at_ms < cut_ms]
            if whole:
                return whole, False
            self._window *= 2

    async def _holdings(self, waiting: list[Settlement]) -> Holdings:
        keys = {(payer, asset) for settlement in waiting for payer, asset, _ in settlement.outflows()}
        wallets = sorted(payer for payer, asset in keys if asset == SOL)
        accounts = sorted(key for key in keys if key[1] != SOL)
        found = await self._services.chain.balances(wallets, accounts)
        amounts = {(address, str(SOL)): lamports for address, lamports in found.lamports.items()}
        return Holdings(found.slot, amounts | found.tokens)

    async def _signed(self, chosen: list[Settlement]) -> list[Settlement]:
        if not chosen:
            return []
        if any(settlement.attempt for settlement in chosen):
            self._blockhash = None  # with the same one a repeated message would be the very transaction that failed
        blockhash = await self._fresh_blockhash()
        await self._learn_keys(chosen)
        signed = []
        for number, settlement in enumerate(chosen):
            if number % SIGNED_AT_ONCE == SIGNED_AT_ONCE - 1:
                await asyncio.sleep(0)
            try:
                signed.append(self._sign(settlement, blockhash))
            except Unavailable:
                raise
            except SignerRefused as error:
                await self._give_up(settlement, error.detail)
            except Exception as error:
                # One row that cannot be built must not keep all others from the chain.
                log.exception("settlement %s cannot be built or signed", settlement.settlement_id)
                await self._give_up(settlement, repr(error))
        return signed

    def _sign(self, settlement: Settlement, blockhash: Blockhash) -> Settlement:
        message = build(settlement, self._signer.fee_payer, blockhash.value, self._limits.budget)
        signed = self._signer.sign(message_bytes(message), settlement, self._key_names)
        if len(signed.transaction) > MAX_TRANSACTION_BYTES:
            raise SignerRefused(f"the transaction has {len(signed.transaction)} bytes")
        return replace(
            settlement,
            state=State.SIGNED,
            attempt=settlement.attempt + 1,
            signature=signed.signature,
            signed_bytes=signed.transaction,
            last_valid_block_height=blockhash.last_valid_block_height,
        )

    async def _stored(self, signed: list[Settlement]) -> list[Flight]:
        """The flights of those whose bytes are on disk now; the others were taken by somebody else and are dropped."""
        stored = await self._services.database.write(partial(rows.store_signed, signed=signed))
        return [self._flights.add(settlement) for settlement in signed if settlement.settlement_id in stored]

    async def send(self, flights: list[Flight]) -> None:
        """Hand the stored bytes of these to the cluster, for the first time or again."""
        now_ms = self._services.clock.now_ms()
        for flight in flights:
            flight.sent_at_ms = now_ms
        chain = self._services.chain
        _, refusals = await asyncio.gather(
            chain.watch([flight.signature for flight in flights]),
            chain.send([flight.transaction for flight in flights]),
        )
        for flight, refusal in zip(flights, refusals, strict=True):
            if refusal is not None:
                log.warning("settlement %s: the node said %s", flight.settlement.settlement_id, refusal)

    async def _fresh_blockhash(self) -> Blockhash:
        now_ms = self._services.clock.now_ms()
        if self._blockhash is None or now_ms - self._blockhash_at_ms > BLOCKHASH_MS:
            self._blockhash, self._blockhash_at_ms = await self._services.chain.latest_blockhash(), now_ms
        return self._blockhash

    async def _learn_keys(self, chosen: list[Settlement]) -> None:
        owners = {
            address for settlement in chosen for address in (settlement.wallet, settlement.vault, settlement.token)
        }
        unknown = sorted(owners - self._key_names.keys())
        if unknown:
            self._key_names |= await self._services.database.read(partial(rows.key_names, addresses=unknown))
