"""Launching through the API: the token, its picture, and the SOL to try it with."""

import io
import uuid
from typing import Any

import pytest
from PIL import Image

from engine.services import Services
from tests.fakes import FakeBroker, FakeChain
from tests.integration.api.client import Browser, assert_problem, row_counts, set_balance

RICH = 100_000_000_000


def picture(size: tuple[int, int] = (300, 200), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "orange").save(out, kind)
    return out.getvalue()


def launch_body(**changes: Any) -> dict[str, Any]:
    body = {"client_id": str(uuid.uuid4()), "name": "Blue Whale", "symbol": "WHALE"}
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


async def test_a_launch_is_booked_and_can_be_asked_for_again(trader: Browser, services: Services) -> None:
    set_balance(services, trader.address, RICH)
    image = (await trader.post("/api/images", content=picture())).json()["image"]
    body = launch_body(image=image, description="Big.", first_buy_lamports="1000000000", first_buy_min_tokens_out="1")
    response = await trader.post("/api/tokens", json=body)
    assert (response.status_code, response.json()["stage"]) == (202, "launching")
    assert (await trader.post("/api/tokens", json=body)).json() == response.json()
    token = (await trader.get(f"/api/tokens/{response.json()['token']}")).json()
    assert (token["name"], token["symbol"], token["stage"]) == ("Blue Whale", "WHALE", "launching")
    assert (token["creator"], token["image"]) == (trader.address, f"/api/images/{image}")
    assert isinstance(services.broker, FakeBroker)
    assert services.broker.published == []


async def test_the_openings_rules_are_public_before_anyone_can_buy(trader: Browser, services: Services) -> None:
    set_balance(services, trader.address, RICH)
    rules = {"opening_fee_bps": 2_000, "opening_fee_ms": 30_000, "opening_cap_bps": 200, "opening_cap_ms": 600_000}
    launched = (await trader.post("/api/tokens", json=launch_body(**rules))).json()["token"]
    token = (await trader.get(f"/api/tokens/{launched}")).json()
    assert token["stage"] == "launching"
    assert (token["opening_fee_bps"], token["opening_fee_ms"]) == (2_000, 30_000)
    assert (token["opening_cap_tokens"], token["opening_cap_ms"]) == ("12000000000", 600_000)


BAD_LAUNCHES = [
    ({"symbol": "whale"}, "invalid_symbol"),
    ({"symbol": "WHA\u202eLE"}, "invalid_symbol"),
    ({"symbol": "WHA\u200bLE"}, "invalid_symbol"),
    ({"symbol": "WHALE\x07"}, "invalid_symbol"),
    ({"symbol": 5}, "invalid_symbol"),
    ({"name": "Blue\u202eWhale"}, "invalid_name"),
    ({"name": "x" * 33}, "invalid_name"),
    ({"name": True}, "invalid_name"),
    ({"description": "\x00"}, "invalid_description"),
    ({"description": "x" * 501}, "invalid_description"),
    ({"image": "a" * 64}, "unknown_image"),
    ({"image": "../../etc/passwd"}, "unknown_image"),
    ({"image": 5}, "unknown_image"),
    ({"client_id": "1"}, "invalid_client_id"),
    ({"client_id": 1}, "invalid_client_id"),
    ({"first_buy_lamports": "1"}, "below_minimum"),
    ({"first_buy_lamports": "-1"}, "invalid_amount"),
    ({"first_buy_lamports": 1_000_000_000}, "invalid_amount"),
    ({"first_buy_lamports": True}, "invalid_amount"),
    ({"first_buy_lamports": False}, "invalid_amount"),
    ({"first_buy_lamports": 0}, "invalid_amount"),
    ({"first_buy_lamports": []}, "invalid_amount"),
    ({"first_buy_lamports": "1000000000", "first_buy_min_tokens_out": "0"}, "invalid_amount"),
    ({"first_buy_lamports": str(RICH)}, "funds"),
    ({"first_buy_lamports": str(2**63 - 1)}, "funds"),
    ({"opening_fee_bps": 100}, "invalid_opening"),
    ({"opening_fee_ms": 100}, "invalid_opening"),
    ({"opening_fee_bps": 5_001, "opening_fee_ms": 1_000}, "invalid_opening"),
    ({"opening_fee_bps": 100, "opening_fee_ms": 60_001}, "invalid_opening"),
    ({"opening_fee_bps": -1, "opening_fee_ms": 1_000}, "invalid_opening"),
    ({"opening_fee_bps": "100", "opening_fee_ms": 1_000}, "invalid_opening"),
    ({"opening_fee_bps": True, "opening_fee_ms": 1_000}, "invalid_opening"),
    ({"opening_cap_bps": 9, "opening_cap_ms": 1_000}, "invalid_opening"),
    ({"opening_cap_bps": 10_000, "opening_cap_ms": 1_000}, "invalid_opening"),
    ({"opening_cap_bps": 10, "opening_cap_ms": 3_600_001}, "invalid_opening"),
    ({"opening_cap_bps": 10, "opening_cap_ms": 1_000, "first_buy_lamports": "1000000000"}, "invalid_opening"),
    ({"surprise": 1}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "code"), BAD_LAUNCHES)
