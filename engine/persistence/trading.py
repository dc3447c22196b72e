"""The trade transaction's statements: lock and read in one fixed order, write in bulk. Portable Core only.

Locks are taken on token rows sorted by address, then on balances sorted by account and asset; whoever else moves
money (deposits, launches, withdrawals) locks in the same order.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, select

from engine.identifiers import SOL, TokenAddress
from engine.indicators.candles import MINUTE_MS, Candle, bucket_of
from engine.persistence.bulk import chunks, insert_rows, select_by_keys, update_rows
from engine.persistence.tables import (
    AccountRow,
    BalanceRow,
    CandleRow,
    OrderRow,
    SettlementRow,
    TokenRow,
    TradeRow,
    TransferRow,
    table,
)
from engine.trading.batch import BalanceKey, Changes, Locked, candle_row
from engine.trading.orders import Order
from engine.trading.prices import TRADABLE, Stage
from engine.trading.rows import Row

TOKENS, BALANCES, CANDLES = table(TokenRow), table(BalanceRow), table(CandleRow)
ORDERS, TRADES, SETTLEMENTS, TRANSFERS = table(OrderRow), table(TradeRow), table(SettlementRow), table(TransferRow)
ACCOUNTS = table(AccountRow)

TOKEN_STATE: Final = (
    "stage",
    "seq",
    "supply",
    "reserve_lamports",
    "creator_fees_lamports",
    "platform_fees_lamports",
    "price",
    "market_cap_lamports",
    "liquidity_lamports",
    "holders",
    "last_trade_at_ms",
    "graduated_at_ms",
    "updated_at_ms",
)
QUEUED_STAGES: Final = sorted({Stage.LAUNCHING.value, *TRADABLE})
BALANCE_STATE: Final = ("amount", "account_seq")
CANDLE_STATE: Final = ("high_price", "low_price", "close_price", "volume_lamports", "trades")


def known_orders(connection: Connection, order_ids: Sequence[str]) -> set[str]:
    """Which of these orders are final already."""
    found: set[str] = set()
    for part in chunks(order_ids):
        found.update(connection.execute(select(ORDERS.c.order_id).where(ORDERS.c.order_id.in_(part))).scalars())
    return found


def lock_tokens(connection: Connection, addresses: Iterable[str]) -> dict[str, Row]:
    """The tokens' rows, locked in address order."""
    found = select_by_keys(connection, TOKENS, ("address",), ((address,) for address in addresses), lock=True)
    return {row["address"]: row for row in found}


def lock_balances(connection: Connection, keys: Iterable[BalanceKey]) -> dict[BalanceKey, Row]:
    """The balances' rows, locked in (account, asset) order."""
    found = select_by_keys(connection, BALANCES, ("account_id", "asset"), keys, lock=True)
    return {(row["account_id"], row["asset"]): row for row in found}


def lock_for(connection: Connection, orders: Sequence[Order], now_ms: int) -> Locked:
    """Everything that these orders may touch. Candles need no lock: the token's row guards them."""
    tokens = lock_tokens(connection, (order.token for order in orders))
    keys: set[BalanceKey] = {(order.account_id, SOL) for order in orders}
    keys.update((order.account_id, order.token) for order in orders if order.token in tokens)
    return Locked(tokens, lock_balances(connection, keys), _running_candles(connection, tokens, now_ms))


def _running_candles(connection: Connection, tokens: dict[str, Row], now_ms: int) -> dict[str, Candle]:
    """The candles that a trade at `now_ms`, or at the token's last trade where the clock went back, would grow."""
    keys = [
        (address, bucket_of(row["last_trade_at_ms"], MINUTE_MS))
        for address, row in tokens.items()
        if row["last_trade_at_ms"] >= bucket_of(now_ms, MINUTE_MS)
    ]
    found = select_by_keys(connection, CANDLES, ("token", "bucket_ms"), keys)
    return {row.pop("token"): Candle(**row) for row in found}


def wallets_of(connection: Connection, account_ids: Iterable[str]) -> dict[str, str]:
    """The trading wallet of each account. Wallets never change, so a caller may keep the answer."""
    found = select_by_keys(connection, ACCOUNTS, ("account_id",), ((account_id,) for account_id in account_ids))
    return {row["account_id"]: row["wallet"] for row in found}


def queued_tokens(connection: Connection) -> list[TokenAddress]:
    """The tokens whose order queues are consumed: all that may trade now or soon, but those that are held."""
    consumed = select(TOKENS.c.address).where(TOKENS.c.stage.in_(QUEUED_STAGES), TOKENS.c.held == 0)
    return [TokenAddress(address) for address in connection.execute(consumed.order_by(TOKENS.c.address)).scalars()]


def held_tokens(connection: Connection) -> list[TokenAddress]:
    """The tokens whose orders wait until an operator releases them."""
    held = select(TOKENS.c.address).where(TOKENS.c.held == 1).order_by(TOKENS.c.address)
    return [TokenAddress(address) for address in connection.execute(held).scalars()]


def write(connection: Connection, changes: Changes) -> None:
    """Write a batch's rows, one statement per kind. A duplicate order raises IntegrityError."""
    insert_rows(connection, ORDERS, changes.orders)
    insert_rows(connection, TRADES, changes.trades)
    insert_rows(connection, SETTLEMENTS, changes.settlements)
    insert_rows(connection, TRANSFERS, changes.transfers)
    insert_rows(connection, BALANCES, list(changes.new_balances.values()))
    insert_rows(connection, CANDLES, [candle_row(*item) for item in changes.new_candles.items()])
    update_rows(connection, TOKENS, ("address",), TOKEN_STATE, list(changes.tokens.values()))
    update_rows(connection, BALANCES, ("account_id", "asset"), BALANCE_STATE, list(changes.balances.values()))
    candles = [candle_row(*item) for item in changes.candles.items()]
    update_rows(connection, CANDLES, ("token", "bucket_ms"), CANDLE_STATE, candles)
