"""GET /api/proof: what anybody may know of the last comparison of ledger and chain."""

import hashlib
import json

import orjson

from blitzhub.api import proof as route
from engine.identifiers import SOL
from engine.ledger.comparison import Line
from engine.ledger.proof import PROOF, published
from engine.persistence import reports, switches
from engine.persistence.switches import Switch, SwitchState
from engine.services import Services
from tests.integration.api.client import TOKEN, Browser, assert_problem

LINES = [
    Line("ann", SOL, ledger=10**18, chain=10**18),
    Line("bob", SOL, ledger=5, chain=6),
    Line("vault", SOL, ledger=7, chain=7),
    Line("ann", TOKEN, ledger=3, chain=3),
]
ROLES = {"ann": "wallets", "bob": "wallets", "vault": "vaults"}


def store(services: Services, differences: int) -> None:
    now_ms = services.clock.now_ms()
    body = published(LINES, ROLES, differences, slot=9, checked_at_ms=now_ms - 4_000)
    with services.database.transaction() as connection:
        reports.store(connection, PROOF, orjson.dumps(body), now_ms)


async def test_before_the_first_check_it_says_so(visitor: Browser) -> None:
    assert_problem(await visitor.get("/api/proof"), 503, "not_checked_yet")


async def test_everybody_reads_totals_age_and_a_hash_that_can_be_made_again(
    visitor: Browser, services: Services
) -> None:
    store(services, 1)
    answer = await visitor.get("/api/proof")
    body = answer.json()
    assert answer.headers["cache-control"] == "public, max-age=2"
    assert body.pop("age_ms") == 4_000
    assert body.pop("withdrawals_frozen_since_ms") is None
    assert body.pop("buying_paused_since_ms") is None
    assert (body["agrees"], body["differences"], body["slot"]) == (False, 1, 9)
    assert body["figures"]["SOL"]["wallets"] == {
        "holdings": 2,
        "ledger": str(10**18 + 5),
        "in_flight": "0",
        "chain": str(10**18 + 6),
    }
    assert set(body["figures"]["tokens"]) == {TOKEN}
    given = body.pop("hash")
    canonical = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
    assert hashlib.sha256(canonical).hexdigest() == given
    assert "ann" not in answer.text


async def test_a_freeze_is_told_without_its_reason(visitor: Browser, services: Services) -> None:
    store(services, 0)
    with services.database.transaction() as connection:
        to = SwitchState(True, "bob SOL ledger 5 found 6", "reconcile", 77)
        switches.turn(connection, Switch.WITHDRAWALS_FROZEN, to)
    answer = await visitor.get("/api/proof")
    assert answer.json()["withdrawals_frozen_since_ms"] == 77
    assert "bob" not in answer.text


async def test_many_readers_cost_one_question_a_second(visitor: Browser, services: Services) -> None:
    store(services, 0)
    await visitor.get("/api/proof")
    before = services.database.statements
    for _ in range(20):
        assert (await visitor.get("/api/proof")).status_code == 200
    assert services.database.statements - before <= 4, f"kept for {route.KEPT_S} s"
