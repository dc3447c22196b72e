"""The full stack as its operators see it: every process answers for its metrics, one order leads through all logs."""

import asyncio
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.databases import postgresql
from tests.promtool import answer, families, promtool
from tests.stack import Stack, running_stack
from tests.traders.client import Refused, TraderClient

pytestmark = pytest.mark.slow

LIMIT_S: Final = 60.0
PRICE_LAMPORTS: Final = 20_000_000
OF_EVERY_ONE: Final = {"blitz_build_info", "blitz_event_loop_lag_seconds", "blitz_alerts", "blitz_database_statements"}
OF: Final = {
    "app": {"blitz_orders_accepted", "blitz_http_request_seconds", "blitz_part_up", "blitz_market_sockets"},
    "stream": {"blitz_market_sockets", "blitz_market_frames", "blitz_bus_gaps"},
    "trade": {"blitz_orders_filled", "blitz_order_fill_seconds", "blitz_queue_oldest_order_seconds"},
    "sign": {"blitz_signer_signed"},
    "settle": {"blitz_settlement_confirm_seconds", "blitz_fee_payer_lamports", "blitz_settlements_in_flight"},
    "indicators": {"blitz_cache_requests"},
    "reconcile": {"blitz_reconcile_differences", "blitz_parked_orders", "blitz_settlements"},
}
SHARED: Final = {"blitz_market_sockets", "blitz_market_frames", "blitz_cache_requests", "blitz_bus_gaps"}
"""Both the app and the stream process serve sockets; all but the signer are on the bus."""

JOBS: Final = ("app", "app", "stream", "stream", "trade", "trade", "sign", "settle", "indicators", "reconcile")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("watched")
    with postgresql(migrated=False) as url, running_stack(directory, url, BLITZ_LOG_FORMAT="json") as running:
        yield running


@pytest.fixture(scope="module")
def order(stack: Stack) -> dict[str, Any]:
    """A confirmed order."""
    return asyncio.run(confirmed_order(stack))


async def confirmed_order(stack: Stack) -> dict[str, Any]:
    """Launch a token and buy it; the order as the API says it in the end."""
    trader = TraderClient(stack.url)
    try:
        async with asyncio.timeout(LIMIT_S):
            await trader.sign_in()
            await trader.faucet()
            while not await trader.free_lamports():  # noqa: ASYNC110  other processes ring no event
                await asyncio.sleep(0.1)
            token = await trader.launch("Trail", "TRAIL")
            while (await trader.get(f"/tokens/{token}"))["stage"] != "curve":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            wanted = str(uuid.uuid4())
            await trader.buy(token, PRICE_LAMPORTS, client_order_id=wanted)
            while (found := await state(trader, wanted))["state"] != "confirmed":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            return found
    finally:
        await trader.close()


async def state(trader: TraderClient, client_order_id: str) -> dict[str, Any]:
    try:
        return await trader.order(client_order_id)
    except Refused as refusal:
        if refusal.code != "not_seen_yet":
            raise
        return {"state": "queued"}


def logged(stack: Stack) -> list[dict[str, Any]]:
    """Every line of our processes, as they wrote it."""
    lines = [line.partition(" | ")[2] for line in stack.told.splitlines()]
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_every_process_answers_for_what_it_does_and_for_nothing_else(stack: Stack, order: dict[str, Any]) -> None:
    told: dict[str, set[str]] = {}
    for job, port in zip(JOBS, stack.metrics_ports, strict=True):
        text = answer(port)
        checked = promtool("check", "metrics", given=text)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, ""), job
        found = families(text)
        build = found["blitz_build_info"].samples[0].labels["service"]
        assert build == job
        told[job] = set(found)
        assert OF_EVERY_ONE | OF[job] <= told[job], job
        for other in OF.keys() - {job}:
            only_there = OF[other] - SHARED
            assert not only_there & told[job], f"{job} speaks for {other}"
    ports = dict(zip(JOBS, stack.metrics_ports, strict=True))
    confirmed = families(answer(ports["settle"]))["blitz_settlement_confirm_seconds"].samples
    assert [each.value >= 2 for each in confirmed if each.name.endswith("_count")] == [True], "a launch and a buy"


def test_no_visitor_reaches_the_metrics(stack: Stack) -> None:
    for path in ("/metrics", "/api/metrics", "/ws/metrics"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{stack.url}{path}", timeout=5)
        assert refused.value.code == 404
        assert b"blitz_" not in refused.value.read()
        refused.value.close()


def test_one_order_leads_through_the_logs_of_every_process(stack: Stack, order: dict[str, Any]) -> None:
    order_id = order["order_id"]
    steps: dict[tuple[str, str], dict[str, Any]] = {}
    for line in logged(stack):
        if order_id in (line.get("order_id"), line.get("settlement_id"), *line.get("filled", ())):
            steps[line["process"], line["message"]] = line
    assert [*steps] == [
        ("app", "queued"),
        ("trade", "decided"),
        ("sign", "signed"),
        ("settle", "sent"),
        ("settle", "confirmed"),
    ], steps
    assert len(steps["app", "queued"]["request_id"]) == 32
    signatures = {line["signature"] for line in steps.values() if "signature" in line}
    assert signatures == {order["signature"]}


def test_a_request_is_named_in_its_answer_and_its_lines(stack: Stack, order: dict[str, Any]) -> None:
    with urllib.request.urlopen(f"{stack.url}/api/health/live", timeout=5) as answered:
        assert len(answered.headers["X-Request-Id"]) == 32
    checks = [line for line in logged(stack) if line["message"] == "self-check"]
    assert [line["parts"].keys() for line in checks] == [{"database", "orders", "bus, cache", "chain", "signer"}] * 2
    assert not any(secret in stack.told for secret in stack.secrets)
