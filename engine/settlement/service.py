"""The settlement worker: sending, listening and confirming side by side until told to stop.

Any number of them share the work (`crew`). Each plans by what the database says of all of them, so a payment is never
sent at the cost of another worker's; every change of a row names the attempt it knows, so nothing is done twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from engine import metrics
from engine.errors import Unavailable
from engine.persistence import heartbeats
from engine.persistence import settlements as rows
from engine.persistence.database import Connection, DatabaseError
from engine.persistence.heartbeats import GONE, Heartbeat
from engine.services import Services
from engine.settlement.confirming import Confirmer, HooksByKind
from engine.settlement.crew import BEAT_S, Crew
from engine.settlement.flights import Flight, Flights
from engine.settlement.sending import Sender, SendingLimits
from engine.settlement.transactions import ComputeBudget

log = logging.getLogger(__name__)

SERVICE: Final = "settle"
ALONE: Final = "embedded"
"""The name of the one worker inside the app's process: what an earlier run left is its own."""
SPACING_S: Final = 0.03
"""Least time between two rounds of a loop: what arrives meanwhile shares statements and requests."""
IDLE_POLL_S: Final = 0.05
RETRY_S: Final = 0.5
REBROADCAST_MS: Final = 1_000
FINALITY_POLL_S: Final = 2.0
FUNDS_CHECK_MS: Final = 30_000
FUNDS_AGAIN_MS: Final = 5_000
RECENT_MS: Final = 3 * 60_000
"""Settlements this young may not be finalized."""
CLOCK_SKEW_MS: Final = 1_000


