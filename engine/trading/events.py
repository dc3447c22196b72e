"""What the engine says after a commit: immutable facts on bus channels, JSON, past tense.

Amounts and prices are decimal strings (JSON numbers lose integers over 2^53): lamports, base units, and 10^-15 SOL per
whole token. `seq`, `account_seq`, counts and epoch milliseconds are numbers. Every event has a `type`.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from engine.identifiers import AccountId, first_buy_client_order_id, order_id
from engine.indicators.rolling import WINDOWS_MS
from engine.ports import BusMessage
from engine.trading.prices import ON_POOL, pool_tokens

_PRICES_AGO = [f"price_{window}_ago" for window in WINDOWS_MS]

BOARD = "board"
"""Headlines of every token, for the board: `launched`, `headline` and `relisted` events."""


def token_channel(token: str) -> str:
    """Everything that happens to one token: `trade` events in `seq` order, `stage` and `indicators` between them."""
    return f"token:{token}"


def account_channel(account_id: str) -> str:
    """What concerns one account: `order`, `balance`, `withdrawal` and `signed_out` events."""
    return f"account:{account_id}"


def message(channel: str, event: Mapping[str, Any]) -> BusMessage:
    """The event as it travels."""
    return BusMessage(channel, orjson.dumps(event))


def trade(row: Mapping[str, Any], price_before: int, token: Mapping[str, Any]) -> BusMessage:
    """A fill. `row` is the `trades` row, `token` the token's row after it."""
    return message(token_channel(row["token"]), {**trade_json(row, price_before, token["creator"]), **figures(token)})


def trade_json(row: Mapping[Any, Any], price_before: int, creator: str | None) -> dict[str, Any]:
    """A `trades` row as the event and the API say it; the token's figures stand beside it in the event alone."""
    return {
        "type": "trade",
        "token": row["token"],
        "seq": row["seq"],
        "side": row["side"],
        "lamports": str(row["lamports"]),
        "tokens": str(row["tokens"]),
        "price": str(row["price"]),
        "price_before": str(price_before),
        "trader": row["account_id"],
        "sim": bool(row["simulated"]),
        "first_buy": _is_first_buy(row, creator),
        "at_ms": row["executed_at_ms"],
    }


def _is_first_buy(row: Mapping[Any, Any], creator: str | None) -> bool:
    """Whether this is the buy that came with the launch, before anybody else could trade."""
    if row["seq"] != 1 or creator is None or row["account_id"] != creator:
        return False
    return bool(row["order_id"] == order_id(AccountId(creator), first_buy_client_order_id(row["token"])))


def figures(token: Mapping[str, Any]) -> dict[str, Any]:
    """The headline figures of a token's row, as every channel and the API say them; the price stands beside them."""
    return {
        "stage": token["stage"],
        "supply": str(token["supply"]),
        "reserve_lamports": str(token["reserve_lamports"]),
        "market_cap_lamports": str(token["market_cap_lamports"]),
        "liquidity_lamports": str(token["liquidity_lamports"]),
        "holders": token["holders"],
        "creator_fees_lamports": str(token["creator_fees_lamports"]),
        "pool_tokens": str(pool_tokens(token)) if token["stage"] in ON_POOL else None,
    }


def headline(token: Mapping[str, Any]) -> BusMessage:
    """A token's figures changed; for the board, once per token and batch."""
    return message(
        BOARD,
        {
            "type": "headline",
            "token": token["address"],
            "seq": token["seq"],
            "price": str(token["price"]),
            "last_trade_at_ms": token["last_trade_at_ms"],
            **figures(token),
        },
    )


def launched(token: Mapping[str, Any]) -> BusMessage:
    """A token became tradable."""
    return message(BOARD, {"type": "launched", "token": token["address"], "seq": token["seq"]})


def stage_changed(token: Mapping[str, Any]) -> BusMessage:
    """A token's stage is another one now (tradable, graduated, failed, paused)."""
    return message(
        token_channel(token["address"]),
        {
            "type": "stage",
            "token": token["address"],
            "seq": token["seq"],
            "paused": bool(token["paused"]),
            "held": bool(token["held"]),
            **figures(token),
        },
    )


def relisted(token: str) -> BusMessage:
    """An operator changed whether the board shows the token, or what it says there beside figures."""
    return message(BOARD, {"type": "relisted", "token": token})


def indicators_json(token: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a token's row that are measured off the trade path, as every channel and the API say them.

    Prices of the past instead of changes, which would be wrong with the next trade; null where there was none yet.
    """
    return {
        "volume_24h_lamports": str(token["volume_24h_lamports"]),
        "traders_24h": token["traders_24h"],
        **{name: str(token[name]) if token[name] else None for name in _PRICES_AGO},
        "top_ten_bps": token["top_ten_bps"],
        "creator_bps": token["creator_bps"],
        "measured_at_ms": token["measured_at_ms"],
    }


def indicators(address: str, token: Mapping[str, Any]) -> list[BusMessage]:
    """Figures were measured anew; no `seq` of their own, a later `measured_at_ms` wins."""
    event = {"type": "indicators", "token": address, **indicators_json(token)}
    return [message(token_channel(address), event), message(BOARD, event)]


def ranked() -> BusMessage:
    """The ranking of the trending tokens is another one."""
    return message(BOARD, {"type": "ranked"})


def order_decided(account_id: str, event: Mapping[str, Any]) -> BusMessage:
    """An order reached `filled`, `rejected` or `confirmed`.

    Keys: order_id, client_order_id, token, side, state, reason, detail, lamports, tokens, rent_lamports, price,
    signature (each None where it does not apply), account_seq, at_ms. A fill with a rent has two numbers: the rent's is
    the one before `account_seq`.
    """
    return message(account_channel(account_id), {"type": "order", "account": account_id, **event})


def signed_out(account_id: str) -> BusMessage:
    """A session or a key of the account ended: sockets on its channel have to prove themselves anew."""
    return message(account_channel(account_id), {"type": "signed_out", "account": account_id})


def withdrawal_changed(account_id: str, withdrawal: Mapping[str, Any]) -> BusMessage:
    """A withdrawal stands elsewhere now, told as the API tells it to that account."""
    event = {"type": "withdrawal", "account": account_id, **withdrawal}
    return message(account_channel(account_id), event)


def balance_changed(account_id: str, cause: str, lamports: int, account_seq: int) -> BusMessage:
    """An account's SOL changed for another reason than a trade; `cause` is the transfer's kind, `lamports` signed."""
    return message(
        account_channel(account_id),
        {
            "type": "balance",
            "account": account_id,
            "cause": cause,
            "lamports": str(lamports),
            "account_seq": account_seq,
        },
    )
