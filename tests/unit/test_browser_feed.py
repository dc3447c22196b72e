"""The browser's half of the live protocol, run outside a browser: one socket, gaps, reconnects, candles."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2] / "blitzhub"

_BROWSER = """
const sockets = [];
class FakeSocket {
  static OPEN = 1;
  constructor(url) { this.url = String(url); this.readyState = 0; this.sent = []; sockets.push(this); }
  open() { this.readyState = 1; this.onopen(); }
  send(text) { this.sent.push(JSON.parse(text)); }
  say(message) { this.onmessage({ data: JSON.stringify(message) }); }
  close() { this.readyState = 3; }
  lost() { this.readyState = 3; this.onclose(); }
  asked() { return this.sent.filter((m) => m.method === "subscribe").map((m) => m.subscription.type); }
}
globalThis.WebSocket = FakeSocket;
globalThis.window = { location: { href: "https://blitz.example/token/x" }, addEventListener: () => {} };
globalThis.document = { hidden: false, addEventListener: () => {}, documentElement: { dataset: {} } };
globalThis.requestAnimationFrame = (work) => setTimeout(work, 0);
const frame = () => new Promise((done) => setTimeout(done, 5));
const check = (got, wanted) => {
  const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${one} is not ${other}`);
};
const message = (channel, from_seq, seq, data = {}) => ({ channel, from_seq, seq, data });
const { subscribe, onConnection, connection, connectionDetails } = await import("%s");
"""

_STORIES = {
    "many_listeners_share_one_socket_and_one_subscription": """
      const heard = [];
      for (let i = 0; i < 7; i++) subscribe({ type: "token", token: "T" }, ({ seq }) => heard.push(seq));
      subscribe({ type: "candles", token: "T", interval: "1m" }, () => {});
      check(sockets.length, 1);
      check(sockets[0].url, "wss://blitz.example/ws/market");
      sockets[0].open();
      await frame();
      check(sockets[0].asked(), ["token", "candles"]);
      sockets[0].say(message("token:T", 0, 4));
      await frame();
      check(heard, [4, 4, 4, 4, 4, 4, 4]);
    """,
    "a_snapshot_is_marked_and_deltas_follow_it": """
      const heard = [];
      subscribe({ type: "trades", token: "T" }, ({ snapshot, seq, data }) => heard.push([snapshot, seq, data.n]));
      sockets[0].open();
      sockets[0].say(message("trades:T", 3, 3, { n: 0 }));
      sockets[0].say(message("trades:T", 0, 3, { n: 1 }));
      sockets[0].say(message("trades:T", 4, 6, { n: 2 }));
      sockets[0].say(message("trades:T", 7, 6, { n: 3 }));
      sockets[0].say(message("other:T", 1, 1));
      await frame();
      check(heard, [[true, 3, 1], [false, 6, 2], [false, 6, 3]]);
    """,
    "a_gap_asks_again_and_shows_nothing_until_the_snapshot": """
      const heard = [];
      subscribe({ type: "trades", token: "T" }, ({ seq }) => heard.push(seq));
      sockets[0].open();
      sockets[0].say(message("trades:T", 0, 3));
      sockets[0].say(message("trades:T", 5, 5));
      sockets[0].say(message("trades:T", 6, 6));
      await frame();
      check(heard, [3]);
      check(sockets[0].asked(), ["trades", "trades"]);
      check(sockets[0].sent.at(-1).after_seq, 3);
      sockets[0].say(message("trades:T", 0, 6));
      await frame();
      check(heard, [3, 6]);
    """,
    "after_a_gap_what_was_missed_is_as_good_as_a_snapshot": """
      const heard = [];
      subscribe({ type: "trades", token: "T" }, ({ snapshot, seq }) => heard.push([snapshot, seq]));
      sockets[0].open();
      sockets[0].say(message("trades:T", 0, 3));
      sockets[0].say(message("trades:T", 5, 5));
      await frame();
      sockets[0].say(message("trades:T", 6, 6));
      await frame();
      check(sockets[0].asked(), ["trades", "trades"]);
      sockets[0].say(message("trades:T", 4, 6));
      sockets[0].say(message("trades:T", 7, 7));
      await frame();
      check(heard, [[true, 3], [false, 6], [false, 7]]);
    """,
    "a_pong_tells_of_a_last_frame_that_was_lost": """
      const heard = [];
      subscribe({ type: "trades", token: "T" }, ({ seq }) => heard.push(seq));
      sockets[0].open();
      sockets[0].say(message("trades:T", 0, 3));
      sockets[0].say({ channel: "pong", data: { at_ms: 1, seqs: { "trades:T": 3 } } });
      await frame();
      check(sockets[0].asked(), ["trades"]);
      sockets[0].say({ channel: "pong", data: { at_ms: 2, seqs: { "trades:T": 4, "trades:U": 9 } } });
      await frame();
      check(sockets[0].asked(), ["trades", "trades"]);
      check(sockets[0].sent.at(-1).after_seq, 3);
      sockets[0].say(message("trades:T", 4, 4));
      await frame();
      check(heard, [3, 4]);
    """,
    "a_lost_socket_is_replaced_and_everything_asked_again": """
      Math.random = () => 0;
      const heard = [];
      const states = [];
      onConnection(() => states.push(connection().state));
      subscribe({ type: "trades", token: "T" }, ({ seq }) => heard.push(seq));
      sockets[0].open();
      sockets[0].say(message("trades:T", 0, 3));
      sockets[0].lost();
      await new Promise((done) => setTimeout(done, 350));
      check(sockets.length, 2);
      sockets[1].open();
      await frame();
      check(sockets[1].asked(), ["trades"]);
      sockets[0].onmessage({ data: JSON.stringify(message("trades:T", 4, 4)) });
      sockets[1].say(message("trades:T", 0, 9));
      await frame();
      check(heard, [3, 9]);
      check(states, ["live", "reconnecting", "live"]);
      check(connectionDetails().seq, 9);
    """,
    "a_listener_that_comes_while_the_socket_is_away_gets_the_whole_and_not_only_what_was_missed": """
      Math.random = () => 0;
      const heard = [];
      subscribe({ type: "trades", token: "T" }, () => {});
      sockets[0].open();
      sockets[0].say(message("trades:T", 0, 3));
      await frame();
      sockets[0].lost();
      subscribe({ type: "trades", token: "T" }, ({ snapshot, seq }) => heard.push([snapshot, seq]));
      await new Promise((done) => setTimeout(done, 350));
      sockets[1].open();
      await frame();
      check(sockets[1].sent.find((m) => m.method === "subscribe").after_seq, undefined);
      sockets[1].say(message("trades:T", 0, 5));
      sockets[1].say(message("trades:T", 6, 6));
      await frame();
      check(heard, [[true, 5], [false, 6]]);
    """,
    "the_connection_is_one_value_until_it_changes": """
      onConnection(() => {});
      check(connection() === connection(), true);
      check(connection(), { state: "reconnecting", since_ms: null, offline: false });
      sockets[0].open();
      sockets[0].say({ channel: "heartbeat", data: { at_ms: 1 } });
      check(connection(), { state: "live", since_ms: null, offline: false });
      check(document.documentElement.dataset.bhFeed, "live");
    """,
    "the_last_listener_ends_the_subscription_a_moment_later": """
      const stop = subscribe({ type: "trades", token: "T" }, () => {});
      onConnection(() => {});
      sockets[0].open();
      stop();
      await frame();
      check(sockets[0].sent.some((m) => m.method === "unsubscribe"), false);
      await new Promise((done) => setTimeout(done, 1100));
      check(sockets[0].sent.filter((m) => m.method === "unsubscribe").length, 1);
    """,
    "one_broken_listener_takes_nothing_from_the_others": """
      console.error = () => {};
      const heard = [];
      subscribe({ type: "trades", token: "T" }, () => { throw new Error("mine"); });
      subscribe({ type: "trades", token: "T" }, ({ seq }) => heard.push(seq));
      sockets[0].open();
      sockets[0].say(message("trades:T", 0, 3));
      await frame();
      check(heard, [3]);
    """,
}

_CANDLES = """
import { Candles } from "%s";
const check = (got, wanted) => {
  const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${one} is not ${other}`);
};
const candle = (t, n) => ({ t, n, c: String(t + n) });
const shown = (candles) => candles.items.map(({ t, n }) => [t, n]);
const live = [[2, 1], [2, 4], [3, 1]].map(([t, n]) => candle(t, n));
const history = [[0, 5], [1, 2], [2, 3]].map(([t, n]) => candle(t, n));
const first = new Candles();
check(first.merge(live), false);
check(first.merge(history), true);
const second = new Candles();
second.merge(history);
check(second.merge(live), false);
check(shown(first), [[0, 5], [1, 2], [2, 4], [3, 1]]);
check(shown(second), shown(first));
check(second.merge(history), false);
check(second.merge([candle(1, 9)]), true);
check([second.closeAt(-1), second.closeAt(0), second.closeAt(2), second.closeAt(99)], [null, "5", "6", "4"]);
"""


_AXIS = """
import { momentText, tickText } from "%s";
const check = (got, wanted) => {
  if (got !== wanted) throw new Error(`${got} is not ${wanted}`);
};
const at = (text) => Date.parse(text) / 1000;
const [YEAR, MONTH, DAY, TIME] = [0, 1, 2, 3];
const midnight = at("2026-11-23T00:00:00Z");
const [second, minute, four_hours, day] = [1_000, 60_000, 14_400_000, 86_400_000];
check(tickText(midnight, TIME, day, true), "23 Nov"); // the only candle there is
check(tickText(midnight, DAY, day, false), "23 Nov");
check(tickText(at("2026-12-01T00:00:00Z"), MONTH, day, false), "Dec");
check(tickText(at("2027-01-01T00:00:00Z"), YEAR, day, false), "2027");
check(tickText(at("2026-11-23T08:00:00Z"), TIME, four_hours, true), "23 Nov");
check(tickText(at("2026-11-23T12:00:00Z"), TIME, four_hours, false), "12:00");
check(tickText(at("2027-01-01T00:00:00Z"), YEAR, four_hours, false), "1 Jan");
check(tickText(at("2026-11-23T14:02:00Z"), TIME, minute, true), "14:02");
check(tickText(at("2026-11-23T14:02:00Z"), TIME, second, false), "14:02:00");
check(tickText(midnight, DAY, second, false), "23 Nov");
check(momentText(midnight, day), "23 Nov 2026");
check(momentText(at("2026-11-03T04:00:00Z"), four_hours), "3 Nov 2026 04:00");
check(momentText(at("2026-11-03T04:05:09Z"), second), "3 Nov 2026 04:05:09");
"""


def _run(script: Path) -> None:
    bundled = Path(sys.executable).with_name("bun")
    runner = str(bundled) if bundled.exists() else shutil.which("bun") or shutil.which("node")
    if runner is None:
        pytest.skip("neither bun nor node is here to run the browser's modules")
    done = subprocess.run([runner, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("story", _STORIES)
def test_the_feed(story: str, tmp_path: Path) -> None:
    module = tmp_path / "feed.mjs"
    shutil.copy(_ROOT / "feed" / "feed.js", module)
    script = tmp_path / "story.mjs"
    script.write_text(_BROWSER % module.as_uri() + _STORIES[story] + "\nprocess.exit(0);\n")
    _run(script)


def test_candles_from_history_and_live_agree_in_any_order(tmp_path: Path) -> None:
    module = tmp_path / "candles.mjs"
    shutil.copy(_ROOT / "charts" / "candles.js", module)
    script = tmp_path / "check.mjs"
    script.write_text(_CANDLES % module.as_uri())
    _run(script)


def test_the_charts_axis_says_a_date_where_a_day_begins_and_a_clock_within_it(tmp_path: Path) -> None:
    figures, module = tmp_path / "figures.mjs", tmp_path / "chart_times.mjs"
    shutil.copy(_ROOT / "feed" / "figures.js", figures)
    source = (_ROOT / "charts" / "chart_times.js").read_text()
    module.write_text(source.replace("$/public/external/blitzhub/feed/figures.js", figures.as_uri()))
    script = tmp_path / "check.mjs"
    script.write_text(_AXIS % module.as_uri())
    _run(script)


_PROOF = """
const { told } = await import("%s");
const check = (got, wanted) => {
  const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${one} is not ${other}`);
};
const proof = (more) => ({ agrees: true, age_ms: 3_000, withdrawals_frozen_since_ms: null, ...more });
check(told(null, 0, 5_000), ["unknown", "Ledger and chain: no comparison known"]);
check(told(proof(), 10_000, 11_000), ["equal", "Ledger = chain, checked 4s ago"]);
check(told(proof({ age_ms: 0 }), 10_000, 10_999), ["equal", "Ledger = chain, checked now"]);
check(told(proof(), 10_000, 67_000), ["equal", "Ledger = chain, checked 1m ago"]);
check(told(proof(), 10_000, 67_001), ["old", "Ledger and chain were last compared 1m ago"]);
check(told(proof({ agrees: false }), 10_000, 99_000), ["old", "Ledger and chain were last compared 1m ago"]);
check(told(proof({ agrees: false }), 10_000, 11_000), ["different", "Ledger differs from chain, checked 4s ago"]);
const since = Date.parse("2026-01-01T14:02:59Z");
const waits = "Withdrawals wait while we check the ledger, since 14:02";
const frozen = { withdrawals_frozen_since_ms: since };
check(told(proof({ agrees: false, ...frozen }), 10_000, 11_000),
  ["frozen", `Ledger differs from chain, checked 4s ago. ${waits}`]);
check(told(proof(frozen), 10_000, 11_000), ["frozen", `Ledger = chain, checked 4s ago. ${waits}`]);
check(told(proof(frozen), 10_000, 99_000), ["frozen", `Ledger and chain were last compared 1m ago. ${waits}`]);
"""


def test_the_status_bar_says_plainly_when_a_comparison_is_old_or_finds_a_difference(tmp_path: Path) -> None:
    figures, module = tmp_path / "figures.mjs", tmp_path / "ledger_proof.mjs"
    shutil.copy(_ROOT / "feed" / "figures.js", figures)
    source = (_ROOT / "components" / "ledger_proof.js").read_text()
    module.write_text(source.replace("$/public/external/blitzhub/feed/figures.js", figures.as_uri()))
    script = tmp_path / "check.mjs"
    script.write_text("process.env.TZ = 'UTC';\n" + _PROOF % module.as_uri())
    _run(script)
