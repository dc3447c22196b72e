"""How long a trade takes from its fill to `confirmed`, and how many a second can be settled.

`python -m benchmarks.settlement`: PostgreSQL, a local chain and the settlement workers, each a process of its own.
The fills are written as the trade worker writes them, by its own function, in this process: first at a steady rate, of
which one account alone makes a tenth, then a backlog at once.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import uvloop
from sqlalchemy import func, select

from benchmarks import servers
from benchmarks.opening import open_market, settled_s
from benchmarks.paced import Paced
from benchmarks.processes import Service, running
from benchmarks.report import json_line
from benchmarks.stacks import localnet
from benchmarks.tape import Market, TapeMaker, invented_market
from engine import settings
from engine.bootstrap import open_services
from engine.persistence.database import Connection, RefusedRow
from engine.persistence.trading import SETTLEMENTS
from engine.services import Services
from engine.settlement.programs import TOKEN_ACCOUNT_SIZE
from engine.settlement.settlement import Kind, State
from engine.trading.orders import Order
from engine.units import LAMPORTS_PER_SOL
from workers import trade

ONE_ACCOUNTS_SHARE: Final = 10
"""Every tenth order is the busiest account's."""
BATCH_S: Final = 0.025
"""The least time between two fills' transactions, as trade workers on a shared database keep it."""
BURST_AT_ONCE: Final = 200
LOWEST_LAMPORTS, HIGHEST_LAMPORTS = LAMPORTS_PER_SOL // 100, LAMPORTS_PER_SOL // 25
CONFIRM_MS: Final = 350
LIMIT_MS: Final = CONFIRM_MS * 3 // 2 + 300
"""What 95 of 100 trades must keep."""


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.settlement", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, metavar="S", help="steady (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=100, metavar="N", help="trades a second (default: %(default)s)")
    parser.add_argument("--accounts", type=int, default=200, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=50, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="settlement workers (default: %(default)s)")
    parser.add_argument("--burst", type=int, default=6_000, metavar="N", help="trades at once in the end, 0 for none")
    parser.add_argument("--json", action="store_true", help="the last line is the figures as JSON")
    return parser.parse_args(arguments)


async def measure(options: argparse.Namespace, directory: Path) -> dict[str, str | float | int]:
    """Run both legs; the figures by name."""
    async with _market(options, directory) as (services, settlers, market):
        tape = TapeMaker(market, lowest_lamports=LOWEST_LAMPORTS, highest_lamports=HIGHEST_LAMPORTS)
        filler = await _Filler.create(services)
        began_ms, cpu_s = services.clock.now_ms(), sum(each.cpu_s for each in settlers)
        await filler.steady(_orders(tape, market, options.rate * options.seconds), options.rate)
        await settled_s(services)
        used_s = sum(each.cpu_s for each in settlers) - cpu_s
        steady = await services.database.read(partial(_latencies, since_ms=began_ms))
        figures: dict[str, str | float | int] = {
            "trades": len(steady.latencies_ms),
            "rate_per_s": options.rate,
            "seconds": options.seconds,
            "accounts": options.accounts,
            "tokens": options.tokens,
            "workers": options.workers,
            "confirm_ms": CONFIRM_MS,
            "limit_ms": LIMIT_MS,
            **{f"p{percent}_ms": round(steady.percentile_ms(percent)) for percent in (50, 95, 99)},
            "max_ms": round(steady.latencies_ms[-1]),
            "settle_cpu_percent": round(100 * used_s / options.seconds, 1),
        }
        if options.burst:
            figures["burst"] = options.burst
            figures["saturates_at_per_s"] = await _burst(services, filler, tape, options.burst)
        figures["load_average"] = round(os.getloadavg()[0], 2)
        return figures


