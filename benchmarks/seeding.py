"""The rows a market starts from, as sign-in, deposits and launches leave them; and how far a real one has come."""

import hashlib
from typing import Any, Final

import base58
from sqlalchemy import Connection, func, insert, select

from benchmarks.tape import TERMS, K, Market
from engine.identifiers import SOL, TokenAddress
from engine.persistence.tables import AccountRow, BalanceRow, TokenRow
from engine.persistence.trading import BALANCES, ORDERS, SETTLEMENTS, TOKENS
from engine.settlement.settlement import State
from engine.trading.prices import Stage
from engine.units import LAMPORTS_PER_SOL

FUNDS_LAMPORTS: Final = 1_000 * LAMPORTS_PER_SOL

ACCOUNT_RENT_LAMPORTS: Final = 2_074_080
"""What a Token-2022 account costs; the legs without a chain cannot ask."""


def write_market(market: Market, connection: Connection) -> None:
    """Insert the market's accounts with their SOL, and its tokens before their first trade."""
    accounts = [
        {"account_id": account, "wallet": _address_of("wallet", account), "simulated": 0, "created_at_ms": 1}
        for account in market.accounts
    ]
    balances = [
        {"account_id": account, "asset": SOL, "amount": FUNDS_LAMPORTS, "account_seq": 1} for account in market.accounts
    ]
    connection.execute(insert(AccountRow), accounts)
    connection.execute(insert(BalanceRow), balances)
    connection.execute(insert(TokenRow), [_token(number, token) for number, token in enumerate(market.tokens)])


def funded_accounts(connection: Connection) -> int:
    """How many accounts have SOL."""
    query = select(func.count()).select_from(BALANCES).where(BALANCES.c.asset == SOL, BALANCES.c.amount > 0)
    return int(connection.execute(query).scalar_one())


def tradable_tokens(connection: Connection) -> int:
    """How many tokens trade on their curve."""
    query = select(func.count()).select_from(TOKENS).where(TOKENS.c.stage == Stage.CURVE.value)
    return int(connection.execute(query).scalar_one())


def unconfirmed_settlements(connection: Connection) -> int:
    """How many movements are not confirmed on the chain."""
    query = select(func.count()).select_from(SETTLEMENTS).where(SETTLEMENTS.c.state != State.CONFIRMED.value)
    return int(connection.execute(query).scalar_one())


def all_tokens(connection: Connection) -> list[TokenAddress]:
    """Every token's address."""
    return [TokenAddress(address) for address in connection.execute(select(TOKENS.c.address)).scalars()]


def sequence_numbers(connection: Connection) -> dict[str, int]:
    """How many trades each token has had."""
    return {row.address: row.seq for row in connection.execute(select(TOKENS.c.address, TOKENS.c.seq))}


def first_decision_ms(connection: Connection) -> int:
    """The moment at which the first order was decided, epoch milliseconds."""
    return int(connection.execute(select(func.min(ORDERS.c.decided_at_ms))).scalar_one())


def _token(number: int, address: str) -> dict[str, Any]:
    values = {name: field.default for name, field in TokenRow.model_fields.items() if not field.is_required()}
    return values | {
        "address": address,
        "vault": _address_of("vault", address),
        "creator": _address_of("creator", address),
        "client_id": f"benchmark-{number}",
        "name": f"Benchmark {number}",
        "symbol": f"BENCH{number}",
        "uri": f"/api/tokens/{address}/metadata.json",
        "k": K,
        "n": TERMS.curve.n,
        "decimals": TERMS.curve.decimals,
        "total_supply": TERMS.total_supply,
        "curve_supply": TERMS.curve_supply,
        "fee_bps": TERMS.fees.fee_bps,
        "creator_share_percent": TERMS.fees.creator_share_percent,
        "minimum_buy_lamports": TERMS.minimum_buy_lamports,
        "stage": Stage.CURVE.value,
        "created_at_ms": 1,
        "tradable_at_ms": 1,
    }


def _address_of(kind: str, name: str) -> str:
    return base58.b58encode(hashlib.sha256(f"{kind}:{name}".encode()).digest()).decode()
