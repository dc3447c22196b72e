"""A token's page at ten updates a second: how long a click takes to be painted, and whether the page grows.

`python -m tests.ui.soak --seconds 600`: real orders through the API, ten frames a second, headless Chromium. Every
second somebody changes the tab and types a digit. Latencies are the browser's own (Event Timing: from the input to the
next paint, in steps of 8 ms; events under 16 ms are not told and count as that). The heap is read after a collection,
once after the first minute and once at the end.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from tests.app import running_app
from tests.localnet import running_localnet
from tests.ui.conftest import CHROMIUM, CHROMIUM_FLAGS, DESKTOP
from tests.ui.crowd import Crowd
from tests.ui.trader import part

FRAMES_PER_S: Final = 10
ORDERS_PER_S: Final = 15
ACCOUNTS: Final = 6
PATIENCE_MS: Final = 45_000
LEAST_MS: Final = 16
WARM_UP_S: Final = 60.0
MOST_LATENCY_MS: Final = 100
MOST_GROWN_MB: Final = 5.0

WATCH: Final = """
() => {
  window.bhEvents = [];
  const watched = ["pointerdown", "pointerup", "click", "keydown", "input"];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (watched.includes(entry.name)) window.bhEvents.push(entry.duration);
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
}
"""


def heap_mb(session: CDPSession) -> float:
    """What the page's objects take after a collection, in 10^6 bytes."""
    session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"]
    return used / 1_000_000


def use(page: Page, turn: int) -> int:
    """One change of the tab and one digit typed; how many inputs those were."""
    part(page, ("tab-holders", "tab-trades", "tab-about", "tab-orders")[turn % 4]).click()
    part(page, "amount").press("End")
    part(page, "amount").press("Backspace" if turn % 2 else "1")
    return 3


def soak(page: Page, url: str, seconds: float, crowd: Crowd) -> dict[str, Any]:
    """Use the page for so long; what was measured."""
    token = crowd.open(ACCOUNTS)
    page.goto(f"{url}/token/{token}")
    expect(part(page, "tape").locator("[data-seq='1']")).to_be_visible(timeout=PATIENCE_MS)
    part(page, "amount").fill("0.")
    session = page.context.new_cdp_session(page)
    page.evaluate(WATCH)
    warm_up_s = min(WARM_UP_S, seconds / 3)
    with crowd.trading(token, ORDERS_PER_S):
        began_s, inputs, first_mb = time.monotonic(), 0, 0.0
        for turn in range(int(seconds)):
            inputs += use(page, turn)
            page.wait_for_timeout(max(0.0, (began_s + turn + 1 - time.monotonic()) * 1000))
            if not first_mb and time.monotonic() - began_s >= warm_up_s:
                first_mb = heap_mb(session)
        last_mb = heap_mb(session)
    durations = sorted(page.evaluate("window.bhEvents"))
    told = [*([LEAST_MS] * max(0, inputs - len(durations))), *durations]
    return {
        "seconds": seconds,
        "orders_per_s": ORDERS_PER_S,
        "inputs": inputs,
        "p50_ms": told[len(told) // 2],
        "p98_ms": told[int(len(told) * 0.98)],
        "max_ms": told[-1],
        "heap_first_mb": round(first_mb, 2),
        "heap_last_mb": round(last_mb, 2),
        "grown_mb": round(last_mb - first_mb, 2),
    }


def main(arguments: Sequence[str]) -> int:
    """Run; the last line is JSON, the exit code 1 if the page was slow or has grown."""
    parser = argparse.ArgumentParser(prog="python -m tests.ui.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="default: %(default)s")
    seconds = parser.parse_args(arguments).seconds
    with (
        tempfile.TemporaryDirectory(prefix="blitzhub-browser-") as directory,
        running_localnet(Path(directory)) as chain,
    ):
        settings = {"BLITZ_MARKET_FRAMES_PER_S": str(FRAMES_PER_S)}
        with running_app(Path(directory), chain, settings) as app, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
            with closing(Crowd(app.url)) as crowd:
                figures = soak(chromium.new_page(viewport=DESKTOP), app.url, seconds, crowd)
            chromium.close()
    sys.stdout.write(json.dumps(figures) + "\n")
    return int(figures["p98_ms"] >= MOST_LATENCY_MS or figures["grown_mb"] > MOST_GROWN_MB)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
