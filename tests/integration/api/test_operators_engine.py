"""The engine room: who lives and who is dead, what waits, and quantiles that are what they say."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.routing import Mount

from blitzhub.api import create_api
from engine import metrics
from engine.metric_kinds import SECONDS
from engine.operators import audit, room, vitals
from engine.operators.room import DEAD_AFTER_S, EngineRoom, quantile_ms
from engine.persistence import controls, freezes, parked
from engine.services import Services
from tests.fakes import START_MS
from tests.integration.api.client import TOKEN, Browser, add_token

OPERATOR = Ed25519PrivateKey.generate()


@pytest.fixture
def staffed(services: Services) -> Services:
    add_token(services)
    return replace(services, settings=replace(services.settings, viewers=Browser(Starlette(), OPERATOR).address))


@pytest.fixture
async def viewer(staffed: Services) -> AsyncIterator[Browser]:
    api = create_api()
    api.state.services = staffed
    api.state.engine_room = EngineRoom(staffed)
    async with api.state.engine_room.open(), Browser(Starlette(routes=[Mount("/api", api)]), OPERATOR) as browser:
        await browser.sign_in()
        yield browser


def told(name: str, **changes: Any) -> dict[str, Any]:
    """A trade worker's vitals."""
    nothing = {"live": [0] * vitals.BUCKETS, "day": [0] * vitals.BUCKETS, "since_ms": 5}
    return {
        "name": name,
        "runs": ["trade"],
        "backend": "local",
        "version": "1",
        "started_at_ms": 1,
        "at_ms": START_MS,
        "statements_per_s": 100.0,
        "owned_tokens": 3,
        "sockets": None,
        "cache_hits": 0,
        "cache_misses": 0,
        "in_flight": None,
        "queues": [],
        "latencies": {"fill": nothing, "confirm": nothing},
        **changes,
    }


async def test_a_process_tells_of_itself_and_the_page_shows_it(
    viewer: Browser, staffed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vitals, "EVERY_S", 0.05)
    monkeypatch.setattr(room, "KEPT_S", 0.0)
    async with vitals.alive(staffed, ["web", "trade"]), asyncio.timeout(20):
        while not (shown := (await viewer.get("/api/admin/engine")).json())["workers"]:  # noqa: ASYNC110  nothing rings
            await asyncio.sleep(0.05)
    [worker] = shown["workers"]
    assert (worker["runs"], worker["is_dead"]) == (["web", "trade"], False)
    assert worker["name"].startswith("web@")
    assert [each["kind"] for each in shown["statements"]] == ["web+trade"]
    async with asyncio.timeout(20):
        while (await viewer.get("/api/admin/engine")).json()["workers"]:  # noqa: ASYNC110  nothing rings
            await asyncio.sleep(0.05)


def test_who_is_silent_is_dead_and_who_says_goodbye_is_gone(staffed: Services) -> None:
    engine_room = EngineRoom(staffed)
    for name in ("one", "two", "three"):
        engine_room.hear(told(name), 100.0)
    engine_room.hear(told("two"), 100.0 + DEAD_AFTER_S)
    engine_room.hear({"name": "three", "gone": True}, 101.0)
    shown = {each["name"]: each["is_dead"] for each in engine_room.workers(100.0 + DEAD_AFTER_S)}
    assert shown == {"one": True, "two": False}
    assert DEAD_AFTER_S + vitals.EVERY_S + room.KEPT_S < 10, "the page says so within ten seconds"


