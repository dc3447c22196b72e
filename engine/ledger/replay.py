"""`python -m engine.ledger.replay`: the ledger built anew from its trades and transfers, and proven equal to itself.

The immutable rows are copied into an empty database; balances, tokens and candles are built there from these rows
alone; then both states are compared, row by row. The exit code is 1 where they differ, and each place is named.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from engine import settings
from engine.identifiers import SOL
from engine.ledger.history import TOKEN_MOVEMENTS, Inconsistent, account_history, token_history
from engine.persistence import replaying as rows
from engine.persistence.database import Connection, ConnectionOptions, Database
from engine.settings import InvalidSettings, Settings
from engine.trading.batch import candle_row, market_cap_lamports
from engine.trading.prices import liquidity_lamports

PATIENT: Final = ConnectionOptions(idle_transaction_ms=3_600_000)
"""One transaction reads the whole source: it must not be ended for its pauses."""

EQUAL, DIFFERENT, WRONG_USAGE = 0, 1, 2


class NotEmpty(ValueError):
    """The database to build in has a ledger in it."""


def rebuild(connection: Connection) -> None:
    """Build balances, tokens and candles from the immutable rows in this very database.

    Raises:
        Inconsistent: the rows contradict each other.
    """
    holders: Counter[str] = Counter()
    balances: list[dict[str, Any]] = []
    for account_id, movements in rows.movements_by_account(connection):
        history = account_history(account_id, movements)
        for asset, amount in {str(SOL): 0, **history.amounts}.items():
            number = history.account_seq if asset == SOL else 0
            balances.append({"account_id": account_id, "asset": asset, "amount": amount, "account_seq": number})
            holders[asset] += amount > 0
    rows.write_balances(connection, balances)
    for token in rows.tokens(connection):
        address = token["address"]
        history_of_token = token_history(address, *rows.token_movements(connection, address))
        token |= asdict(history_of_token.state) | {"holders": holders[address]}
        token |= {"market_cap_lamports": market_cap_lamports(token), "liquidity_lamports": liquidity_lamports(token)}
        rows.write_tokens(connection, [token])
        rows.write_candles(connection, [candle_row(address, candle) for candle in history_of_token.candles])


def differences(source: Connection, target: Connection) -> Iterator[str]:
    """Where two ledgers' states differ, in words."""
    before, after = dict(rows.state(source)), dict(rows.state(target))
    for name in sorted(before.keys() | after.keys()):
        here, there = before.get(name, {}), after.get(name, {})
        for figure in sorted(here.keys() | there.keys()):
            if here.get(figure) != there.get(figure):
                yield f"{name} {figure}: {here.get(figure)} in the ledger, {there.get(figure)} rebuilt"


def replay(source: Database, target: Database) -> tuple[dict[str, int], list[str]]:
    """Copy, rebuild and compare: how many rows were replayed, and every difference.

    Raises:
        NotEmpty: the target has a ledger in it.
    """
    with source.snapshot() as original, target.transaction() as copy:
        if not rows.is_empty(copy):
            raise NotEmpty("The database to build in is not empty.")
        counts = rows.copy_facts(original, copy, TOKEN_MOVEMENTS)
        try:
            rebuild(copy)
        except Inconsistent as error:
            return counts, [str(error)]
        return counts, list(differences(original, copy))


def main(arguments: Sequence[str]) -> int:
    """Replay the ledger that the settings name; 0 equal, 1 different, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m engine.ledger.replay", description=__doc__.splitlines()[0])
    parser.add_argument("--into", metavar="URL", help="an empty database to build in (default: a temporary file)")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as directory:
            into = options.into or f"sqlite:///{Path(directory) / 'replayed.db'}"
            return _told(settings.load(), into)
    except (InvalidSettings, NotEmpty) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USAGE


def _told(loaded: Settings, into: str) -> int:
    source = Database(loaded.database_url, _options(loaded))
    target = Database(into, PATIENT)
    try:
        target.migrate()
        counts, found = replay(source, target)
    finally:
        source.close()
        target.close()
    sys.stdout.write("replayed " + ", ".join(f"{count} {name}" for name, count in counts.items()) + "\n")
    sys.stdout.writelines(f"DIFFERENT {each}\n" for each in found)
    sys.stdout.write("balances, tokens and candles are equal\n" if not found else f"{len(found)} differences\n")
    return DIFFERENT if found else EQUAL


def _options(loaded: Settings) -> ConnectionOptions:
    return ConnectionOptions(
        idle_transaction_ms=PATIENT.idle_transaction_ms,
        wallet_dir=loaded.database_wallet_dir,
        wallet_password=loaded.database_wallet_password,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
