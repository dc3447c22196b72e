"""The benchmark compares like with like, and ends as tools expect."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uvloop

from benchmarks import trade_path
from benchmarks.drain import drain
from benchmarks.naive import run_naive
from benchmarks.stacks import EmbeddedStack
from benchmarks.tape import TapeMaker, invented_market

LEDGER = {
    "orders": "order_id, account_id, token, side, amount, bound, state",
    "trades": "order_id, seq, account_seq, side, lamports, fee_lamports, tokens, price, supply, reserve_lamports",
    "settlements": "settlement_id, seq, account_seq, wallet, vault, lamports, tokens, rent_lamports, state",
    "transfers": "transfer_id, kind, account_id, amount, account_seq",
    "balances": "account_id, asset, amount, account_seq",
    "tokens": "address, seq, supply, reserve_lamports, creator_fees_lamports, platform_fees_lamports, price, holders",
}


def _rows(path: Path, table: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {LEDGER[table]} FROM {table} ORDER BY 1, 2").fetchall()


def test_the_naive_way_books_exactly_what_the_worker_books(tmp_path: Path) -> None:
    market = invented_market(tokens=3, accounts=10)
    orders = TapeMaker(market).orders(150)

    async def drained() -> int:
        async with EmbeddedStack().bare(tmp_path / "drain") as services:
            await trade_path.seed(services, market)
            return (await drain(services, market.tokens, orders)).trades

    assert uvloop.run(drained()) == 150
    assert run_naive(tmp_path, market, orders).trades == 150
    for table in LEDGER:
        rows = _rows(tmp_path / "drain" / "blitzhub.db", table)
        assert rows
        assert _rows(tmp_path / "naive.db", table) == rows, table


def test_a_third_of_the_tape_sells() -> None:
    orders = TapeMaker(invented_market(tokens=5, accounts=50)).orders(3_000)
    sells = sum(order.side == "sell" for order in orders)
    assert 900 < sells < 1_100


def test_the_last_line_is_the_figures_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--orders", "400", "--tokens", "4", "--accounts", "20", "--naive-orders", "20", "--seconds", "0.3"]
    small += ["--paced-tokens", "1", "--paced-accounts", "3"]
    assert trade_path.main(["--stack", "embedded", *small, "--json"]) == 0
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
    assert figures["trades"] == 400
    assert figures["paced_fills"] == 30
    assert figures["trades_per_s"] > figures["naive_trades_per_s"] > 0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
