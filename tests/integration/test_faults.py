"""Servers that go away, refuse, fill up or take no writes under a running site.

It is told clearly, no order is lost or doubled, and everything goes on without a restart.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.app import needs_frontend
from tests.fleet import receiving, until
from tests.ledger import check
from tests.servers import PASSWORD
from tests.site import Site, running_site
from tests.traders.client import Refused, TraderClient

pytestmark = pytest.mark.slow

UNAVAILABLE = (503, "database_unavailable")
QUEUED = (202, "queued")
REFUSING = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{words}' USING ERRCODE = '{code}'; END $$
"""
WRITTEN_FIRST = ("orders", "nonces")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs_frontend()
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
async def trader(site: Site) -> AsyncIterator[TraderClient]:
    await until(receiving(site.worker, len(site.tokens)))
    client = site.trader()
    assert await site.answers(client, 2) == {QUEUED: 2}
    await site.all_filled(client)
    before = (site.app.pid, site.worker.process.pid)
    yield client
    site.lines.mend()
    await site.all_filled(client)
    await client.close()
    assert (site.app.pid, site.worker.process.poll()) == (before[0], None), "nothing was started again"
    check(site.database)


@contextmanager
def broken(breaks: Callable[[], None], mends: Callable[[], None]) -> Iterator[None]:
    breaks()
    try:
        yield
    finally:
        mends()


@contextmanager
def refused_writes(words: str, code: str, site: Site) -> Iterator[None]:
    """The server says these words, with this code, to whoever inserts something.

    Not by the role's `default_transaction_read_only`: a session that has read before says READ WRITE, which outdoes it.
    """
    made = [f"CREATE TRIGGER refuse BEFORE INSERT ON {table} EXECUTE FUNCTION refuse()" for table in WRITTEN_FIRST]
    site.cluster.run(REFUSING.format(words=words, code=code), *made)
    try:
        yield
    finally:
        site.cluster.run(*(f"DROP TRIGGER refuse ON {table}" for table in WRITTEN_FIRST))


async def refused(trader: TraderClient) -> tuple[int, str]:
    """What is answered to something that is written into the database."""
    with pytest.raises(Refused) as refusal:
        await trader.post("/auth/nonce", {})
    assert "retry-after" in refusal.value.headers
    return refusal.value.status, refusal.value.code


async def test_a_database_that_is_away(site: Site, trader: TraderClient) -> None:
    for line in (site.lines.database, site.lines.worker_database):
        line.cut()
    assert await site.answers(trader, 3) == {UNAVAILABLE: 3}
    assert await refused(trader) == UNAVAILABLE
    assert site.logged("alert=database_error")


async def test_a_worker_whose_database_is_away_executes_later_what_was_accepted(
    site: Site, trader: TraderClient
) -> None:
    site.lines.worker_database.cut()
    assert await site.answers(trader, 5) == {QUEUED: 5}
    await until(lambda: bool(site.worker.lines("alert=database_error orders wait for the database")))


async def test_a_database_that_wants_another_password(site: Site, trader: TraderClient) -> None:
    def set_to(password: str) -> None:
        site.cluster.run(f"ALTER ROLE blitz PASSWORD '{password}'")

    with broken(lambda: set_to("another"), lambda: set_to(PASSWORD)):
        site.cluster.end_connections()
        assert await site.answers(trader, 3) == {UNAVAILABLE: 3}
        assert site.logged("password authentication failed")
    assert not site.logged(f"blitz:{PASSWORD}")


async def test_a_database_that_takes_no_writes(site: Site, trader: TraderClient) -> None:
    with refused_writes("cannot execute INSERT in a read-only transaction", "read_only_sql_transaction", site):
        assert [await refused(trader) for _ in range(8)] == [UNAVAILABLE] * 8
        assert site.logged("in a read-only transaction")
        assert await site.answers(trader, 3) == {QUEUED: 3}, "an order is only queued"
        await until(lambda: site.logged("orders wait for the database: cannot execute"))


async def test_a_full_disk(site: Site, trader: TraderClient) -> None:
    with refused_writes("could not extend file: No space left on device", "disk_full", site):
        assert await refused(trader) == UNAVAILABLE
        assert await site.answers(trader, 3) == {QUEUED: 3}
        await until(lambda: site.logged("orders wait for the database: could not extend file: No space left"))


async def test_a_broker_that_is_away(site: Site, trader: TraderClient) -> None:
    for line in (site.lines.broker, site.lines.worker_broker):
        line.cut()
    assert set(await site.answers(trader, 3)) <= {(503, "broker_unavailable"), (504, "outcome_unknown")}
    assert await site.answers(trader, 3) == {(503, "broker_unavailable"): 3}
    await until(lambda: site.logged("alert=broker_away"))


async def test_a_broker_that_does_not_answer(site: Site, trader: TraderClient) -> None:
    site.lines.broker.freeze()
    assert await site.answers(trader, 1) == {(504, "outcome_unknown"): 1}


async def test_a_full_queue(site: Site, trader: TraderClient) -> None:
    site.lines.worker_broker.cut()
    answers = await site.answers(trader, 6, on=1)
    assert answers[503, "queue_refused"] >= 3, answers
    assert answers[QUEUED] >= 2
    assert sum(answers.values()) == answers[503, "queue_refused"] + answers[QUEUED]


async def test_redis_away_or_silent_delays_no_order_for_long(site: Site, trader: TraderClient) -> None:
    site.lines.redis.cut()
    assert await site.answers(trader, 3) == {QUEUED: 3}
    await until(lambda: site.logged("alert=redis_away"))
    site.lines.mend()
    site.lines.redis.freeze()
    async with asyncio.timeout(5):
        assert await site.answers(trader, 1) == {QUEUED: 1}


async def test_a_database_that_does_not_answer(site: Site, trader: TraderClient) -> None:
    site.lines.database.freeze()
    reading = asyncio.create_task(trader.get("/tokens"))
    assert set(await site.answers(trader, 1)) <= {UNAVAILABLE, (504, "outcome_unknown")}
    with pytest.raises(Refused) as refusal:
        await reading
    assert refusal.value.status == 503
