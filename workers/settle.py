"""The settlement worker as a service: repeats the ledger's movements on the chain and books what comes in from it."""

import argparse
import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from functools import partial

from engine.ledger.deposits import DepositScan
from engine.ledger.endings import withdrawal_hooks
from engine.ledger.releases import Releases
from engine.ledger.token_deposits import TokenDeposits
from engine.services import Services
from engine.settlement.confirming import Hooks
from engine.settlement.service import ALONE, SettlementService
from engine.settlement.settlement import Kind
from engine.trading import graduation, launch
from workers import trade
from workers.service import refuse_embedded, serve


def main(arguments: Sequence[str]) -> int:
    """Settle as a process of its own; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers settle", description="Repeat the ledger on the chain.")
    parser.parse_args(arguments)
    name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
    return serve("settle", partial(run, name=name), refuse_embedded)


async def run(services: Services, stop: asyncio.Event, name: str = ALONE) -> None:
    """Settle under that name and scan until `stop` is set; begins once the chain answers.

    A launch's confirmation executes the creator's first buy with the trade worker's own function.
    """
    rent_lamports = await trade.account_rent_lamports(services, stop)
    if rent_lamports is None:
        return
    confirmed = partial(launch.confirmed, execute=trade.create(services, rent_lamports).execute)
    hooks = {
        Kind.LAUNCH: Hooks(confirmed, launch.failed),
        Kind.GRADUATION: Hooks(graduation.confirmed),
        **withdrawal_hooks(),
    }
    settlement = SettlementService(services, hooks, name)
    async with asyncio.TaskGroup() as group:
        group.create_task(settlement.run(stop), name="settlement")
        group.create_task(DepositScan(services, settlement.leads).run(stop), name="deposits")
        group.create_task(TokenDeposits(services).run(stop), name="token-deposits")
        group.create_task(Releases(services).run(stop), name="releases")
