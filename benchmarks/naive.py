"""The naive way, for comparison: SQLModel objects, one session and one transaction per order.

The same decisions and the same rows in the same kind of database; what differs is only how they reach the database.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from benchmarks.seeding import ACCOUNT_RENT_LAMPORTS, write_market
from benchmarks.tape import Market
from engine.identifiers import SOL
from engine.indicators.candles import MINUTE_MS, Candle, bucket_of, merge
from engine.persistence.database import Database
from engine.persistence.tables import (
    BalanceRow,
    CandleRow,
    OrderRow,
    SettlementRow,
    TokenRow,
    TradeRow,
    TransferRow,
)
from engine.persistence.trading import wallets_of
from engine.trading.batch import market_cap_lamports
from engine.trading.execution import Fill, Purse, Rejection, decide
from engine.trading.orders import Order, OrderState, Side
from engine.trading.rows import order_row, sol_transfer_row, trade_row, trade_settlement_row
from engine.units import LOCKED_LAMPORTS


@dataclass(frozen=True, slots=True)
class Naive:
    """One naive run over a sample of the tape."""

    trades: int
    wall_s: float
    cpu_s: float
    statements: int


def run_naive(database: Database, market: Market, orders: Sequence[Order]) -> Naive:
    """Execute the orders one by one on an empty database."""
    with database.transaction() as connection:
        write_market(market, connection)
    with database.snapshot() as connection:
        wallets = wallets_of(connection, market.accounts)
    statements, cpu_s, started_s = database.statements, time.process_time(), time.perf_counter()
    trades = 0
    for order in orders:
        with database.transaction() as connection, Session(connection) as session:
            trades += execute(session, order, wallets[order.account_id])
            session.flush()
    return Naive(
        trades,
        time.perf_counter() - started_s,
        time.process_time() - cpu_s,
        database.statements - statements,
    )


def execute(session: Session, order: Order, wallet: str) -> bool:
    """Decide one order and book it object by object; whether it filled."""
    now_ms = time.time_ns() // 1_000_000
    token = session.get_one(TokenRow, order.token)
    sol = session.get_one(BalanceRow, (order.account_id, SOL))
    held = session.get(BalanceRow, (order.account_id, order.token))
    purse = Purse(sol.amount - LOCKED_LAMPORTS, held.amount if held else 0, held is not None)
    decision = decide(order, token.model_dump(), purse, now_ms, ACCOUNT_RENT_LAMPORTS)
    if isinstance(decision, Rejection):
        session.add(OrderRow(**order_row(order, OrderState.REJECTED, decision, now_ms)))
        return False
    if held is None:
        held = BalanceRow(account_id=order.account_id, asset=order.token)
        session.add(held)
    if decision.rent_lamports:
        _book_rent(session, order, sol, wallet, decision.rent_lamports, now_ms)
    price_before = token.price
    _move(order, decision, token, sol, held, now_ms)
    _merge_candle(session, decision, token, price_before, now_ms)
    trade = trade_row(order, decision, token.seq, sol.account_seq, now_ms)
    session.add(OrderRow(**order_row(order, OrderState.FILLED, None, now_ms)))
    session.add(TradeRow(**trade))
    session.add(SettlementRow(**trade_settlement_row(trade, wallet, token.vault, decision.rent_lamports, now_ms)))
    return True


def _book_rent(session: Session, order: Order, sol: BalanceRow, wallet: str, lamports: int, now_ms: int) -> None:
    sol.account_seq += 1
    sol.amount -= lamports
    session.add(
        TransferRow(
            **sol_transfer_row(
                "rent", order.account_id, -lamports, sol.account_seq, order.token, wallet, order.order_id, now_ms
            )
        )
    )


def _move(order: Order, fill: Fill, token: TokenRow, sol: BalanceRow, held: BalanceRow, now_ms: int) -> None:
    sign = 1 if order.side is Side.BUY else -1
    before = held.amount
    sol.account_seq += 1
    sol.amount -= sign * fill.lamports
    held.amount += sign * fill.tokens
    token.seq += 1
    token.supply = fill.supply
    token.reserve_lamports = fill.reserve_lamports
    token.creator_fees_lamports += fill.creator_fee_lamports
    token.platform_fees_lamports += fill.fee_lamports - fill.creator_fee_lamports
    token.price = fill.price
    token.market_cap_lamports = market_cap_lamports(token.model_dump())
    token.liquidity_lamports = fill.reserve_lamports
    token.holders += (held.amount > 0) - (before > 0)
    token.last_trade_at_ms = token.updated_at_ms = now_ms


def _merge_candle(session: Session, fill: Fill, token: TokenRow, price_before: int, now_ms: int) -> None:
    row = session.get(CandleRow, (token.address, bucket_of(now_ms, MINUTE_MS)))
    running = Candle(**row.model_dump(exclude={"token"})) if row else None
    grown = merge(running, price_before, fill.price, fill.lamports, now_ms, MINUTE_MS)
    if row is None:
        row = CandleRow(token=token.address, bucket_ms=grown.bucket_ms)
        session.add(row)
    row.open_price, row.high_price, row.low_price = grown.open_price, grown.high_price, grown.low_price
    row.close_price, row.volume_lamports, row.trades = grown.close_price, grown.volume_lamports, grown.trades
