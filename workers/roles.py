"""Who runs the platform: `python -m workers roles list | grant WALLET operator|viewer | revoke WALLET`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from engine import settings
from engine.bootstrap import open_services
from engine.identifiers import is_address
from engine.operators import audit
from engine.operators.roles import Role
from engine.persistence import roles as rows
from engine.settings import wallets_of
from workers import service


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code: 0 done, 1 nothing to do under that name, 2 wrong settings or usage."""
    return service.command(_run(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers roles", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every wallet with a role, and whether settings or database say so")
    grant = commands.add_parser("grant", help="give a wallet a role in the database")
    grant.add_argument("wallet", type=_wallet)
    grant.add_argument("role", choices=[role.value for role in Role])
    commands.add_parser("revoke", help="take it away").add_argument("wallet", type=_wallet)
    return parser


def _wallet(text: str) -> str:
    if not is_address(text):
        raise argparse.ArgumentTypeError("not the address of a wallet")
    return text


async def _run(options: argparse.Namespace) -> int:
    async with open_services(settings.load()) as services:
        if options.command == "list":
            named = {Role.OPERATOR: services.settings.operators, Role.VIEWER: services.settings.viewers}
            lines = [f"{wallet} {role} settings" for role, listed in named.items() for wallet in wallets_of(listed)]
            kept = await services.database.read(rows.every_role)
            lines += [f"{row['account_id']} {row['role']} database" for row in kept]
            sys.stdout.write("".join(f"{line}\n" for line in lines) or "Nobody has a role.\n")
            return 0
        if options.command == "grant":
            now_ms = services.clock.now_ms()
            give = partial(rows.set_role, account_id=options.wallet, role=options.role, now_ms=now_ms)
            act = audit.Act(audit.shell(), "grant_role", options.wallet, "by hand", {}, {"role": options.role})
            async with audit.recorded(services.database, services.clock, act):
                await services.database.write(give)
            sys.stdout.write(f"{options.wallet} is {options.role}\n")
            return 0
        act = audit.Act(audit.shell(), "revoke_role", options.wallet, "by hand", {}, {"role": None})
        async with audit.recorded(services.database, services.clock, act):
            await services.database.write(partial(rows.take_role, account_id=options.wallet))
    sys.stdout.write(f"{options.wallet} has no role any more\n")
    return 0
