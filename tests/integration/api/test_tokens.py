"""Tokens through the API: what is read and what is quoted."""

import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select, update

from engine.adapters.bus_memory import MemoryBus
from engine.curve import PoolState, quote_buy, quote_pool_buy, quote_pool_sell, quote_sell
from engine.persistence import market
from engine.persistence.tables import TokenRow, TradeRow
from engine.services import Services
from engine.trading import events
from engine.trading.prices import terms_of
from engine.trading.token_cache import WriteThroughBus
from tests.integration.api.client import TOKEN, Browser, add_token, assert_problem, set_balance
from tests.market_data import token_values, trade_values, write_trades

RICH = 100_000_000_000
SUPPLY, RESERVE = 50_000_000_000, 1_250_000_000


async def test_a_token_is_what_the_market_says_of_it(visitor: Browser, services: Services) -> None:
    add_token(services, description="Big.", image="a" * 64)
    response = await visitor.get(f"/api/tokens/{TOKEN}")
    with services.database.snapshot() as connection:
        assert response.json() == market.token(connection, TOKEN)
    listed = (await visitor.get("/api/tokens?column=new&limit=5")).json()
    assert listed == {"tokens": [response.json()], "next_cursor": None}


async def test_the_board_is_paged(visitor: Browser, services: Services) -> None:
    for number in range(2, 5):
        with services.database.transaction() as connection:
            connection.execute(insert(TokenRow), [token_values(number)])
    seen, cursor = [], ""
    for _ in range(3):
        page = (await visitor.get(f"/api/tokens?limit=1{cursor}")).json()
        seen += [token["address"] for token in page["tokens"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert len(set(seen)) == 3


async def test_trades_and_candles_are_paged_from_the_newest(visitor: Browser, services: Services) -> None:
    add_token(services)
    with services.database.transaction() as connection:
        connection.execute(insert(TradeRow), [trade_values(TOKEN, seq) for seq in (1, 2, 3)])
    first = (await visitor.get(f"/api/tokens/{TOKEN}/trades?limit=2")).json()
    assert ([trade["seq"] for trade in first["trades"]], first["next_before_seq"]) == ([3, 2], 2)
    last = (await visitor.get(f"/api/tokens/{TOKEN}/trades?limit=2&before_seq=2")).json()
    assert ([trade["seq"] for trade in last["trades"]], last["next_before_seq"]) == ([1], None)
    candles = (await visitor.get(f"/api/tokens/{TOKEN}/candles?interval=1s&limit=10")).json()["candles"]
    assert sum(candle["n"] for candle in candles) == 3


async def test_holders_are_accounts_with_a_balance_the_largest_first(trader: Browser, services: Services) -> None:
    add_token(services, creator=trader.address)
    set_balance(services, trader.address, 6_000_000_000, TOKEN)
    holders = (await trader.get(f"/api/tokens/{TOKEN}/holders")).json()["holders"]
    expected = {"account": trader.address, "amount": "6000000000", "share_bps": 100, "creator": True, "sim": False}
    assert holders == [expected]


async def test_the_metadata_is_what_wallets_read(visitor: Browser, services: Services) -> None:
    add_token(services, image="b" * 64)
    assert (await visitor.get(f"/api/tokens/{TOKEN}/metadata.json")).json() == {
        "name": "Voltage Cat",
        "symbol": "VOLT",
        "description": "",
        "image": f"https://localhost:8600/api/images/{'b' * 64}",
    }


STRANGER = "FZyDdnJLfC3ioPVxBzMVLWTp9iSUe4wvBK3y4Dqi4Tf4"


@pytest.mark.parametrize(
    "path", ["", "/quote?side=buy&amount=1000000000", "/candles", "/trades", "/holders", "/metadata.json"]
)
@pytest.mark.parametrize("address", [STRANGER, "SOL", "x" * 3000, "%00", "%F0%9F%92%A9"])
async def test_an_unknown_token_is_not_found(visitor: Browser, services: Services, path: str, address: str) -> None:
    add_token(services)
    assert_problem(await visitor.get(f"/api/tokens/{address}{path}"), 404, "unknown_token")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("/trades?limit=0", "invalid_request"),
        ("/trades?limit=201", "invalid_request"),
        ("/trades?limit=1.5", "invalid_request"),
        ("/trades?before_seq=-1", "invalid_request"),
        (f"/trades?before_seq={2**63}", "invalid_request"),
        (f"/trades?before_seq={'9' * 5000}", "invalid_request"),
        (f"/candles?before_ms={2**64}", "invalid_request"),
        ("/candles?interval=2m", "invalid_request"),
        ("/candles?limit=100000", "invalid_request"),
        ("/quote?side=hold&amount=1", "invalid_request"),
        ("/quote?side=buy", "invalid_request"),
        ("/quote?side=buy&amount=0", "invalid_amount"),
        ("/quote?side=buy&amount=-1", "invalid_amount"),
        ("/quote?side=buy&amount=1e18", "invalid_amount"),
        ("/quote?side=buy&amount=１２３", "invalid_amount"),
        (f"/quote?side=buy&amount={2**63}", "invalid_amount"),
        (f"/quote?side=buy&amount={'9' * 5000}", "invalid_amount"),
        ("/quote?side=buy&amount=1000000000&slippage_bps=-1", "invalid_slippage"),
        ("/quote?side=buy&amount=1000000000&slippage_bps=10000", "invalid_slippage"),
        ("/quote?side=buy&amount=9999999", "below_minimum"),
        ("/quote?side=sell&amount=1", "nothing_received"),
        (f"/quote?side=sell&amount={2**63 - 1}", "more_than_supply"),
    ],
)
async def test_a_bad_question_about_a_token_is_refused(
    visitor: Browser, services: Services, query: str, code: str
) -> None:
    add_token(services, supply=SUPPLY, reserve_lamports=RESERVE)
    assert_problem(await visitor.get(f"/api/tokens/{TOKEN}{query}"), 422, code)


