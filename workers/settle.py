"""The settlement worker as a service: repeats the ledger's movements on the chain and books what comes in from it."""

import asyncio
from functools import partial

from engine.ledger.deposits import DepositScan
from engine.services import Services
from engine.settlement.service import SettlementService
from engine.trading import launch
from workers import trade


async def run(services: Services, stop: asyncio.Event) -> None:
    """Settle and scan until `stop` is set; begins once the chain answers.

    A launch's confirmation executes the creator's first buy with the trade worker's own function.
    """
    rent_lamports = await trade.account_rent_lamports(services, stop)
    if rent_lamports is None:
        return
    confirmed = partial(launch.confirmed, execute=trade.create(services, rent_lamports).execute)
    settlement = SettlementService(services, confirmed, launch.failed)
    async with asyncio.TaskGroup() as group:
        group.create_task(settlement.run(stop), name="settlement")
        group.create_task(DepositScan(services).run(stop), name="deposits")
