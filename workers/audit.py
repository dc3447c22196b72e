"""The audit log: `python -m workers audit verify [--head SEQ:HASH] | export [--format csv|jsonl] | head`."""

import argparse
import sys
from collections.abc import Sequence

from engine import settings
from engine.bootstrap import open_services
from engine.operators import audit
from engine.persistence import audit as rows
from engine.persistence.database import Connection
from workers import service

FORMATS = {"csv": audit.as_csv, "jsonl": audit.as_jsonl}


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code: 0 whole, 1 tampered with, 2 wrong settings or usage."""
    parser = argparse.ArgumentParser(prog="python -m workers audit", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="name every row that was changed, taken away or put in between")
    verify.add_argument("--head", type=_head, help="a row's number and hash, seen before: it must still be there")
    export = commands.add_parser("export", help="every row, oldest first")
    export.add_argument("--format", choices=sorted(FORMATS), default="csv")
    commands.add_parser("head", help="the newest row's number and hash, to be kept elsewhere")
    return service.command(_run(parser.parse_args(arguments)))


def _head(text: str) -> tuple[int, str]:
    seq, _, found = text.partition(":")
    if not seq.isdecimal() or len(found) != len(audit.GENESIS):
        raise argparse.ArgumentTypeError("expected SEQ:HASH, as `audit head` tells it")
    return int(seq), found


async def _run(options: argparse.Namespace) -> int:
    async with open_services(settings.load()) as services:
        if options.command == "head":
            last = await services.database.read(rows.last)
            sys.stdout.write(f"{last['seq']}:{last['hash']}\n" if last else "The log is empty.\n")
            return 0
        if options.command == "export":

            def write(connection: Connection) -> None:
                sys.stdout.writelines(FORMATS[options.format](audit.every_row(connection)))

            await services.database.read(write)
            return 0

        def check(connection: Connection) -> tuple[list[audit.Fault], rows.Row | None]:
            return list(audit.faults(audit.every_row(connection), options.head)), rows.last(connection)

        found, last = await services.database.read(check)
    if found:
        sys.stdout.write("".join(f"{fault.words}\n" for fault in found))
        return 1
    sys.stdout.write(f"The log is whole: {last['seq'] if last else 0} rows.\n")
    return 0