class SettlementService:
    """Repeats the ledger's movements on the chain."""

    def __init__(self, services: Services, hooks: HooksByKind, name: str = ALONE) -> None:
        settings = services.settings
        budget = ComputeBudget(settings.compute_unit_limit, settings.compute_unit_price_microlamports)
        self._services = services
        self._crew = Crew(name)
        self._beats = 0
        self._may_have_signed = False
        self._flights = Flights()
        skew_ms = 0 if settings.embedded else CLOCK_SKEW_MS
        limits = SendingLimits(settings.settlements_in_flight, budget, skew_ms)
        self._confirmer = Confirmer(
            services,
            self._flights,
            hooks,
        )
        self._sender = Sender(services, self._crew, self._flights, limits, self._confirmer.give_up)
        self._woken = asyncio.Event()
        self._heard_event = asyncio.Event()
        self._heard: set[str] = set()
        self._sweep_due_ms = 0
        self._funds_due_ms = 0
        self._fee_payer_lamports: int | None = None
        metrics.expose(metrics.SETTLING)
        metrics.settlements_in_flight.by(lambda: len(self._flights))
        metrics.fee_payer.by(lambda: self._fee_payer_lamports)
        metrics.fee_payer_low.by(lambda: settings.fee_payer_low_lamports)

    def leads(self) -> bool:
        """Whether this worker, of all that live, does what one should do for all."""
        return self._crew.leads

    async def run(self, stop: asyncio.Event) -> None:
        """Settle until `stop` is set. What was signed before is taken up first."""
        await self._repeat_until_done(self._take_up, stop)
        poll_s = self._services.settings.confirm_poll_ms / 1000
        beside = [
            asyncio.create_task(self._listen(), name="settlement-listen"),
            asyncio.create_task(self._wake_at(stop), name="settlement-stop"),
        ]
        try:
            await asyncio.gather(
                self._every(self._send_round, IDLE_POLL_S, stop, self._woken),
                self._every(self._confirm_round, poll_s, stop, self._heard_event),
                self._every(self._follow_to_finality, FINALITY_POLL_S, stop),
                self._every(self._check_funds, FUNDS_AGAIN_MS / 1000, stop),
                self._every(self._beat, BEAT_S, stop),
            )
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        await self._guarded(partial(self._say, GONE))

    async def _repeat_until_done(self, work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        while not stop.is_set() and not await self._guarded(work):
            await _wait(stop, RETRY_S)

    async def _wake_at(self, stop: asyncio.Event) -> None:
        """Whoever waits for something to do must notice that there is nothing more."""
        await stop.wait()
        self._woken.set()
        self._heard_event.set()

    async def _every(
        self,
        work: Callable[[], Awaitable[None]],
        pause_s: float,
        stop: asyncio.Event,
        wake: asyncio.Event | None = None,
    ) -> None:
        """Run `work` whenever woken and at least once per `pause_s`; an error is logged, and tried again."""
        while not stop.is_set():
            if wake is not None:
                wake.clear()
            good = await self._guarded(work)
            await _wait(stop, SPACING_S if good else RETRY_S)
            await _wait(wake or stop, pause_s)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> bool:
        try:
            await work()
        except Unavailable as error:
            log.warning("settlement waits: %s", error)
            metrics.settlement_waits.labels(error.code).inc()
            return False
        except Exception:
            log.exception("alert=settlement_error settlement goes on after an error")
            return False
        return True

    async def _take_up(self) -> None:
        """Join the crew, and load what an earlier run under this name left, and what nobody follows."""
        await self._beat()
        await self._load()
        await self._check_funds()

    async def _beat(self) -> None:
        """Say that this worker lives, see who else does, and follow what those who are gone have signed."""
        self._beats += 1
        await self._say(self._beats)
        found = await self._services.database.read(partial(heartbeats.of_service, service=SERVICE))
        self._crew.observe(found, self._services.clock.now_ms())
        if await self._services.database.write(self._adopt) or self._may_have_signed:
            await self._load()
            self._may_have_signed = False

    async def _say(self, beats: int) -> None:
        heartbeat = Heartbeat(beats, self._services.clock.now_ms())
        beat = partial(heartbeats.beat, service=SERVICE, worker=self._crew.name, heartbeat=heartbeat)
        await self._services.database.write(beat)

    def _adopt(self, connection: Connection) -> int:
        """Take over the rows that nobody living follows; how many. Two that adopt at once share by chance."""
        worker, gone = self._crew.name, self._crew.gone
        adopted = rows.adopt_signed(connection, worker, self._crew.living)
        if gone:
            adopted += rows.adopt_confirmed(connection, worker, gone, self._recent_ms())
            heartbeats.forget(connection, SERVICE, gone)
        return adopted

    async def _load(self) -> None:
        """Take up what this worker's rows say it follows."""
        database, worker = self._services.database, self._crew.name
        for settlement in await database.read(partial(rows.signed_of, worker=worker)):
            self._flights.add(settlement)
        confirmed = partial(rows.confirmed_of, worker=worker, created_since_ms=self._recent_ms())
        self._flights.remember_confirmed(await database.read(confirmed))

    def _recent_ms(self) -> int:
        return self._services.clock.now_ms() - RECENT_MS

    async def _send_round(self) -> None:
        try:
            sent = await self._sender.round()
        except DatabaseError:
            self._may_have_signed = True  # a commit whose answer was lost left rows that nobody would follow
            raise
        if sent:
            self._woken.set()

    async def _listen(self) -> None:
        """Collect what the socket says; when it breaks the sweep goes on alone until it stands again."""
        while True:
            await self._guarded(self._hear)
            await asyncio.sleep(RETRY_S)

    async def _hear(self) -> None:
        async for signature in self._services.chain.confirmations():
            if signature:
                self._heard.add(signature)
            else:
                await self._services.chain.watch(list(self._flights.by_signature))
            self._heard_event.set()

    async def _confirm_round(self) -> None:
        """What was heard of at once, everything at least once per poll."""
        heard, self._heard = self._heard, set()
        by_signature = self._flights.by_signature
        known = [by_signature[signature] for signature in heard if signature in by_signature]
        if known:
            await self._confirmer.look(known)
        await self._sweep()
        if known:
            self._woken.set()

    async def _sweep(self) -> None:
        now_ms = self._services.clock.now_ms()
        if now_ms < self._sweep_due_ms or not self._flights:
            return
        self._sweep_due_ms = now_ms + self._services.settings.confirm_poll_ms
        missing = await self._confirmer.look(list(self._flights.by_signature.values()))
        overdue = [flight for flight in missing if flight.sent_at_ms <= now_ms - REBROADCAST_MS]
        alive = await self._confirmer.give_back_expired(overdue)
        await self._resend(alive)

    async def _follow_to_finality(self) -> None:
        await self._resend(await self._confirmer.follow_to_finality())

    async def _resend(self, flights: list[Flight]) -> None:
        if flights:
            await self._sender.send(flights)

    async def _check_funds(self) -> None:
        """Keep the fee payer in funds where the chain has a faucet; elsewhere say so when it runs low."""
        chain, settings, now_ms = self._services.chain, self._services.settings, self._services.clock.now_ms()
        if now_ms < self._funds_due_ms:
            return
        fee_payer = await self._services.signer.fee_payer()
        held = (await chain.balances([fee_payer], [])).lamports[fee_payer]
        self._funds_due_ms = now_ms + FUNDS_CHECK_MS
        self._fee_payer_lamports = held
        low_lamports = settings.fee_payer_low_lamports
        if held >= low_lamports:
            return
        if settings.localnet:
            self._funds_due_ms = now_ms + FUNDS_AGAIN_MS
            await chain.airdrop(fee_payer, 2 * low_lamports)
        else:
            log.error("alert=fee_payer_low the fee payer %s holds %s lamports", fee_payer, held)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait that long, or until the event is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