async def test_a_launch_that_cannot_be_is_refused(
    trader: Browser, services: Services, changes: dict[str, Any], code: str
) -> None:
    set_balance(services, trader.address, RICH)
    before = row_counts(services)
    assert_problem(await trader.post("/api/tokens", json=launch_body(**changes)), 422, code)
    assert row_counts(services) == before


async def test_nobody_launches_or_uploads_without_a_session(visitor: Browser) -> None:
    assert_problem(await visitor.post("/api/tokens", json=launch_body()), 401, "not_signed_in")
    assert_problem(await visitor.post("/api/images", content=picture()), 401, "not_signed_in")


async def test_a_picture_is_served_for_ever_under_its_hash(trader: Browser, services: Services) -> None:
    first = await trader.post("/api/images", content=picture())
    assert first.status_code == 201
    assert (await trader.post("/api/images", content=picture())).json() == first.json()
    assert row_counts(services)["images"] == 1
    served = await trader.get(first.json()["url"])
    assert served.headers["content-type"] == "image/webp"
    assert served.headers["cache-control"] == "public, max-age=31536000, immutable"
    with Image.open(io.BytesIO(served.content)) as drawn:
        assert drawn.size == (256, 171)


@pytest.mark.parametrize("image", ["a" * 64, "A" * 64, "x", "%00", "..%2f..%2fetc%2fpasswd"])
async def test_a_picture_nobody_uploaded_is_not_found(visitor: Browser, image: str) -> None:
    assert (await visitor.get(f"/api/images/{image}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "not_an_image"),
        (b"no picture", 422, "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "not_an_image"),
        (picture(kind="BMP"), 422, "not_an_image"),
        (picture()[:60], 422, "not_an_image"),
        (picture((5001, 5000)), 422, "image_too_large"),
        (b"\x89PNG" + b"\0" * 6_000_000, 413, "body_too_large"),
    ],
    ids=["empty", "text", "svg", "bmp", "truncated", "huge", "6 MB"],
)
async def test_what_is_no_picture_is_refused(
    trader: Browser, services: Services, body: bytes, status: int, code: str
) -> None:
    before = row_counts(services)
    assert_problem(await trader.post("/api/images", content=body), status, code)
    assert row_counts(services) == before


async def test_the_faucet_sends_sol_to_the_trading_wallet(trader: Browser, services: Services) -> None:
    response = await trader.post("/api/faucet", json={})
    assert response.status_code == 202
    assert response.json() == {"signature": "airdrop1", "lamports": "10000000000"}
    wallet = (await trader.get("/api/me")).json()["wallet"]
    assert isinstance(services.chain, FakeChain)
    assert services.chain.airdrops == [(wallet, 10_000_000_000)]
    assert (await trader.get("/api/me/balances")).json()["lamports"] == "0", "it arrives as a deposit"
    for _ in range(2):
        await trader.post("/api/faucet")
    assert_problem(await trader.post("/api/faucet"), 429, "too_many_requests")
