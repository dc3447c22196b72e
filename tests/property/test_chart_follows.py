"""A chart that follows live from nothing shows what the history says, whatever is late, out of order, doubled or lost.

The hub's real feed on one side, the browser's real modules on the other, run outside a browser; between them a
network that Hypothesis plays: events come late and in any order, frames are lost, sockets break, pages are old.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.indicators.candles import Candle, Interval, Tick, fold, with_gaps_filled
from engine.live.feed import Applied
from engine.live.protocol import Kind, Topic
from engine.live.source import CANDLES_KEPT, TAPE_LENGTH, TokenSnapshot
from engine.live.token_feed import TokenFeed
from engine.persistence.candles import candle_json, end_of
from engine.trading import events
from tests.market_data import address, token_values, trade_values

ROOT: Final = Path(__file__).parents[2]
START_MS: Final = 1_700_000_000_000
SERVED: Final = 5
"""Candles in a page here: a hole must be noticed with few of them."""

TOKEN: Final = address(7)


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the chart's modules."""
    bundled = Path(sys.executable).with_name("bun")
    runner = shutil.which("node") or (str(bundled) if bundled.exists() else shutil.which("bun"))
    if runner is None:
        pytest.skip("neither node nor bun is here to run the browser's modules")
    directory = tmp_path_factory.mktemp("chart")
    places = {
        "$/public/external/blitzhub/feed/feed.js": ROOT / "blitzhub/feed/feed.js",
        "$/public/external/blitzhub/charts/candle_chart/candles.js": ROOT / "blitzhub/charts/candles.js",
        "session": ROOT / "blitzhub/charts/candle_session.js",
    }
    for path in places.values():
        source = path.read_text()
        for name, target in places.items():
            source = source.replace(name, (directory / target.with_suffix(".mjs").name).as_uri())
        (directory / path.with_suffix(".mjs").name).write_text(source)
    return [runner, str(ROOT / "tests/clients/chart.mjs"), (directory / "candle_session.mjs").as_uri()]


