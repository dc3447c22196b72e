"""The operators' command for sweeps: `python -m workers sweep list | propose TOKEN | confirm ID`, with --operator."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from engine import settings
from engine.bootstrap import open_services
from engine.ledger import sweeps
from engine.operators import audit
from engine.persistence import sweeps as rows
from engine.services import Services
from workers import service


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code: 0 done, 1 refused, 2 wrong settings or usage."""
    return service.command(_run(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers sweep", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the sweeps that wait for a second operator")
    propose = commands.add_parser("propose", help="ask for a token's platform fees to be swept to the treasury")
    propose.add_argument("token")
    confirm = commands.add_parser("confirm", help="confirm another operator's sweep; it is then carried out")
    confirm.add_argument("id")
    for command in (propose, confirm):
        command.add_argument("--operator", required=True, help="your wallet, which BLITZ_OPERATORS names")
    return parser


async def _run(options: argparse.Namespace) -> int:
    async with open_services(settings.load()) as services:
        if options.command == "list":
            waiting = await services.database.read(rows.open_sweeps)
            sys.stdout.write("".join(_line(sweep) for sweep in waiting) or "No sweep waits.\n")
        else:
            sys.stdout.write(_line(await _changed(services, options)))
    return 0


async def _changed(services: Services, options: argparse.Namespace) -> dict[str, Any]:
    target = options.token if options.command == "propose" else options.id
    reason = f"{audit.shell()} as {options.operator}"
    act = audit.Act(audit.shell(), f"sweep_{options.command}", target, reason, {}, {"operator": options.operator})
    async with audit.recorded(services.database, services.clock, act):
        if options.command == "propose":
            return await sweeps.propose(services, options.token, options.operator)
        return await sweeps.confirm(services, options.id, options.operator)


def _line(sweep: dict[str, Any]) -> str:
    return (
        f"{sweep['sweep_id']} {sweep['lamports']} lamports of {sweep['token']} to {sweep['treasury']}, "
        f"proposed by {sweep['proposed_by']}\n"
    )