@pytest.mark.parametrize(
    "cursor", ["x", "1.", f"{2**63}.{STRANGER}", f"9999999999999999999.{STRANGER}", "-1.a", "%00", "9" * 101]
)
async def test_a_made_up_cursor_is_refused(trader: Browser, cursor: str) -> None:
    for path in ("/api/tokens?column=new&", "/api/tokens?column=graduated&", "/api/me/orders?"):
        response = await trader.get(f"{path}cursor={cursor}")
        assert response.status_code == 422, response.text
        assert response.json()["code"] in ("invalid_cursor", "invalid_request")


async def test_a_made_up_order_cursor_is_refused(trader: Browser) -> None:
    response = await trader.get(f"/api/me/orders?cursor=9999999999999999999.{'a' * 32}")
    assert_problem(response, 422, "invalid_cursor")


async def test_a_buy_quote_is_what_the_fill_will_be(trader: Browser, services: Services) -> None:
    add_token(services, supply=SUPPLY, reserve_lamports=RESERVE, seq=7)
    set_balance(services, trader.address, RICH)
    terms = terms_of(token_values(supply=SUPPLY))
    expected = quote_buy(terms, SUPPLY, 1_000_000_000)
    got = (await trader.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000&slippage_bps=200")).json()
    assert got == {
        "token": TOKEN,
        "seq": 7,
        "side": "buy",
        "amount": "1000000000",
        "tokens": str(expected.tokens),
        "lamports": str(expected.charged_lamports),
        "minimum": str(expected.tokens * 98 // 100),
        "slippage_bps": 200,
        "fee_lamports": "10000000",
        "fee_bps": 100,
        "refund_lamports": str(expected.refund_lamports),
        "rent_lamports": "2074080",
        "price": str(terms.curve.spot_price_units(SUPPLY)),
        "price_after": str(expected.price_after),
        "price_impact_bps": got["price_impact_bps"],
        "graduates": False,
        "max": got["max"],
    }
    assert 0 < got["price_impact_bps"] < 10_000
    set_balance(services, trader.address, 0, TOKEN)
    again = (await trader.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000")).json()
    assert again["rent_lamports"] == "0", "the token account exists"


async def test_a_sell_quote_is_what_the_fill_will_be(trader: Browser, services: Services) -> None:
    add_token(services, supply=SUPPLY, reserve_lamports=RESERVE)
    set_balance(services, trader.address, 5_000_000, TOKEN)
    expected = quote_sell(terms_of(token_values(supply=SUPPLY)), SUPPLY, 1_000_000)
    got = (await trader.get(f"/api/tokens/{TOKEN}/quote?side=sell&amount=1000000&slippage_bps=0")).json()
    assert (got["tokens"], got["lamports"]) == ("1000000", str(expected.received_lamports))
    assert (got["minimum"], got["fee_lamports"]) == (got["lamports"], str(expected.fees.total_lamports))
    assert (got["rent_lamports"], got["refund_lamports"], got["max"]) == ("0", "0", "5000000")


async def test_a_visitor_gets_a_quote_without_a_maximum(visitor: Browser, services: Services) -> None:
    add_token(services)
    got = (await visitor.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000")).json()
    assert (got["max"], got["price_impact_bps"], got["rent_lamports"]) == (None, None, "2074080")


@pytest.mark.parametrize("lamports", [0, 890_880, 12_964_959, 12_964_960, 1_000_000_000, RICH, 2**62])
async def test_the_largest_buy_is_accepted_and_one_lamport_more_is_not(
    trader: Browser, services: Services, lamports: int
) -> None:
    add_token(services, supply=SUPPLY, reserve_lamports=RESERVE)
    set_balance(services, trader.address, lamports)
    largest = int((await trader.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000")).json()["max"])

    async def buy(amount: int) -> Any:
        order = {"client_order_id": str(uuid.uuid4()), "token": TOKEN, "min_tokens_out": "1"}
        return await trader.post("/api/buy", json={**order, "lamports": str(amount)})

    if largest == 0:
        assert_problem(await buy(10_000_000), 422, "funds")
        return
    assert (await buy(largest)).status_code == 202
    beyond = await buy(largest + 1)
    if lamports < 79_000_000_000:
        assert_problem(beyond, 422, "funds")
    else:
        assert beyond.status_code == 202, "the curve ends there and gives the rest back"


async def test_a_graduated_token_is_quoted_by_its_pool(visitor: Browser, services: Services) -> None:
    add_token(services, stage="graduated", supply=400_000_000_000, reserve_lamports=80_000_000_000)
    pool = PoolState(80_000_000_000, 200_000_000_000)
    bought = quote_pool_buy(pool, 1_000_000_000)
    got = (await visitor.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000")).json()
    assert (got["tokens"], got["fee_lamports"], got["refund_lamports"]) == (str(bought.tokens), "3000000", "0")
    assert (got["price"], got["price_after"]) == ("400000000000", str(bought.price_after))
    sold = quote_pool_sell(pool, 5_000_000)
    got = (await visitor.get(f"/api/tokens/{TOKEN}/quote?side=sell&amount=5000000")).json()
    assert (got["lamports"], got["graduates"]) == (str(sold.received_lamports), False)


async def test_a_launching_token_has_no_quote(visitor: Browser, services: Services) -> None:
    add_token(services, stage="launching")
    assert_problem(await visitor.get(f"/api/tokens/{TOKEN}/quote?side=buy&amount=1000000000"), 409, "not_tradable")


async def test_balances_say_what_is_free(trader: Browser, services: Services) -> None:
    add_token(services, price=10**12)
    set_balance(services, trader.address, 1_000_000_000)
    set_balance(services, trader.address, 5_000_000, TOKEN)
    assert (await trader.get("/api/me/balances")).json() == {
        "lamports": "1000000000",
        "locked_lamports": "890880",
        "free_lamports": "999109120",
        "account_seq": 0,
        "frozen": None,
        "tokens": [
            {
                "token": TOKEN,
                "name": "Voltage Cat",
                "symbol": "VOLT",
                "image": None,
                "decimals": 6,
                "stage": "curve",
                "amount": "5000000",
                "price": "1000000000000",
                "value_lamports": "5000000",
            }
        ],
    }


async def test_the_documents_describe_every_refusal(visitor: Browser) -> None:
    document = (await visitor.get("/api/openapi.json")).json()
    for path, operations in document["paths"].items():
        if path.startswith("/health"):
            continue
        for operation in operations.values():
            assert operation["summary"]
            assert "application/problem+json" in operation["responses"]["4XX"]["content"], path
    assert "example" in document["components"]["schemas"]["Buy"]


async def _candles(browser: Browser, query: str, **headers: str) -> httpx.Response:
    return await browser.get(f"/api/tokens/{TOKEN}/candles?{query}", headers=headers)


async def test_a_page_of_closed_candles_may_be_kept_for_ever_and_the_newest_is_asked_about(
    visitor: Browser, services: Services
) -> None:
    add_token(services, seq=3, last_trade_at_ms=180_300)
    rows = [trade_values(TOKEN, seq, executed_at_ms=seq * 60_000 + 300) for seq in (1, 2, 3)]
    with services.database.transaction() as connection:
        write_trades(connection, rows)
    closed = await _candles(visitor, "interval=1m&limit=1&before_ms=180000")
    assert [each["t"] for each in closed.json()["candles"]] == [120_000]
    assert closed.headers["cache-control"] == "public, max-age=31536000, immutable"
    older = await _candles(visitor, f"interval=1m&limit=1&before_ms={closed.json()['next_before_ms']}")
    assert ([each["t"] for each in older.json()["candles"]], older.json()["next_before_ms"]) == ([60_000], None)
    for open_page in ("interval=1m", "interval=1m&before_ms=180001", "interval=1h&before_ms=180000"):
        assert (await _candles(visitor, open_page)).headers["cache-control"] == "no-cache"
    newest = await _candles(visitor, "interval=1m")
    again = await _candles(visitor, "interval=1m", **{"If-None-Match": newest.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", newest.headers["etag"])


async def test_a_trade_is_in_the_candles_at_once_and_candles_cost_a_query_only_after_one(
    visitor: Browser, services: Services
) -> None:
    add_token(services, seq=1, last_trade_at_ms=60_100)
    with services.database.transaction() as connection:
        write_trades(connection, [trade_values(TOKEN, 1)])
    first = await _candles(visitor, "interval=1s")
    before = services.database.statements
    assert (await _candles(visitor, "interval=1s")).content == first.content
    assert services.database.statements == before
    with services.database.transaction() as connection:
        connection.execute(insert(TradeRow), [trade_values(TOKEN, 2)])
        connection.execute(update(TokenRow).values(seq=2, last_trade_at_ms=60_200))
        token = connection.execute(select(TokenRow.__table__)).mappings().one()
    WriteThroughBus(MemoryBus(), services.cache).publish([events.headline(token)])
    second = await _candles(visitor, "interval=1s", **{"If-None-Match": first.headers["etag"]})
    assert second.status_code == 200
    assert sum(each["n"] for each in second.json()["candles"]) == 2
