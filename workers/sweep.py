"""The operators' command for sweeps: `python -m workers sweep list | propose TOKEN | confirm ID`, with --operator."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from engine import settings
from engine.bootstrap import open_services
from engine.errors import Refusal
from engine.ledger import sweeps
from engine.persistence import sweeps as rows
from engine.settings import InvalidSettings


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code: 0 done, 1 refused, 2 wrong settings or usage."""
    options = _parser().parse_args(arguments)
    try:
        lines = asyncio.run(_run(options))
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Refusal as refusal:
        sys.stderr.write(f"{refusal.detail}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers sweep", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the sweeps that wait for a second operator")
    propose = commands.add_parser("propose", help="ask for a token's platform fees to be swept to the treasury")
    propose.add_argument("token")
    confirm = commands.add_parser("confirm", help="confirm another operator's sweep; it is then carried out")
    confirm.add_argument("id")
    for command in (propose, confirm):
        command.add_argument("--operator", required=True, help="who you are, as BLITZ_OPERATORS names you")
    return parser


async def _run(options: argparse.Namespace) -> list[str]:
    async with open_services(settings.load()) as services:
        if options.command == "list":
            waiting = await services.database.read(rows.open_sweeps)
            return [_line(sweep) for sweep in waiting] or ["No sweep waits."]
        if options.command == "propose":
            return [_line(await sweeps.propose(services, options.token, options.operator))]
        return [_line(await sweeps.confirm(services, options.id, options.operator))]


def _line(sweep: dict[str, Any]) -> str:
    return (
        f"{sweep['sweep_id']} {sweep['lamports']} lamports of {sweep['token']} to {sweep['treasury']}, "
        f"proposed by {sweep['proposed_by']}"
    )
