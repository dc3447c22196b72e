"""The drills: what is done to a platform under load, and how long each order takes that was accepted before."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Final

from engine.crash_points import Point
from tests.crash.kept import Kept
from tests.crash.market import LIMIT_S, POLL_S, Market
from tests.crash.platform import SETTLE, TRADE
from tests.crash.weather import Weather

SIDES: Final = ("before", "after")
WEB_POINTS: Final = (Point.ACCEPTED, Point.PUBLISHED)
TRADE_POINTS: Final = (Point.DELIVERED, Point.BEGUN, Point.WRITTEN, Point.COMMITTED, Point.TOLD, Point.ACKED)
SETTLE_POINTS: Final = (Point.SIGNED, Point.STORED, Point.SENT, Point.SEEN, Point.RECORDED, Point.TOLD)
PASSAGES_MOST: Final = 10

Place = tuple[Point, str]


@dataclass(frozen=True, slots=True)
class Strike:
    """One process and where it is struck."""

    name: str
    point: Point
    side: str
    passage: int

    def __str__(self) -> str:
        return f"{self.name} {self.side} {self.point} ({self.passage})"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done, and how many seconds later all that was accepted until then was settled and everybody back."""

    what: str
    seconds: float


def plan(seed: int) -> list[list[Strike]]:
    """Rounds of strikes that together meet every place; in one round at most one process of each kind is struck."""
    rng = random.Random(f"plan {seed}")
    of_web, of_trade, of_settle = (
        rng.sample(places, len(places))
        for places in (list(product(points, SIDES)) for points in (WEB_POINTS, TRADE_POINTS, SETTLE_POINTS))
    )
    rounds = []
    for number, (trade_place, settle_place) in enumerate(zip(of_trade, of_settle, strict=True)):
        places = [(TRADE[number % 2], trade_place), (SETTLE[number % 2], settle_place)]
        if number % 3 == 0:
            places.append(("web", of_web[number // 3]))
        rounds.append([Strike(name, *place, rng.randint(1, PASSAGES_MOST)) for name, place in places])
    return rounds


async def kill(market: Market, strikes: list[Strike]) -> Recovered:
    """Have each process kill itself at its place; it must have died there and be back. The slowest of them counts."""
    seconds = await asyncio.gather(*(_kill(market, strike) for strike in strikes))
    return Recovered(", ".join(map(str, strikes)), max(seconds))


async def _kill(market: Market, strike: Strike) -> float:
    kept = market.platform.kept[strike.name]
    deaths = kept.deaths
    pid = await _struck(kept, "KILL", strike)
    accepted, started_s = market.accepted, time.monotonic()
    await until(lambda: kept.pid not in (None, pid), f"{strike}: it did not come back")
    assert kept.deaths == deaths + 1, f"{strike}: {kept.said[-3_000:]}"
    await until(market.platform.answers, f"{strike}: the web process does not answer")
    await market.settled(accepted)
    return time.monotonic() - started_s


async def freeze(market: Market, rng: random.Random) -> Recovered:
    """Freeze a worker of each kind at random places; the others do its work, then it wakes and goes on."""
    platform = market.platform
    strikes = [
        Strike(rng.choice(names), rng.choice(points), rng.choice(SIDES), rng.randint(1, PASSAGES_MOST))
        for names, points in ((TRADE, TRADE_POINTS), (SETTLE, SETTLE_POINTS))
    ]
    struck = await asyncio.gather(*(_struck(platform.kept[each.name], "STOP", each) for each in strikes))
    accepted, started_s = market.accepted, time.monotonic()
    await market.settled(accepted)
    seconds = time.monotonic() - started_s
    for pid in struck:
        os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(rng.uniform(0.5, 2.0))
    await market.settled(market.accepted)
    for strike, pid in zip(strikes, struck, strict=True):
        kept = platform.kept[strike.name]
        assert kept.pid == pid, f"{strike}: it did not go on: {kept.said[-3_000:]}"
    return Recovered(", ".join(map(str, strikes)), seconds)


async def _struck(kept: Kept, number: str, strike: Strike) -> int:
    """Wait until the process has come by and obeyed; its number."""
    found: list[int | None] = [None]
    kept.strike(number, strike.point, strike.side, strike.passage)

    def struck() -> bool:
        found[0] = kept.struck()
        return found[0] is not None

    await until(struck, f"{strike}: it never came by")
    assert found[0] is not None
    return found[0]


async def kill_server(market: Market, name: str, rng: random.Random) -> Recovered:
    """Kill a server, or a process that is one to the others, and have it back after a while."""
    platform, accepted = market.platform, market.accepted
    if name in platform.kept:
        kept, deaths = platform.kept[name], platform.kept[name].deaths
        kept.signal(signal.SIGKILL)
        started_s = time.monotonic()
        await until(partial(_died_again, kept, deaths), f"{name} did not die")
    else:
        server = {"rabbitmq": platform.rabbitmq, "postgresql": platform.postgresql, "redis": platform.redis}[name]
        server.kill()
        await asyncio.sleep(rng.uniform(0.5, 4.0))
        accepted |= market.accepted
        await asyncio.to_thread(server.start)
        started_s = time.monotonic()
    await market.settled(accepted)
    await until(platform.answers, f"after {name} the web process does not answer")
    await asyncio.sleep(1.0)
    await market.settled(market.accepted)
    return Recovered(name, time.monotonic() - started_s)


def _died_again(kept: Kept, deaths: int) -> bool:
    return kept.deaths == deaths + 1


async def bad_weather(market: Market, seed: int, seconds: float) -> Recovered:
    """Let faults strike on every line for so long; everybody is back when it is calm again."""
    lines = market.platform.lines
    for name, line in lines.items():
        line.storm(Weather(), f"{seed} {name}")
    await asyncio.sleep(seconds)
    for line in lines.values():
        line.calm()
    accepted, started_s = market.accepted, time.monotonic()
    await market.settled(accepted)
    await until(market.platform.answers, "after the storm the web process does not answer")
    struck = {name: dict(line.struck) for name, line in lines.items()}
    return Recovered(f"storm {seed}: {struck}", time.monotonic() - started_s)


async def until(condition: Callable[[], bool], otherwise: str, limit_s: float = LIMIT_S) -> None:
    """Poll until it holds."""
    deadline_s = time.monotonic() + limit_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline_s, otherwise
        await asyncio.sleep(POLL_S)
