"""The bookkeeping of a batch: numbers without gaps, holders, candles, events in order with the right figures."""

from typing import Any, Final

import orjson
import pytest

from engine.curve import PoolState, Rounding
from engine.identifiers import SOL
from engine.indicators.candles import MINUTE_MS, Candle, Tick, fold
from engine.trading import batch as batch_module
from engine.trading.batch import Batch, Locked
from engine.trading.orders import Order, Side
from engine.trading.prices import pool_of, terms_of
from engine.units import LOCKED_LAMPORTS
from tests.fakes import START_MS
from tests.ledger import ONE_SOL, RENT, SMALL_CURVE, account, make_order, token, wallet
from tests.market_data import token_values

MINUTE: Final = START_MS - START_MS % MINUTE_MS


def locked(accounts: int = 3, tokens: int = 2, lamports: int = 10 * ONE_SOL, **token_changes: Any) -> Locked:
    """Rows as a transaction reads them: funded accounts without tokens, tokens without trades."""
    return Locked(
        {token(number): token_values(number, **token_changes) for number in range(tokens)},
        {(account(number), SOL): sol_row(number, lamports) for number in range(accounts)},
        {},
    )


def sol_row(number: int, lamports: int) -> dict[str, Any]:
    return {"account_id": account(number), "asset": SOL, "amount": lamports, "account_seq": 5}


def applied(rows: Locked, orders: list[Order], now_ms: int = START_MS) -> Batch:
    batch = Batch(rows, {account(number): wallet(number) for number in range(9)}, now_ms, RENT)
    for order in orders:
        batch.apply(order)
    return batch


def told(batch: Batch) -> list[dict[str, Any]]:
    return [{"channel": message.channel, **orjson.loads(message.payload)} for message in batch.changes.messages]


