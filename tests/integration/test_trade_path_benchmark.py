"""The benchmark compares like with like, and ends as tools expect."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop
from sqlalchemy import text

from benchmarks import servers, trade_path
from benchmarks.naive import run_naive
from benchmarks.production import ProductionStack
from benchmarks.stacks import EmbeddedStack, Stack, StackName
from benchmarks.tape import TapeMaker, invented_market
from engine.persistence.database import Database

LEDGER = {
    "orders": "order_id, account_id, token, side, amount, bound, state",
    "trades": "order_id, seq, account_seq, side, lamports, fee_lamports, tokens, price, supply, reserve_lamports",
    "settlements": "settlement_id, seq, account_seq, wallet, vault, lamports, tokens, rent_lamports, state",
    "transfers": "transfer_id, kind, account_id, amount, account_seq",
    "balances": "account_id, asset, amount, account_seq",
    "tokens": "address, seq, supply, reserve_lamports, creator_fees_lamports, platform_fees_lamports, price, holders",
}


def needs_servers() -> None:
    """Skip the test where one of the real servers is not."""
    for url in (servers.POSTGRESQL_URL, servers.BROKER_URL, servers.REDIS_URL):
        address = urlsplit(url)
        try:
            socket.create_connection((address.hostname or "127.0.0.1", address.port or 0), timeout=2).close()
        except OSError as error:
            pytest.skip(f"nothing answers at {address.hostname}:{address.port}: {error}")


def _ledger(database: Database, stack: Stack) -> dict[str, list[Any]]:
    """What is booked. Each token has a queue of its own on a broker, so an account's order across tokens is free."""
    found = {}
    with database.snapshot() as connection:
        for table, columns in LEDGER.items():
            if stack.name is StackName.PRODUCTION and table != "balances":
                columns = columns.replace("account_seq, ", "").replace(", account_seq", "")
            rows = connection.execute(text(f"SELECT {columns} FROM {table} ORDER BY 1, 2"))
            found[table] = [tuple(row) for row in rows]
    return found


@pytest.mark.parametrize("stack", [EmbeddedStack(), ProductionStack()], ids=lambda stack: stack.name)
def test_the_naive_way_books_exactly_what_the_worker_books(stack: Stack, tmp_path: Path) -> None:
    if stack.name is StackName.PRODUCTION:
        needs_servers()
    market = invented_market(tokens=3, accounts=10)
    orders = TapeMaker(market).orders(150)

    async def drained() -> dict[str, list[Any]]:
        async with stack.bare(tmp_path / "drain") as services:
            await trade_path.seed(services, market)
            found = await stack.drain(services, market.tokens, orders)
            assert (found.orders, found.trades) == (150, 150)
            return _ledger(services.database, stack)

    ledger = uvloop.run(drained())
    assert all(ledger.values())
    with stack.database(tmp_path) as database:
        assert run_naive(database, market, orders).trades == 150
        assert _ledger(database, stack) == ledger


def test_a_third_of_the_tape_sells() -> None:
    orders = TapeMaker(invented_market(tokens=5, accounts=50)).orders(3_000)
    sells = sum(order.side == "sell" for order in orders)
    assert 900 < sells < 1_100


@pytest.mark.parametrize("stack", StackName)
def test_the_last_line_is_the_figures_as_json(stack: StackName, capsys: pytest.CaptureFixture[str]) -> None:
    if stack is StackName.PRODUCTION:
        needs_servers()
    small = ["--orders", "400", "--tokens", "4", "--accounts", "20", "--naive-orders", "20", "--seconds", "0.3"]
    small += ["--paced-tokens", "1", "--paced-accounts", "3"]
    assert trade_path.main(["--stack", stack, *small, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(figures)[:7] == [
        "stack",
        "trades_per_s",
        "naive_trades_per_s",
        "statements_per_trade",
        "statements_per_s",
        "p50_ms",
        "p99_ms",
    ]
    assert figures["stack"] == stack
    assert figures["trades"] == 400
    assert figures["paced_fills"] == 30
    assert figures["trades_per_s"] > figures["naive_trades_per_s"] > 0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["statements_per_trade"] > 0
    assert figures["statements_per_s"] > 0
    assert ("broker_limit_per_s" in figures) == (stack is StackName.PRODUCTION)
