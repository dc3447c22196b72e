"""Rows for market tests: a token and its tape, written the way the trade worker writes them."""

from typing import Any

import base58
from sqlalchemy import Connection, insert

from engine.indicators.candles import MINUTE_MS, Tick, fold
from engine.persistence.tables import CandleRow, TokenRow, TradeRow


def address(number: int) -> str:
    """A different address for each number; larger numbers sort later."""
    return base58.b58encode((2**252 + number).to_bytes(32, "big")).decode()


def token_values(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A default token on its curve before its first trade."""
    values = {name: field.default for name, field in TokenRow.model_fields.items() if not field.is_required()}
    return {
        **values,
        "address": address(number),
        "vault": address(number + 10_000),
        "creator": address(20_000),
        "client_id": f"client-{number}",
        "name": "Voltage Cat",
        "symbol": "VOLT",
        "uri": "/api/tokens/x/metadata",
        "k": "1/1000000000",
        "n": 1,
        "decimals": 6,
        "total_supply": 600_000_000_000,
        "curve_supply": 400_000_000_000,
        "fee_bps": 100,
        "creator_share_percent": 30,
        "minimum_buy_lamports": 10_000_000,
        "stage": "curve",
        "created_at_ms": 1_000 + number,
        "tradable_at_ms": 1_500 + number,
        **changes,
    }


def trade_values(token: str, seq: int, **changes: Any) -> dict[str, Any]:
    """One fill of the token."""
    values = {name: field.default for name, field in TradeRow.model_fields.items() if not field.is_required()}
    return {
        **values,
        "order_id": f"{token[-8:]}{seq:024d}",
        "token": token,
        "seq": seq,
        "account_id": address(30_000),
        "account_seq": seq,
        "side": "buy",
        "lamports": 500_000_000,
        "tokens": 2_300_716_596,
        "price": 1_000 + seq,
        "executed_at_ms": 60_000 + seq * 100,
        **changes,
    }


def write_token(connection: Connection, **values: Any) -> str:
    """Insert a token; returns its address."""
    row = token_values(**values)
    connection.execute(insert(TokenRow), row)
    return str(row["address"])


def write_trades(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert one token's trades, oldest first, and their one-minute candles."""
    connection.execute(insert(TradeRow), rows)
    minutes = fold(ticks_of(rows), MINUTE_MS)
    connection.execute(
        insert(CandleRow),
        [{"token": rows[0]["token"]} | minute._asdict() for minute in minutes],
    )


def ticks_of(rows: list[dict[str, Any]]) -> list[Tick]:
    """What candles need of trades given oldest first."""
    return [
        Tick(row["executed_at_ms"], rows[index - 1]["price"] if index else 0, row["price"], row["lamports"])
        for index, row in enumerate(rows)
    ]
