"""The operator's command for parked orders: `python -m workers parked list | replay ID | reject ID --reason TEXT`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from engine import settings
from engine.bootstrap import open_services
from engine.errors import Refusal
from engine.persistence import parked
from engine.services import Services
from engine.settings import InvalidSettings
from engine.trading import parking
from workers import trade


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code: 0 done, 1 refused, 2 wrong settings or usage."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(options))
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Refusal as refusal:
        sys.stderr.write(f"{refusal.detail}\n")
        return 1


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
    rent_lamports = await trade.account_rent_lamports(services, asyncio.Event())
    assert rent_lamports is not None
    worker = trade.create(services, rent_lamports)
    if options.command == "replay":
        return str(await parking.replay(services, worker, options.id))
    return str(await parking.reject(services, worker, options.id, options.reason[:300]) or "dropped")