@asynccontextmanager
async def _market(
    options: argparse.Namespace, directory: Path
) -> AsyncIterator[tuple[Services, list[Service], Market]]:
    async with AsyncExitStack() as stack:
        database_url = stack.enter_context(servers.own_database())
        port = await stack.enter_async_context(localnet(directory / "chain"))
        environ = {
            "BLITZ_DATA_DIR": str(directory),
            "BLITZ_SOLANA_RPC_URL": f"http://127.0.0.1:{port}",
            "BLITZ_SOLANA_WS_URL": f"ws://127.0.0.1:{port + 1}",
        }
        settings_of_run = replace(settings.load(environ), database_url=database_url)
        services = await stack.enter_async_context(open_services(settings_of_run))
        settlers = []
        for number in range(options.workers):
            module = ("benchmarks.settler", database_url, f"settler-{number}")
            service = await stack.enter_async_context(running("settle", environ, directory, module))
            await service.said("started")
            settlers.append(service)
        yield services, settlers, await open_market(services, invented_market(options.tokens, options.accounts))


def _orders(tape: TapeMaker, market: Market, count: int) -> list[Order]:
    busiest = market.accounts[0]
    made: list[Order] = []
    for number in range(count):
        made += [tape.order_of(busiest)] if number % ONE_ACCOUNTS_SHARE == 0 else tape.orders(1)
    return made


class _Filler:
    """Executes orders as a trade worker does, without a queue before it."""

    def __init__(self, services: Services, rent_lamports: int) -> None:
        self._services, self._worker = services, trade.create(services, rent_lamports)

    @classmethod
    async def create(cls, services: Services) -> "_Filler":
        """With the rent the chain asks."""
        return cls(services, await services.chain.rent_lamports(TOKEN_ACCOUNT_SIZE))

    async def steady(self, orders: Sequence[Order], per_s: int) -> None:
        """Fill each order in its own moment, those that fall together in one transaction."""
        began_s, done = time.perf_counter(), 0
        while done < len(orders):
            due = min(len(orders), int((time.perf_counter() - began_s) * per_s) + 1)
            if due > done:
                await self.fill(orders[done:due])
                done = due
            await asyncio.sleep(BATCH_S)

    async def fill(self, orders: Sequence[Order]) -> None:
        """In one transaction."""
        try:
            await self._services.database.write(partial(self._worker.execute, orders, False))
        except RefusedRow:
            await self._services.database.write(partial(self._worker.execute, orders, True))


async def _burst(services: Services, filler: _Filler, tape: TapeMaker, count: int) -> float:
    """Trades a second while a backlog is worked off, from its first confirmation to its last."""
    began_ms = services.clock.now_ms()
    orders = tape.orders(count)
    for start in range(0, count, BURST_AT_ONCE):
        await filler.fill(orders[start : start + BURST_AT_ONCE])
    await settled_s(services)
    first_ms, last_ms, confirmed = await services.database.read(partial(_confirmations, since_ms=began_ms))
    return round(confirmed * 1_000 / max(1, last_ms - first_ms), 1)


def _trades(since_ms: int) -> tuple[bool, ...]:
    return (
        SETTLEMENTS.c.kind == Kind.TRADE.value,
        SETTLEMENTS.c.state == State.CONFIRMED.value,
        SETTLEMENTS.c.created_at_ms >= since_ms,
    )


def _latencies(connection: Connection, since_ms: int) -> Paced:
    found = select(SETTLEMENTS.c.confirmed_at_ms - SETTLEMENTS.c.created_at_ms).where(*_trades(since_ms))
    return Paced(tuple(sorted(float(each) for each in connection.execute(found).scalars())), 0.0)


def _confirmations(connection: Connection, since_ms: int) -> tuple[int, int, int]:
    at_ms = SETTLEMENTS.c.confirmed_at_ms
    row = connection.execute(select(func.min(at_ms), func.max(at_ms), func.count()).where(*_trades(since_ms))).one()
    return int(row[0]), int(row[1]), int(row[2])


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 if the steady rate was not kept up with."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="blitz-settlement-") as directory:
        figures = uvloop.run(measure(options, Path(directory)))
    sys.stdout.write("".join(f"{name:<22}{value:>12}\n" for name, value in figures.items()))
    if options.json:
        sys.stdout.write(f"{json_line(figures)}\n")
    return int(float(figures["p95_ms"]) > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
