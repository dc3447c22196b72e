"""The trade worker as a service: executes the queued orders until told to stop.

`python -m workers trade` runs as many times as wanted: the processes share the tokens among themselves.
"""

import argparse
import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from engine.errors import Unavailable
from engine.services import Services
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE
from engine.trading import parking
from engine.trading.worker import TradeWorker
from workers.service import refuse_embedded, serve

log = logging.getLogger(__name__)

CHAIN_RETRY_S: Final = 1.0
METRICS_EVERY_S: Final = 10.0
STOP_LIMIT_S: Final = 3.0


def main(arguments: Sequence[str]) -> int:
    """Execute orders as a process of its own; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers trade", description=__doc__.splitlines()[0])
    parser.parse_args(arguments)
    return serve("trade", run, refuse_embedded)


async def run(services: Services, stop: asyncio.Event) -> None:
    """Execute orders until `stop` is set; begins once the chain has told what a token account costs."""
    rent_lamports = await account_rent_lamports(services, stop)
    if rent_lamports is None:
        return
    worker = create(services, rent_lamports)
    dead = await services.broker.dead_letters()
    beside = [
        asyncio.create_task(_report(services, worker), name="trade-metrics"),
        asyncio.create_task(parking.carry_out(services, worker), name="parked-wishes"),
    ]
    if dead is not None:
        collecting = parking.collect(services.database, services.clock, dead)
        beside.append(asyncio.create_task(collecting, name="dead-letters"))
    try:
        await worker.run(stop)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.wait(beside, timeout=STOP_LIMIT_S)  # the broker library may swallow a cancellation
        if dead is not None:
            await dead.close()
        done = " ".join(f"{name}={value}" for name, value in asdict(worker.metrics).items())
        log.info("executed statements=%d %s", services.database.statements, done)


async def _report(services: Services, worker: TradeWorker) -> None:
    """Log what the worker did, a line every ten seconds in which it did something."""
    before, statements_before, at_s = asdict(worker.metrics), services.database.statements, time.monotonic()
    while True:
        await asyncio.sleep(METRICS_EVERY_S)
        now, statements, now_s = asdict(worker.metrics), services.database.statements, time.monotonic()
        done = {name: now[name] - before[name] for name in now if name != "workers"}
        if any(done.values()):
            statements_done, elapsed_s = statements - statements_before, now_s - at_s
            log.info(
                "metrics workers=%d statements_per_s=%.1f statements_per_trade=%.3f trades_per_s=%.1f %s",
                now["workers"],
                statements_done / elapsed_s,
                statements_done / max(1, done["trades"]),
                done["trades"] / elapsed_s,
                " ".join(f"{name}={value}" for name, value in done.items()),
            )
        before, statements_before, at_s = now, statements, now_s


def create(services: Services, account_rent_lamports: int) -> TradeWorker:
    """The worker over these services."""
    return TradeWorker(
        services.database,
        services.broker,
        services.bus,
        services.clock,
        account_rent_lamports,
        services.settings.batch_limit,
        services.settings.commit_spacing_ms,
    )


async def account_rent_lamports(services: Services, stop: asyncio.Event) -> int | None:
    """What the chain asks for a token account; waits for a chain that is away, None when stopped before."""
    while not stop.is_set():
        try:
            return await services.chain.rent_lamports(TOKEN_ACCOUNT_SIZE)
        except Unavailable as error:
            log.warning("the trade worker waits for the chain: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CHAIN_RETRY_S)
    return None