def buy(number: int, who: int = 0, on: int = 0, lamports: int = ONE_SOL // 10) -> Order:
    return make_order(Side.BUY, lamports, number=number, who=who, on=token(on))


def sell(number: int, tokens: int, who: int = 0, on: int = 0) -> Order:
    return make_order(Side.SELL, tokens, number=number, who=who, on=token(on))


def test_numbers_of_tokens_and_accounts_have_no_gap_and_rejections_take_none() -> None:
    rows = locked()
    orders = [buy(0), buy(1, who=1), sell(2, 10**18), buy(3, on=1), buy(4, lamports=1), sell(5, 10**9), buy(6, who=1)]
    changes = applied(rows, orders).changes
    assert [(trade["token"], trade["seq"]) for trade in changes.trades] == [
        (token(0), 1), (token(0), 2), (token(1), 1), (token(0), 3), (token(0), 4),
    ]  # fmt: skip
    numbers = [(row["account_id"], row["account_seq"]) for row in [*changes.trades, *changes.transfers]]
    assert sorted(numbers) == sorted(
        [(account(0), number) for number in (6, 7, 8, 9, 10)] + [(account(1), number) for number in (6, 7, 8)]
    )
    assert rows.balances[account(0), SOL]["account_seq"] == 10
    assert len(changes.orders) == 7


def test_the_rent_is_booked_before_its_trade_and_stands_in_the_settlement() -> None:
    changes = applied(locked(), [buy(0), buy(1)]).changes
    [rent] = changes.transfers
    assert (rent["kind"], rent["amount"], rent["account_seq"], rent["asset"]) == ("rent", -RENT, 6, SOL)
    assert rent["settlement_id"] == changes.trades[0]["order_id"]
    assert [row["account_seq"] for row in changes.trades] == [7, 8]
    assert [row["rent_lamports"] for row in changes.settlements] == [RENT, 0]
    assert [(row["wallet"], row["vault"], row["state"]) for row in changes.settlements] == [
        (wallet(0), token_values(0)["vault"], "pending")
    ] * 2


@pytest.mark.parametrize(("spare", "state"), [(0, "filled"), (-1, "rejected")])
def test_the_locked_minimum_stays_in_the_wallet(spare: int, state: str) -> None:
    charged = applied(locked(), [buy(0)]).changes.trades[0]["lamports"]
    rows = locked(lamports=charged + RENT + LOCKED_LAMPORTS + spare)
    changes = applied(rows, [buy(0)]).changes
    assert [row["state"] for row in changes.orders] == [state]
    assert LOCKED_LAMPORTS == 890_880
    if state == "filled":
        assert rows.balances[account(0), SOL]["amount"] == LOCKED_LAMPORTS


def test_holders_are_accounts_with_something() -> None:
    rows = locked()
    holders = []
    batch = applied(rows, [])

    def then(order: Order) -> None:
        batch.apply(order)
        holders.append(rows.tokens[token(0)]["holders"])

    then(buy(0, who=0))
    then(buy(1, who=0))
    then(buy(2, who=1))
    then(sell(3, rows.balances[account(1), token(0)]["amount"] - 1, who=1))
    rest = rows.balances[account(0), token(0)]["amount"]
    then(sell(4, rest, who=0))
    then(buy(5, who=0))
    assert holders == [1, 1, 2, 2, 1, 2]
    assert [row["kind"] for row in batch.changes.transfers] == ["rent", "rent"], "an empty account is paid for already"


def test_a_first_purchase_makes_a_balance_row_once_and_later_ones_change_it() -> None:
    rows = locked()
    first = applied(rows, [buy(0), buy(1)]).changes
    assert list(first.new_balances) == [(account(0), token(0))]
    assert list(first.balances) == [(account(0), SOL)]
    second = applied(rows, [buy(2)]).changes
    assert second.new_balances == {}
    assert set(second.balances) == {(account(0), SOL), (account(0), token(0))}


def test_a_new_minute_is_a_new_candle_and_one_that_runs_grows() -> None:
    rows = locked(tokens=1)
    first = applied(rows, [buy(0), buy(1)], MINUTE).changes
    grown = applied(rows, [sell(2, 10**9)], MINUTE + MINUTE_MS - 1).changes
    rows.candles.clear()  # the next transaction would not read a candle of an older minute
    opened = applied(rows, [buy(3), buy(4)], MINUTE + MINUTE_MS).changes
    assert [(len(changes.new_candles), len(changes.candles)) for changes in (first, grown, opened)] == [
        (1, 0), (0, 1), (1, 0),
    ]  # fmt: skip
    trades = first.trades + grown.trades + opened.trades
    before = [0, *(trade["price"] for trade in trades)]
    ticks = [
        Tick(trade["executed_at_ms"], price, trade["price"], trade["lamports"])
        for trade, price in zip(trades, before, strict=False)
    ]
    assert [grown.candles[token(0)], opened.new_candles[token(0)]] == fold(ticks, MINUTE_MS)
    assert grown.candles[token(0)].trades == 3


def test_a_clock_that_went_back_never_takes_a_trade_back_in_time() -> None:
    rows = locked(tokens=1)
    applied(rows, [buy(0)], MINUTE + MINUTE_MS)
    late = applied(rows, [buy(1)], MINUTE - 5).changes
    assert late.trades[0]["executed_at_ms"] == MINUTE + MINUTE_MS
    assert late.orders[0]["decided_at_ms"] == MINUTE - 5
    assert isinstance(late.candles[token(0)], Candle)
    assert late.new_candles == {}


def test_events_come_in_order_with_the_figures_after_each_trade() -> None:
    rows = locked()
    batch = applied(rows, [buy(0), sell(1, 10**18), buy(2, who=1, on=1), buy(3)])
    events = told(batch)
    assert [(event["type"], event.get("seq"), event.get("state")) for event in events] == [
        ("trade", 1, None),
        ("order", None, "filled"),
        ("order", None, "rejected"),
        ("trade", 1, None),
        ("order", None, "filled"),
        ("trade", 2, None),
        ("order", None, "filled"),
        ("headline", 2, None),
        ("headline", 1, None),
    ]
    first, second = (event for event in events if event["type"] == "trade" and event["token"] == token(0))
    one, _, two = batch.changes.trades
    assert (first["price_before"], first["price"], second["price_before"]) == ("0", str(one["price"]), first["price"])
    assert (first["holders"], first["supply"], first["reserve_lamports"]) == (
        1,
        str(one["supply"]),
        str(one["reserve_lamports"]),
    )
    assert (second["lamports"], second["tokens"]) == (str(two["lamports"]), str(two["tokens"]))
    assert second["market_cap_lamports"] == str(two["price"] * 600_000 // 10**6)
    assert events[-2]["price"] == second["price"]
    assert {event["channel"] for event in events} == {
        f"token:{token(0)}", f"token:{token(1)}", f"account:{account(0)}", f"account:{account(1)}", "board",
    }  # fmt: skip
    filled, rejected = events[1], events[2]
    assert (filled["lamports"], filled["tokens"], filled["account_seq"]) == (first["lamports"], first["tokens"], 7)
    assert (rejected["reason"], rejected["lamports"], rejected["account_seq"]) == ("funds", None, 7)


def test_the_buy_that_fills_the_curve_opens_the_pool_at_the_same_price() -> None:
    rows = locked(tokens=1, **SMALL_CURVE)
    batch = applied(rows, [buy(0, lamports=ONE_SOL)])
    row = rows.tokens[token(0)]
    assert (row["stage"], row["supply"], row["graduated_at_ms"]) == ("graduating", row["curve_supply"], START_MS)
    assert (row["reserve_lamports"], row["liquidity_lamports"]) == (ONE_SOL // 2, ONE_SOL)
    assert pool_of(row) == PoolState(ONE_SOL // 2, 500_000_000)
    assert pool_of(row).price == row["price"]
    spent = 10 * ONE_SOL - rows.balances[account(0), SOL]["amount"]
    assert spent == RENT + ONE_SOL // 2 + row["creator_fees_lamports"] + row["platform_fees_lamports"]
    mark = batch.changes.settlements[1]
    assert [mark[name] for name in ("kind", "token", "seq", "lamports", "tokens", "wallet", "vault", "state")] == [
        "graduation", token(0), 2, ONE_SOL // 2, 500_000_000, row["vault"], row["vault"], "pending",
    ]  # fmt: skip


def test_what_rounding_left_on_the_curve_is_the_platforms_when_the_pool_opens() -> None:
    rows = locked(tokens=1, **SMALL_CURVE)
    row = rows.tokens[token(0)]
    row |= {"supply": 10**9 - 1_000, "reserve_lamports": ONE_SOL // 2, "seq": 4}
    changes = applied(rows, [buy(0)]).changes
    exact = terms_of(row).curve.cost(10**9 - 1_000, 10**9, Rounding.UP)
    [surplus] = [transfer for transfer in changes.transfers if transfer["kind"] == "surplus"]
    assert (surplus["amount"], surplus["account_id"], surplus["settlement_id"]) == (
        exact, None, changes.settlements[1]["settlement_id"],
    )  # fmt: skip
    [trade] = changes.trades
    fees_lamports = trade["fee_lamports"] - trade["creator_fee_lamports"]
    assert (row["reserve_lamports"], row["platform_fees_lamports"]) == (ONE_SOL // 2, fees_lamports + exact)
    assert (row["seq"], trade["seq"], trade["reserve_lamports"]) == (6, 5, ONE_SOL // 2 + exact)


def test_the_order_after_the_one_that_graduates_trades_on_the_pool() -> None:
    rows = locked(tokens=1, **SMALL_CURVE)
    batch = applied(rows, [buy(0, lamports=ONE_SOL), buy(1, who=1), sell(2, 10**6)])
    assert [event["type"] for event in told(batch)] == [
        "trade", "stage", "order", "trade", "order", "trade", "order", "headline",
    ]  # fmt: skip
    assert [(trade["seq"], trade["fee_lamports"]) for trade in batch.changes.trades][1] == (
        3,
        ONE_SOL // 10 * 30 // 10_000,
    )
    assert [event.get("seq") for event in told(batch) if event["type"] in ("trade", "stage")] == [1, 2, 3, 4]
    stage, pool_trade = told(batch)[1], told(batch)[3]
    assert (stage["stage"], pool_trade["stage"]) == ("graduating", "graduating")
    assert pool_trade["price_before"] == told(batch)[0]["price"], "no seam in the price"
    assert pool_trade["liquidity_lamports"] == str(2 * batch.changes.trades[1]["reserve_lamports"])


def test_an_order_whose_decision_raises_is_an_engine_error_and_the_batch_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decide = batch_module.decide

    def fails_on_the_second(order: Order, *rest: Any) -> Any:
        if order.client_order_id.endswith("1"):
            raise ZeroDivisionError("a bug")
        return decide(order, *rest)

    monkeypatch.setattr(batch_module, "decide", fails_on_the_second)
    rows = locked()
    changes = applied(rows, [buy(0), buy(1), buy(2)]).changes
    assert [(row["state"], row["reason"]) for row in changes.orders] == [
        ("filled", None), ("rejected", "engine_error"), ("filled", None),
    ]  # fmt: skip
    assert [trade["seq"] for trade in changes.trades] == [1, 2]
    assert "alert=engine_error" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_more_tokens_than_the_curve_ever_sold_are_an_engine_error() -> None:
    rows = locked()
    rows.balances[account(0), token(0)] = {
        "account_id": account(0), "asset": token(0), "amount": 10**9, "account_seq": 0,
    }  # fmt: skip
    changes = applied(rows, [sell(0, 10**9)]).changes
    assert [row["reason"] for row in changes.orders] == ["engine_error"]
    assert changes.trades == []


def test_an_unknown_account_and_an_unknown_token_are_recorded_rejections() -> None:
    changes = applied(locked(), [buy(0, who=8), sell(1, 5, who=8), buy(2, on=7)]).changes
    assert [row["reason"] for row in changes.orders] == ["funds", "funds", "unknown_token"]
    assert (changes.trades, changes.tokens, changes.balances) == ([], {}, {})


def test_nothing_happened_is_nothing_to_write_or_to_say() -> None:
    changes = applied(locked(), []).changes
    assert changes.messages == []
