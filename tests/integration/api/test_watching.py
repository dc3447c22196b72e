"""Requests are timed under their route's name and called by an id; orders are counted by what became of them."""

import uuid

from engine import metrics
from engine.services import Services
from tests.integration.api.client import Browser, add_token, buy_body, set_balance
from tests.promtool import families


async def samples(name: str) -> dict[tuple[str, ...], float]:
    """The samples of a counter, or how many a histogram has seen, by their labels' values."""
    metrics.expose(metrics.WEB)
    family = families((await metrics.answer()).decode())[name]
    kept = [each for each in family.samples if not each.name.endswith(("_bucket", "_sum"))]
    return {tuple(each.labels.values()): each.value for each in kept}


async def test_a_request_counts_under_its_routes_pattern_and_not_under_its_address(trader: Browser) -> None:
    for _ in range(2):
        await trader.get(f"/api/orders/{uuid.uuid4()}")
    await trader.get("/api/nothing/here")
    seen = await samples("blitz_http_request_seconds")
    assert seen["/orders/{client_order_id}", "4xx"] >= 2
    assert seen["/orders/{client_order_id}", "5xx"] == 0, "there from the start, so that the first error is an increase"
    assert not [route for route, _ in seen if "nothing" in route or len(route) > 60]


async def test_every_answer_has_an_id_of_its_own_whatever_the_client_sends(visitor: Browser) -> None:
    answers = [await visitor.get("/api/health/live", headers={"X-Request-Id": "mine"}) for _ in range(2)]
    ids = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(ids) == 2
    assert all(len(each) == 32 for each in ids)


async def test_orders_are_counted_as_queued_or_by_why_they_were_refused(trader: Browser, services: Services) -> None:
    add_token(services)
    refused, accepted = await samples("blitz_orders_refused"), await samples("blitz_orders_accepted")
    assert (await trader.post("/api/buy", json=buy_body())).status_code == 422
    set_balance(services, trader.address, 100_000_000_000)
    assert (await trader.post("/api/buy", json=buy_body())).status_code == 202
    refused_now, accepted_now = await samples("blitz_orders_refused"), await samples("blitz_orders_accepted")
    assert {
        code: count - refused.get(code, 0) for code, count in refused_now.items() if count != refused.get(code, 0)
    } == {("funds",): 1}
    assert {side: count - accepted[side] for side, count in accepted_now.items()} == {("buy",): 1, ("sell",): 0}
