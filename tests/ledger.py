"""A ledger for trading tests: accounts with deposits, tokens on their curve, orders, and what must always hold."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, insert, text, update

from engine.curve import Terms, opening_pool
from engine.identifiers import SOL, AccountId, TokenAddress, order_id
from engine.persistence.database import Database
from engine.persistence.tables import AccountRow, BalanceRow, TokenRow, TransferRow
from engine.trading.orders import Order, Side, body_hash
from engine.trading.prices import ON_POOL, pool_of, terms_of
from engine.trading.rows import booking_id
from tests.fakes import START_MS
from tests.market_data import address, token_values
from tests.replay import Ledger, replayed

ONE_SOL: Final = 1_000_000_000
RENT: Final = 2_074_080
SMALL_CURVE: Final = {"k": "1/1000000", "curve_supply": 1_000_000_000, "total_supply": 1_500_000_000}
"""A curve of 1,000 tokens that is full with half a SOL."""


def account(number: int) -> AccountId:
    """The id of a test account."""
    return AccountId(address(40_000 + number))


def wallet(number: int) -> str:
    """Its trading wallet."""
    return address(50_000 + number)


def token(number: int) -> TokenAddress:
    """The address of a test token."""
    return TokenAddress(address(number))


def fund(connection: Connection, numbers: Iterable[int], lamports: int = 10 * ONE_SOL) -> None:
    """Make these accounts; each deposits so many lamports."""
    for number in numbers:
        owner = account(number)
        connection.execute(insert(AccountRow).values(account_id=owner, wallet=wallet(number), simulated=0))
        connection.execute(insert(BalanceRow).values(account_id=owner, asset=SOL, amount=0, account_seq=0))
        deposit(connection, owner, wallet(number), lamports)


def deposit(connection: Connection, owner: AccountId, address: str, lamports: int) -> None:
    """An account's first deposit, to its trading wallet."""
    mine = (BalanceRow.account_id == owner, BalanceRow.asset == SOL)
    connection.execute(update(BalanceRow).where(*mine).values(amount=lamports, account_seq=1))
    row = {
        "transfer_id": booking_id("deposit", owner),
        "kind": "deposit",
        "account_id": owner,
        "asset": SOL,
        "amount": lamports,
        "account_seq": 1,
        "address": address,
        "created_at_ms": START_MS,
    }
    connection.execute(insert(TransferRow).values(row))


def list_tokens(connection: Connection, numbers: Iterable[int], **changes: Any) -> None:
    """Make these tokens, on their curve before the first trade."""
    connection.execute(insert(TokenRow), [token_values(number, **changes) for number in numbers])


def make_order(
    side: Side,
    amount: int,
    *,
    number: int = 0,
    who: int = 0,
    on: str | None = None,
    bound: int = 1,
    deadline_ms: int = START_MS + 60_000,
) -> Order:
    """An order of a test account; `number` makes its client order id."""
    client_order_id = str(UUID(int=number))
    address_of_token = token(0) if on is None else TokenAddress(on)
    return Order(
        order_id=order_id(account(who), client_order_id),
        account_id=account(who),
        client_order_id=client_order_id,
        token=address_of_token,
        side=side,
        amount=amount,
        bound=bound,
        deadline_ms=deadline_ms,
        body_hash=body_hash(side, address_of_token, amount, bound, deadline_ms),
        accepted_at_ms=START_MS,
    )


def all_of(connection: Connection, table: str) -> list[dict[str, Any]]:
    """Every row of a table."""
    return [dict(row) for row in connection.execute(text(f"SELECT * FROM {table}")).mappings()]


def check(database: Database) -> Ledger:
    """What holds for every ledger at any moment; returns what the replay found."""
    with database.snapshot() as connection:
        tokens, balances, orders, trades, transfers, settlements, candles = (
            all_of(connection, name)
            for name in ("tokens", "balances", "orders", "trades", "transfers", "settlements", "candles")
        )
    rebuilt = replayed(trades, transfers, settlements)
    _balances_are_rebuilt(rebuilt, balances)
    _tokens_are_rebuilt(rebuilt, tokens)
    _sol_is_conserved(tokens, balances, transfers)
    _fills_agree(orders, trades, settlements)
    _candles_agree(candles, trades)
    return rebuilt


