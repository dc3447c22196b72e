"""The trade worker as a service: executes the queued orders until told to stop."""

import asyncio
import contextlib
import logging
from typing import Final

from engine.errors import Unavailable
from engine.services import Services
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE
from engine.trading.worker import TradeWorker

log = logging.getLogger(__name__)

CHAIN_RETRY_S: Final = 1.0


async def run(services: Services, stop: asyncio.Event) -> None:
    """Execute orders until `stop` is set; begins once the chain has told what a token account costs."""
    rent_lamports = await account_rent_lamports(services, stop)
    if rent_lamports is not None:
        await create(services, rent_lamports).run(stop)


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