async def test_the_room_adds_up_what_processes_say_of_a_token(
    viewer: Browser, staffed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = {"token": TOKEN, "orders": 4, "oldest_at_ms": 70}
    fill = {"live": [0, 10, *[0] * (vitals.BUCKETS - 2)], "day": [5] * vitals.BUCKETS, "since_ms": 9}
    some = told("one", queues=[queue], latencies={"fill": fill}, cache_hits=9, cache_misses=1, in_flight=2)
    other = told("two", queues=[queue | {"orders": 1, "oldest_at_ms": 60}], latencies={"fill": fill}, sockets=7)
    messages = [vitals.events.message(vitals.CHANNEL, each) for each in (some, other)]
    staffed.bus.publish(messages)
    await staffed.broker.publish(TOKEN, b"at the broker")  # type: ignore[arg-type]
    monkeypatch.setattr(room, "KEPT_S", 0.0)
    async with asyncio.timeout(20):
        while len((shown := (await viewer.get("/api/admin/engine")).json())["workers"]) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    [waiting] = shown["queues"]
    assert (waiting["orders"], waiting["oldest_at_ms"], waiting["held"]) == (6, 60, False)
    assert shown["statements"] == [{"kind": "trade", "per_s": 200.0, "budget_per_s": 400}]
    assert shown["latencies"]["fill"]["live"]["count"] == 20
    assert shown["latencies"]["fill"]["live"]["p50"] == 8, "half way from 5 to 10 ms, rounded"
    assert shown["cache_hit_rate"] == 0.9
    assert (shown["sockets"], shown["in_flight"]) == ({"two": 7}, {"one": 2})


async def test_an_order_is_shown_as_old_as_it_was_when_its_worker_told_of_it(
    viewer: Browser, staffed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "KEPT_S", 0.0)
    queue = {"token": TOKEN, "orders": 1, "oldest_at_ms": START_MS - 20}
    unreadable = {"token": "x" * 40, "orders": 1, "oldest_at_ms": None}
    staffed.bus.publish([vitals.events.message(vitals.CHANNEL, told("one", queues=[queue, unreadable]))])
    staffed.clock.advance(2_000)  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        while not (shown := (await viewer.get("/api/admin/engine")).json())["queues"]:  # noqa: ASYNC110  nothing rings
            await asyncio.sleep(0.05)
    shown_at_ms = {each["token"]: each["oldest_at_ms"] for each in shown["queues"]}
    assert shown["now_ms"] - shown_at_ms[TOKEN] == 20, "executed since, for all that is known"
    assert shown_at_ms["x" * 40] is None


async def test_held_tokens_and_parked_orders_are_listed(viewer: Browser, staffed: Services) -> None:
    with staffed.database.transaction() as connection:
        controls.set_token(connection, TOKEN, "held", True, 1)
        parked.park([parked.parked_row(TOKEN, b"poison", "unreadable", 3)], connection)
    await staffed.broker.publish(TOKEN, b"waits")  # type: ignore[arg-type]
    shown = (await viewer.get("/api/admin/engine")).json()
    [waiting] = shown["queues"]
    assert (waiting["token"], waiting["orders"], waiting["held"], waiting["is_known"]) == (TOKEN, 1, True, True)
    [row] = shown["parked"]
    assert (row["cause"], row["side"], row["amount"], row["wanted"]) == ("unreadable", None, None, None)
    assert row["symbol"] == shown["queues"][0]["symbol"]
    assert shown["parked_count"] == 1


async def test_since_when_a_token_is_held_is_what_the_audit_log_says(
    viewer: Browser, staffed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "KEPT_S", 0.0)

    async def since_ms() -> int | None:
        [queue] = (await viewer.get("/api/admin/engine")).json()["queues"]
        found: int | None = queue["held_since_ms"]
        return found

    with staffed.database.transaction() as connection:
        controls.set_token(connection, TOKEN, "held", True, 1)
    assert await since_ms() is None, "nobody has put it on record"
    held = []
    for action in ("hold_token", "release_token", "hold_token", "pause_token"):
        held.append(await audit.record(staffed.database, staffed.clock, audit.Act("ann", action, TOKEN, "so", {}, {})))
        staffed.clock.advance(1_000)
    assert await since_ms() == held[2]["at_ms"]
    with staffed.database.transaction() as connection:
        assert controls.set_token(connection, TOKEN, "held", False, 1)
        assert freezes.hold_token(connection, TOKEN, "its vault cannot pay", 5)
    assert await since_ms() is None, "the chain's refusal holds it, whatever an operator did before"


def test_quantiles_lie_in_the_bucket_of_the_true_one() -> None:
    seed = random.Random(7)
    for _ in range(100):
        values_s = [seed.expovariate(1 / seed.choice([0.004, 0.05, 0.7])) for _ in range(seed.randrange(1, 400))]
        counts = [0] * vitals.BUCKETS
        for value in values_s:
            counts[sum(value > bound for bound in SECONDS)] += 1
        for share in room.QUANTILES.values():
            true_s = sorted(values_s)[max(0, -(-int(share * 1000) * len(values_s) // 1000) - 1)]
            bounds = [0.0, *SECONDS]
            place = sum(true_s > bound for bound in SECONDS)
            told_ms = quantile_ms(counts, share)
            assert told_ms is not None
            assert bounds[place] * 1000 - 1 <= told_ms <= bounds[place + 1] * 1000 + 1


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile_ms([0] * vitals.BUCKETS, 0.99) is None
    assert quantile_ms([0] * (vitals.BUCKETS - 1) + [3], 0.5) == 60_000, "beyond the last bound: at least that"


async def test_latencies_are_the_metrics_own(staffed: Services) -> None:
    teller = vitals._Teller(staffed, ["trade"])
    teller._vitals()
    metrics.order_fill.observe_ms([7, 7, 300])
    await asyncio.sleep(0.01)
    fill = orjson.loads(teller._vitals().payload)["latencies"]["fill"]
    assert (fill["live"][1], sum(fill["live"]), fill["day"]) == (2, 3, fill["live"])
