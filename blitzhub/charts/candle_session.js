// One token's candles at one interval: history from the API and the live channel, put together without a hole.
//
// A live snapshot says the newest few candles whole. It joins what is known if it reaches back to the last candle known;
// else the newest page of the history is read until it reaches the snapshot, and what is older than a hole is let go.
import { subscribe } from "$/public/external/blitzhub/feed/feed.js";
import { Candles, flatBetween, withGapsFilled } from "$/public/external/blitzhub/charts/candle_chart/candles.js";

const PAGE = 500;
const AGAIN_MS = 250;
const LAST_RETRY_MS = 8_000;

/** The lengths that are served, in milliseconds. */
export const LENGTHS_MS = {
  "1s": 1_000,
  "15s": 15_000,
  "1m": 60_000,
  "5m": 300_000,
  "15m": 900_000,
  "1h": 3_600_000,
  "4h": 14_400_000,
  "1d": 86_400_000,
};

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function fetchPage(token, interval, before_ms, signal) {
  const query = new URLSearchParams({ interval, limit: String(PAGE) });
  if (before_ms !== null) query.set("before_ms", String(before_ms));
  const answer = await fetch(`/api/tokens/${token}/candles?${query}`, { signal });
  if (!answer.ok) throw new Error(`candles: ${answer.status}`);
  return answer.json();
}

/**
 * Keeps `shown`, the candles as they are drawn, gaps filled, and tells `view` what to do: `phase(name)` with loading,
 * candles, empty or error; `drawAll(shown, keepRange)`; `drawLast(candle)`; `drawn(session)` after either; `toNow()`.
 */
export class CandleSession {
  constructor({ token, interval, view }) {
    Object.assign(this, { token, interval, view });
    this.length_ms = LENGTHS_MS[interval];
    this.candles = new Candles();
    this.shown = [];
    this.loaded = this.loading = this.paging = false;
    this.before_ms = null; // where the page before the oldest one ends
    this.live_ms = null; // from here on the live channel has said everything
    this.hole_ms = null; // after this candle something may be missing
    this.abort = new AbortController();
    this.stop = subscribe({ type: "candles", token, interval }, (message) => this.#follow(message));
    this.load();
  }

  close() {
    this.abort.abort();
    this.stop();
  }

  async load() {
    if (this.loading) return;
    this.loading = true;
    if (!this.loaded) this.view.phase("loading");
    let retry_ms = AGAIN_MS;
    while (!this.abort.signal.aborted) {
      const page = await this.#read(null);
      if (page && this.#join(page)) break;
      if (!page && !this.loaded && !this.abort.signal.aborted) this.view.phase("error");
      await Promise.race([pause(retry_ms), new Promise((done) => (this.wake = done))]);
      if (!page) retry_ms = Math.min(2 * retry_ms, LAST_RETRY_MS);
    }
    this.loading = false;
  }

  /** Somebody does not want to wait for the next try. */
  retry() {
    if (this.loading) this.wake?.();
    else this.load();
  }

  async older() {
    if (!this.loaded || this.paging || this.before_ms === null) return;
    this.paging = true;
    const candles = this.candles;
    const page = await this.#read(this.before_ms);
    this.paging = false;
    if (!page || candles !== this.candles) return; // what it would stand before was let go
    this.before_ms = page.next_before_ms;
    if (candles.merge(page.candles)) this.#drawAll(false); // the chart keeps the view when bars come before it
  }

  async #read(before_ms) {
    try {
      return await fetchPage(this.token, this.interval, before_ms, this.abort.signal);
    } catch {
      return null;
    }
  }

  // Take in the newest page; false if it is older than what the live channel began with.
  #join(page) {
    const [oldest, newest] = [page.candles[0], page.candles[page.candles.length - 1]];
    if (this.live_ms !== null && !(newest?.t >= this.live_ms)) return false;
    const apart = this.hole_ms !== null && page.next_before_ms !== null && oldest.t > this.hole_ms;
    if (!this.loaded || apart) {
      const live = this.candles.items.filter(({ t }) => this.live_ms !== null && t >= this.live_ms);
      this.candles = new Candles();
      this.candles.merge(live);
      this.before_ms = page.next_before_ms;
    }
    this.candles.merge(page.candles);
    this.hole_ms = null;
    const first = !this.loaded;
    this.loaded = true;
    this.#drawAll(!first && !apart);
    if (first) this.view.toNow();
    return true;
  }

  #follow({ snapshot, data }) {
    const fresh = data.candles;
    const known = this.candles.last;
    if (snapshot) {
      // A history that was read while it was empty knows of nothing before the snapshot either.
      if (fresh.length && (!known || fresh[0].t > known.t)) {
        if (this.loaded) this.hole_ms = Math.min(this.hole_ms ?? Infinity, known?.t ?? 0);
        else this.candles = new Candles();
      }
      this.live_ms = fresh[0]?.t ?? null;
    } else if (this.live_ms === null && fresh.length) this.live_ms = fresh[0].t; // it began before the first trade
    const restructured = this.candles.merge(fresh);
    if (!this.loaded) return;
    if (this.hole_ms !== null) this.load();
    if (restructured || snapshot) this.#drawAll(true);
    else {
      for (const candle of fresh) this.#drawLast(candle);
      this.#drawn();
    }
  }

  #drawLast(candle) {
    const last = this.shown[this.shown.length - 1];
    if (last && candle.t < last.t) return; // history knew more already
    if (last?.t === candle.t) this.shown.pop();
    else if (last) for (const flat of flatBetween(last, candle, this.length_ms)) this.#draw(flat);
    this.#draw(this.candles.at(candle.t));
  }

  #draw(candle) {
    this.shown.push(candle);
    this.view.drawLast(candle);
  }

  #drawAll(keepRange) {
    this.shown = withGapsFilled(this.candles.items, this.length_ms);
    this.view.drawAll(this.shown, keepRange);
    this.#drawn();
  }

  #drawn() {
    this.view.phase(this.shown.length ? "candles" : "empty");
    this.view.drawn(this);
  }
}
