"""Reconciliation as a service, and its operator's commands.

`python -m workers reconcile` checks ledger against chain for ever; `--explain` does so once and prints every line that
is in flight; `--lift REASON` lets frozen withdrawals go on once a check finds nothing.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

from engine import settings
from engine.bootstrap import open_services
from engine.ledger.comparison import Line
from engine.ledger.figures import Figures
from engine.ledger.reconciliation import Checked, Reconciler
from engine.operators import audit
from engine.persistence import switches
from engine.persistence.switches import Switch
from engine.services import Services
from workers.service import command, refuse_embedded, serve

DIFFERENT = 1


def main(arguments: Sequence[str]) -> int:
    """Serve, or run one command; the exit code: 0 done and equal, 1 different or refused, 2 wrong settings or usage."""
    parser = argparse.ArgumentParser(prog="python -m workers reconcile", description="Hold ledger against chain.")
    commands = parser.add_mutually_exclusive_group()
    commands.add_argument("--explain", action="store_true", help="check once and print what is in flight")
    commands.add_argument("--lift", metavar="REASON", help="let frozen withdrawals go on, if a check finds nothing")
    options = parser.parse_args(arguments)
    if not options.explain and options.lift is None:
        return serve("reconcile", run, refuse_embedded)
    logging.basicConfig(level=logging.WARNING)
    return command(_command(options))


async def run(services: Services, stop: asyncio.Event) -> None:
    """Check until `stop` is set, and answer for the platform's figures."""
    Figures(services).expose()
    await Reconciler(services).run(stop)


async def _command(options: argparse.Namespace) -> int:
    async with open_services(settings.load()) as services:
        reconciler = Reconciler(services)
        if options.lift is not None:
            switch = Switch.WITHDRAWALS_FROZEN.value
            act = audit.Act(audit.shell(), "lift_freeze", switch, options.lift, {"is_set": True}, {"is_set": False})
            async with audit.recorded(services.database, services.clock, act):
                lifted = await reconciler.lift(options.lift)
            sys.stdout.write("Withdrawals go on.\n" if lifted else "Withdrawals were not frozen.\n")
            return 0
        checked = await reconciler.check_and_record()
        sys.stdout.writelines(f"{line}\n" for line in told(checked))
        state = await services.database.read(lambda c: switches.state(c, Switch.WITHDRAWALS_FROZEN))
        if state is not None and state.is_set:
            sys.stdout.write(f"Withdrawals are frozen by {state.changed_by}: {state.reason}\n")
        return DIFFERENT if checked.findings else 0


def told(checked: Checked) -> list[str]:
    """The check in words: a line per movement in flight, a line per difference, and how much was compared."""
    lines: list[str] = []
    for line in sorted(checked.look.lines, key=_holding):
        if line.in_flight or line.unexplained:
            lines.append(f"{line.address} {line.asset} ledger {line.ledger} chain {line.chain}")
            lines += [f"  {each.amount:+d} {each.what} {each.cause}" for each in line.in_flight]
    lines += [f"DIFFERENCE {finding}" for finding in checked.findings]
    addresses = len({line.address for line in checked.look.lines})
    outcome = f"{len(checked.findings)} differences" if checked.findings else "ledger and chain agree"
    return [*lines, f"{len(checked.look.lines)} holdings of {addresses} addresses compared: {outcome}."]


def _holding(line: Line) -> tuple[str, str]:
    return line.address, line.asset