@dataclass
class World:
    """One token, its hub, one browser, and everything under way between them."""

    command: list[str]
    interval: Interval
    tape: list[dict[str, Any]] = field(default_factory=list)
    flying: list[dict[str, Any]] = field(default_factory=list)
    subscribed: bool = False
    state: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.topic = Topic(Kind.CANDLES, "T", self.interval)
        self.feed = TokenFeed(self._snapshot())
        self._process = subprocess.Popen(
            [*self.command, self.interval], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(self, **acts: Any) -> None:
        """Let something happen in the browser, and the hub hear what it says to it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdin.write(json.dumps(acts).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self._process.stderr.read().decode()
        self.state = json.loads(answer)
        for message in self.state["sent"]:
            if message["method"] == "subscribe":
                self._greet(message.get("after_seq"))

    def ticks(self, until: int | None = None) -> list[Tick]:
        rows = self.tape[:until]
        return [Tick(row["executed_at_ms"], row["price_before"], row["price"], row["lamports"]) for row in rows]

    def truth(self) -> list[Candle]:
        return fold(self.ticks(), self.interval.ms)

    def _snapshot(self) -> TokenSnapshot:
        row = token_values(7, seq=len(self.tape))
        token = {**events.figures(row), "address": row["address"], "seq": len(self.tape), "paused": False}
        said = [orjson.loads(events.trade(each, each["price_before"], row).payload) for each in self.tape]
        newest = {each: fold(self.ticks(), each.ms)[-CANDLES_KEPT:] for each in Interval}
        return TokenSnapshot(token, said[::-1][:TAPE_LENGTH], newest)

    def trade(self, delay_ms: int, price: int) -> None:
        """Commit a trade; its event is under way."""
        last = self.tape[-1] if self.tape else {"executed_at_ms": START_MS, "price": 0}
        row = trade_values(TOKEN, len(self.tape) + 1, price=price, executed_at_ms=last["executed_at_ms"] + delay_ms)
        self.tape.append(row | {"price_before": last["price"]})
        event = events.trade(row, last["price"], token_values(7, seq=row["seq"]))
        self.flying.append(orjson.loads(event.payload))

    def deliver(self, which: int, again: bool) -> None:
        """One of the events under way arrives at the hub, perhaps to arrive once more."""
        if self.flying:
            place = which % len(self.flying)
            event = self.flying[place] if again else self.flying.pop(place)
            if self.feed.apply(event) is Applied.RELOAD:
                self.reload()

    def reload(self) -> None:
        self.feed = TokenFeed(self._snapshot())
        self._say(0, self.feed.snapshot(self.topic))

    def flush(self, lost: bool) -> None:
        """The hub's frame goes out, and perhaps nowhere."""
        update = self.feed.flush()
        data = None if update is None else update.data(self.topic)
        if update is not None and data is not None and not lost:
            self._say(update.from_seq, data)

    def lose(self) -> None:
        self.subscribed = False
        self.tell(lose=True)

    def answer(self, which: int, seen: int | None) -> None:
        """One of the pages asked for arrives, read when only the first `seen` trades were there; 0 for no network."""
        if self.state.get("waiting"):
            number, url = self.state["waiting"][which % len(self.state["waiting"])]
            self.tell(answer=[number, None if seen == 0 else self._page(url, seen)])

    def _page(self, url: str, seen: int | None) -> dict[str, Any]:
        query = parse_qs(urlsplit(url).query)
        known = fold(self.ticks(seen), self.interval.ms)
        if "before_ms" in query:
            until_ms = end_of(self.interval, int(query["before_ms"][0]))
            known = [candle for candle in known if candle.bucket_ms < until_ms]
        page = known[-SERVED:]
        before_ms = page[0].bucket_ms if len(known) > SERVED else None
        return {"candles": [candle_json(candle) for candle in page], "next_before_ms": before_ms}

    def _greet(self, after_seq: int | None) -> None:
        self.flush(lost=False)
        self.subscribed = True
        missed = None if after_seq is None else self.feed.missed(self.topic, after_seq)
        if missed is not None and after_seq is not None:
            self._say(after_seq + 1, missed)
        else:
            self._say(0, self.feed.snapshot(self.topic))

    def _say(self, from_seq: int, data: dict[str, Any]) -> None:
        if self.subscribed:
            frame = {"channel": self.topic.channel, "from_seq": from_seq, "seq": self.feed.seq, "data": data}
            self.tell(say=frame)

    def come_to_rest(self) -> None:
        """Nothing is lost any more: what is under way arrives, and the hub's own repair finds the rest."""
        while self.flying:
            self.deliver(0, again=False)
        if self.feed.seq < len(self.tape):
            self.reload()
        self.flush(lost=False)
        for _ in range(12):
            if self.state.get("connecting"):
                self.tell(open=True)
            while self.state.get("waiting"):
                self.answer(0, None)
            self.tell(pass_ms=9_000, say={"channel": "heartbeat", "data": {"at_ms": 0}})
        while not self.state["atStart"]:
            self.tell(older=True)
            self.answer(0, None)


PRICES: Final = st.integers(0, 10**12)
ACTS: Final = st.one_of(
    st.tuples(st.just("trade"), st.integers(0, 4) | st.integers(0, 400), PRICES),
    st.tuples(st.just("trade"), st.integers(0, 4), PRICES),
    st.tuples(st.just("deliver"), st.integers(0, 3) | st.just(0), st.booleans()),
    st.tuples(st.just("deliver"), st.just(0), st.just(False)),
    st.tuples(st.just("flush"), st.sampled_from([False, False, False, True])),
    st.tuples(st.just("answer"), st.integers(0, 3), st.none() | st.integers(0, 20)),
    st.tuples(st.just("pass"), st.sampled_from([20, 300, 6_000])),
    st.tuples(st.just("open")),
    st.tuples(st.just("lose")),
)


def play(world: World, act: tuple[Any, ...]) -> None:
    match act:
        case ("trade", steps, price):
            world.trade(steps * world.interval.ms // 2, price)
        case ("deliver", which, again):
            world.deliver(which, again)
        case ("flush", lost):
            world.flush(lost)
        case ("answer", which, seen):
            world.answer(which, seen)
        case ("pass", ms):
            world.tell(pass_ms=ms)
        case ("open",):
            if world.state.get("connecting", True):
                world.tell(open=True)
        case _:
            world.lose()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(Interval)), st.lists(ACTS, max_size=60))
@example(Interval.S1, [("answer", 0, 0)])
@example(Interval.S1, [("answer", 0, None), *(("trade", steps, 0) for steps in (0, 2, 3, 1))])
def test_history_and_following_live_from_nothing_draw_the_same_candles(
    chart: list[str], interval: Interval, acts: list[tuple[Any, ...]]
) -> None:
    world = World(chart, interval)
    try:
        world.tell()
        for act in acts:
            play(world, act)
        world.come_to_rest()
        assert world.state["loaded"]
        drawn = [json.loads(json.dumps(candle)) for candle in world.state["drawn"]]
        assert drawn == [candle_json(candle) for candle in with_gaps_filled(world.truth(), interval.ms)]
    finally:
        world.end()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90_000), PRICES), min_size=1, max_size=40), st.data())
def test_the_hubs_feed_holds_the_newest_candles_of_the_whole_tape(
    steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    world = World(["true"], Interval.M1)
    try:
        for delay_ms, price in steps:
            world.trade(delay_ms, price)
            while world.flying and data.draw(st.booleans()):
                world.deliver(data.draw(st.integers(0, 9)), again=data.draw(st.booleans()))
        while world.flying:
            world.deliver(data.draw(st.integers(0, 9)), again=False)
        assert world.feed.seq == len(steps), "an event that comes after a gap says that there is one"
        for interval in Interval:
            shown = world.feed.snapshot(Topic(Kind.CANDLES, "T", interval))["candles"]
            assert shown == [candle_json(each) for each in fold(world.ticks(), interval.ms)[-len(shown) :]]
            assert len(shown) >= min(CANDLES_KEPT, len(fold(world.ticks(), interval.ms)))
    finally:
        world.end()
