// The chart's real modules outside a browser: one line of JSON tells what happens, one line answers what came of it.
// Time stands still unless told; the network is whoever writes the lines. Arguments: candle_session.mjs and interval.
import { createInterface } from "node:readline";

let now_ms = 1_000;
let timers = [];
let number = 0;
const schedule = (work, ms, every = 0) => (timers.push({ id: ++number, at_ms: now_ms + (ms ?? 0), every, work }), number);
const cancel = (id) => (timers = timers.filter((timer) => timer.id !== id));
const settle = async () => {
  for (let turn = 0; turn < 8; turn++) await new Promise((done) => setImmediate(done));
};
Date.now = () => now_ms;
Object.assign(globalThis, {
  setTimeout: (work, ms) => schedule(work, ms),
  setInterval: (work, ms) => schedule(work, ms, ms),
  clearTimeout: cancel,
  clearInterval: cancel,
  requestAnimationFrame: (work) => schedule(work, 16),
});

const sockets = [];
let sent = [];
class FakeSocket {
  static OPEN = 1;
  constructor() {
    this.readyState = 0;
    sockets.push(this);
  }
  send(text) {
    sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
}
const asked = new Map();
Object.assign(globalThis, {
  WebSocket: FakeSocket,
  window: { location: { href: "https://blitz.example/token/x" }, addEventListener: () => {} },
  document: { hidden: false, addEventListener: () => {}, documentElement: { dataset: {} } },
  fetch: (url) => new Promise((done, fail) => asked.set(++number, { url, done, fail })),
});

globalThis.navigator ??= {};

const [, , module, interval] = process.argv;
const { CandleSession } = await import(module);
let drawn = [];
const view = {
  phase: () => {},
  drawAll: (shown) => (drawn = [...shown]),
  drawLast: (candle) => {
    if (drawn.length && drawn[drawn.length - 1].t === candle.t) drawn.pop();
    if (drawn.length && drawn[drawn.length - 1].t > candle.t) throw new Error("a candle drawn before the last one");
    drawn.push(candle);
  },
  drawn: () => {},
  toNow: () => {},
};
const session = new CandleSession({ token: "T", interval, view });
const socket = () => sockets[sockets.length - 1];

const acts = {
  open: () => {
    socket().readyState = 1;
    socket().onopen();
  },
  lose: () => {
    const mine = socket();
    if (mine.readyState > 1) return;
    mine.readyState = 3;
    mine.onclose();
  },
  say: (message) => socket().readyState === 1 && socket().onmessage({ data: JSON.stringify(message) }),
  answer: ([id, page]) => {
    const { done, fail } = asked.get(id);
    asked.delete(id);
    if (page) done({ ok: true, json: async () => page });
    else fail(new Error("no network"));
  },
  pass_ms: async (ms) => {
    for (const until_ms = now_ms + ms; ; ) {
      const [next] = timers.filter(({ at_ms }) => at_ms <= until_ms).sort((one, other) => one.at_ms - other.at_ms);
      if (!next) {
        now_ms = until_ms;
        return;
      }
      now_ms = Math.max(now_ms, next.at_ms);
      if (next.every) next.at_ms += next.every;
      else cancel(next.id);
      next.work();
      await settle();
    }
  },
  older: () => void session.older(),
};

for await (const line of createInterface({ input: process.stdin })) {
  for (const [act, value] of Object.entries(JSON.parse(line))) await acts[act](value);
  await settle();
  const waiting = [...asked].map(([id, { url }]) => [id, url]);
  const state = { sent, waiting, drawn, connecting: socket()?.readyState === 0, atStart: session.before_ms === null };
  process.stdout.write(`${JSON.stringify({ ...state, loaded: session.loaded })}\n`);
  sent = [];
}
process.exit(0);
