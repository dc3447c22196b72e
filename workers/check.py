"""The operator's first look: `python -m workers check` says what is configured, and asks whether it answers."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from engine import bootstrap, self_check, settings
from engine.settings import InvalidSettings


def main(arguments: Sequence[str]) -> int:
    """Print the table; returns the exit code: 0 everything answers, 1 something does not, 2 wrong settings."""
    parser = argparse.ArgumentParser(
        prog="python -m workers check", description="What is configured, and does it answer?"
    )
    parser.parse_args(arguments)
    try:
        loaded = settings.load()
        answers = asyncio.run(bootstrap.check(loaded))
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(self_check.table(answers, loaded))
    return int(any(each.is_missing for each in answers))