def _balances_are_rebuilt(rebuilt: Ledger, balances: Sequence[dict[str, Any]]) -> None:
    assert {(row["account_id"], row["asset"]): row["amount"] for row in balances} == rebuilt.balances
    assert min(rebuilt.balances.values(), default=0) >= 0
    counters = {row["account_id"]: row["account_seq"] for row in balances if row["asset"] == SOL}
    assert counters == rebuilt.account_seqs


def _tokens_are_rebuilt(rebuilt: Ledger, tokens: Sequence[dict[str, Any]]) -> None:
    for row in tokens:
        state = rebuilt.tokens[row["address"]]
        terms = terms_of(row)
        stored = {name: row[name] for name in state.__slots__}
        assert stored == {name: getattr(state, name) for name in state.__slots__}
        held = [amount for (_, asset), amount in rebuilt.balances.items() if asset == row["address"]]
        assert sum(held) == row["supply"]
        assert row["holders"] == sum(amount > 0 for amount in held)
        assert row["market_cap_lamports"] == row["price"] * row["total_supply"] // 10 ** (row["decimals"] + 6)
        if row["stage"] in ON_POOL:
            _pool_holds(row, terms)
        else:
            assert row["supply"] < row["curve_supply"]
            assert row["reserve_lamports"] == row["liquidity_lamports"] >= terms.curve.integral(row["supply"])
            assert row["price"] == (terms.curve.spot_price_units(row["supply"]) if row["seq"] else 0)


def _pool_holds(row: dict[str, Any], terms: Terms) -> None:
    """Trades never lower the product it opened with; the tokens it does not have are in accounts."""
    pool, opened = pool_of(row), opening_pool(terms)
    assert pool.invariant >= opened.invariant
    assert pool.tokens + row["supply"] == opened.tokens + row["curve_supply"] <= row["total_supply"]
    assert row["liquidity_lamports"] == 2 * row["reserve_lamports"]
    assert row["price"] == (terms.curve.spot_price_units(row["curve_supply"]) if pool == opened else pool.price)


def _sol_is_conserved(
    tokens: Sequence[dict[str, Any]], balances: Sequence[dict[str, Any]], transfers: Sequence[dict[str, Any]]
) -> None:
    deposited = sum(row["amount"] for row in transfers if row["kind"] == "deposit")
    rents = -sum(row["amount"] for row in transfers if row["kind"] in ("rent", "launch"))
    held = sum(row["amount"] for row in balances if row["asset"] == SOL)
    in_vaults = sum(
        row["reserve_lamports"] + row["creator_fees_lamports"] + row["platform_fees_lamports"] for row in tokens
    )
    assert held + in_vaults + rents == deposited


def _fills_agree(
    orders: Sequence[dict[str, Any]], trades: Sequence[dict[str, Any]], settlements: Sequence[dict[str, Any]]
) -> None:
    filled = {row["order_id"] for row in orders if row["state"] == "filled"}
    assert len({row["order_id"] for row in orders}) == len(orders)
    assert {row["state"] for row in orders} <= {"filled", "rejected"}
    assert all((row["reason"] is None) == (row["state"] == "filled") for row in orders)
    assert {row["order_id"] for row in trades} == filled
    legs = ("token", "seq", "account_id", "account_seq", "side", "lamports", "tokens")
    legs_of_trades = [row for row in settlements if row["kind"] == "trade"]
    assert {row["settlement_id"]: [row[leg] for leg in legs] for row in legs_of_trades} == {
        row["order_id"]: [row[leg] for leg in legs] for row in trades
    }


def _candles_agree(candles: Sequence[dict[str, Any]], trades: Sequence[dict[str, Any]]) -> None:
    assert sum(row["trades"] for row in candles) == len(trades)
    assert sum(row["volume_lamports"] for row in candles) == sum(row["lamports"] for row in trades)
