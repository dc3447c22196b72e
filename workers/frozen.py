"""The operator's command for what the chain refused: `python -m workers frozen list | retry ID | release ADDRESS`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from engine import settings
from engine.bootstrap import open_services
from engine.errors import NotFound
from engine.operators import audit
from engine.persistence import freezes
from workers import service


class NotFrozen(NotFound):
    """Neither frozen, nor held, nor failed."""

    code = "not_frozen"


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code: 0 done, 1 nothing to do under that name, 2 wrong settings or usage."""
    parser = argparse.ArgumentParser(prog="python -m workers frozen", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="frozen accounts, held tokens and failed settlements")
    commands.add_parser("retry", help="sign a failed settlement again").add_argument("id")
    commands.add_parser("release", help="let an account or a token go on").add_argument("id")
    return service.command(_run(parser.parse_args(arguments)))


async def _run(options: argparse.Namespace) -> int:
    async with open_services(settings.load()) as services:
        if options.command == "list":
            found = await services.database.read(freezes.frozen)
            lines = [f"{each['what']} {each['id']} {each['reason']}\n" for each in found]
            sys.stdout.write("".join(lines) or "Nothing is frozen.\n")
            return 0
        now_ms = services.clock.now_ms()
        work = (
            partial(freezes.retry, settlement_id=options.id)
            if options.command == "retry"
            else partial(freezes.release, address=options.id, now_ms=now_ms)
        )
        act = audit.Act(audit.shell(), f"frozen_{options.command}", options.id, "by hand", {}, {"goes_on": True})
        try:
            async with audit.recorded(services.database, services.clock, act):
                done = await services.database.write(work)
                if not done:
                    raise NotFrozen("There is nothing frozen under that name.")
        except NotFrozen:
            done = False
        await services.broker.recheck_held()
    sys.stdout.write(f"{options.id} {'goes on' if done else 'is not frozen'}\n")
    return 0 if done else 1
