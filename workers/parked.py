"""The operator's command for parked orders: `python -m workers parked list | replay ID | reject ID --reason TEXT`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from engine import settings
from engine.bootstrap import open_services
from engine.operators import audit
from engine.persistence import parked
from engine.services import Services
from engine.trading import parking
from workers import service, trade


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code: 0 done, 1 refused, 2 wrong settings or usage."""
    return service.command(_run(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers parked", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the parked orders, oldest first")
    replay = commands.add_parser("replay", help="execute a parked order now, with a new deadline")
    replay.add_argument("id")
    reject = commands.add_parser("reject", help="record a parked order as rejected")
    reject.add_argument("id")
    reject.add_argument("--reason", required=True, help="what its owner is told, at most 300 characters")
    return parser


async def _run(options: argparse.Namespace) -> int:
    async with open_services(settings.load()) as services:
        if options.command == "list":
            lines = parking.summary(await services.database.read(parked.waiting))
            sys.stdout.write("".join(f"{line}\n" for line in lines) or "No order is parked.\n")
        else:
            sys.stdout.write(f"{options.id} {await _ended(services, options)}\n")
    return 0


async def _ended(services: Services, options: argparse.Namespace) -> str:
    reason = options.reason if options.command == "reject" else "replayed by hand"
    wanted = {"state": options.command}
    act = audit.Act(audit.shell(), f"parked_{options.command}", options.id, reason, {"state": "parked"}, wanted)
    async with audit.recorded(services.database, services.clock, act):
        return await _end(services, options)


async def _end(services: Services, options: argparse.Namespace) -> str:
    rent_lamports = await trade.account_rent_lamports(services, asyncio.Event())
    assert rent_lamports is not None
    worker = trade.create(services, rent_lamports)
    if options.command == "replay":
        return str(await parking.replay(services, worker, options.id))
    return str(await parking.reject(services, worker, options.id, options.reason[:300]) or "dropped")
