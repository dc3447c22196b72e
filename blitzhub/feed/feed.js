// The one market socket of this tab, shared by everything that shows live data.
//
//   const stop = subscribe({ type: "trades", token }, ({ snapshot, seq, data }) => …);
//
// A listener gets a snapshot first and deltas after it; after a gap or a lost connection what it missed, or a snapshot
// where the server does not know that any more. A pong tells of a last frame that was lost.
// Everything heard since the last animation frame is handed out together, so that figures change together.
const PATH = "/ws/market";
const SILENCE_MS = 10_000;
const PING_MS = 15_000;
const ASK_AGAIN_MS = 5_000;
const LINGER_MS = 1_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8_000;
const HIDDEN_MS = 250;
const FAILED_RETRIES = 2;

const topics = new Map();
const watchers = new Set();
const details = { delay_ms: null, seq: null, heard_ms: null };
let state = Object.freeze({ state: "reconnecting", since_ms: null, offline: navigator.onLine === false });
let socket = null;
let retries = 0;
let retryTimer = 0;
let ticker = 0;
let pinged_ms = 0;
let heard = [];
let painting = false;
let openedAt_ms = 0;

const channelOf = ({ type, token, interval }) => [type, token, interval].filter(Boolean).join(":");
const isOpen = () => socket?.readyState === WebSocket.OPEN;
const isWanted = () => topics.size > 0 || watchers.size > 0;

function send(message) {
  if (isOpen()) socket.send(JSON.stringify(message));
}

function ask(topic, after_seq = undefined) {
  topic.seq = null;
  topic.asked_ms = Date.now();
  topic.after_seq = after_seq;
  send({ method: "subscribe", subscription: topic.subscription, after_seq });
}

// Figures that appear together ask once.
function askSoon(topic) {
  if (topic.asking) return;
  topic.asking = true;
  queueMicrotask(() => {
    topic.asking = false;
    if (topics.get(topic.channel) === topic) ask(topic);
  });
}

function setState(name, since_ms = null) {
  const offline = navigator.onLine === false || (name === "stale" && retries >= FAILED_RETRIES);
  if (state.state === name && state.since_ms === since_ms && state.offline === offline) return;
  state = Object.freeze({ state: name, since_ms, offline });
  document.documentElement.dataset.bhFeed = name;
  for (const watcher of [...watchers]) watcher();
}

// Live: something was heard within 10 s. Stale: nothing for longer. Between them, reconnecting.
function judge() {
  const last_ms = details.heard_ms ?? openedAt_ms;
  const silent_ms = Date.now() - last_ms;
  if (isOpen() && details.heard_ms && silent_ms < SILENCE_MS) setState("live");
  else if (silent_ms < SILENCE_MS) setState("reconnecting");
  else setState("stale", last_ms);
  if (isOpen() && silent_ms >= SILENCE_MS) drop();
}

function tick() {
  judge();
  const now_ms = Date.now();
  if (isOpen() && now_ms - pinged_ms >= PING_MS) ping(now_ms);
  for (const topic of topics.values()) {
    if (topic.seq === null && now_ms - topic.asked_ms >= ASK_AGAIN_MS) ask(topic);
  }
}

function ping(now_ms) {
  pinged_ms = now_ms;
  send({ method: "ping" });
}

function open() {
  clearTimeout(retryTimer);
  retryTimer = 0;
  openedAt_ms ||= Date.now();
  ticker ||= setInterval(tick, 1000);
  const url = new URL(PATH, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const mine = (socket = new WebSocket(url));
  mine.onopen = () => {
    if (mine !== socket) return;
    ping(Date.now());
    for (const topic of topics.values()) ask(topic, topic.known_seq);
  };
  mine.onmessage = (event) => mine === socket && hear(event.data);
  mine.onclose = () => mine === socket && drop();
}

function drop() {
  const old = socket;
  socket = null;
  old?.close();
  if (!isWanted()) return;
  judge();
  const wait_ms = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** retries++) * (0.5 + Math.random());
  clearTimeout(retryTimer);
  retryTimer = setTimeout(open, wait_ms);
}

// The server is about to stop: at our moment a new socket takes over from the one that still works.
function comeBack(after_ms) {
  const leaving = socket;
  setTimeout(() => {
    if (leaving !== socket) return;
    socket = null;
    open();
    leaving.close();
  }, after_ms);
}

function connect() {
  if (!socket && !retryTimer) open();
}

function rest() {
  if (isWanted()) return;
  clearTimeout(retryTimer);
  clearInterval(ticker);
  retryTimer = ticker = 0;
  const old = socket;
  socket = null;
  old?.close();
}

function hear(text) {
  const message = JSON.parse(text);
  retries = 0;
  details.heard_ms = Date.now();
  if (state.state !== "live") judge();
  const isPong = message.channel === "pong";
  if (isPong) details.delay_ms = Date.now() - pinged_ms;
  if (message.channel === "reconnect") comeBack(message.data.after_ms);
  if (message.from_seq === undefined && !isPong) return;
  if (!isPong) details.seq = message.seq;
  heard.push(message);
  if (painting) return;
  painting = true;
  if (document.hidden) setTimeout(handOut, HIDDEN_MS);
  else requestAnimationFrame(handOut);
}

// A tab that is hidden before its frame comes gets none.
document.addEventListener("visibilitychange", () => {
  if (heard.length) handOut();
  if (!document.hidden && isWanted()) wakeUp();
});
window.addEventListener("online", () => isWanted() && wakeUp());
window.addEventListener("offline", () => openedAt_ms && judge());

function wakeUp() {
  judge();
  if (!socket) {
    retries = 0;
    open();
  }
}

function askForLost(seqs) {
  for (const topic of topics.values()) {
    if (topic.seq !== null && topic.seq < seqs[topic.channel]) ask(topic, topic.seq);
  }
}

function handOut() {
  painting = false;
  const messages = heard;
  heard = [];
  for (const message of messages) {
    if (message.channel === "pong") askForLost(message.data.seqs ?? {});
    const topic = topics.get(message.channel);
    if (!topic) continue;
    const snapshot = message.from_seq === 0;
    const last_seq = topic.seq ?? topic.after_seq;
    if (!snapshot && last_seq === undefined) continue; // its snapshot is on the way
    if (!snapshot && message.from_seq !== last_seq + 1) {
      if (topic.seq !== null) ask(topic, topic.seq); // else what was missed is on the way
      continue;
    }
    topic.seq = topic.known_seq = message.seq;
    for (const listener of [...topic.listeners]) {
      try {
        listener({ ...message, snapshot });
      } catch (error) {
        console.error(error); // one broken listener takes nothing from the others
      }
    }
  }
}

/** Follow a subscription ({ type, token, interval }); returns the function that ends it. */
export function subscribe(subscription, listener) {
  const channel = channelOf(subscription);
  let topic = topics.get(channel);
  if (!topic) {
    topic = { channel, subscription, listeners: new Set(), seq: null, asked_ms: 0, asking: false };
    topics.set(channel, topic);
  }
  const entry = (message) => listener(message);
  topic.listeners.add(entry);
  topic.known_seq = undefined; // this listener knows nothing yet: what the others missed is not enough for it
  connect();
  if (isOpen()) askSoon(topic);
  return () => {
    topic.listeners.delete(entry);
    setTimeout(() => {
      if (topic.listeners.size || topics.get(channel) !== topic) return;
      topics.delete(channel);
      send({ method: "unsubscribe", subscription });
      rest();
    }, LINGER_MS);
  };
}

/**
 * How the connection stands: `state` is live, reconnecting or stale; `since_ms` says since when it is stale; `offline`
 * that the server cannot be reached at all, so that nothing can be sent either.
 */
export const connection = () => state;

/** Hear of every change of `connection()`; returns the function that ends it. */
export function onConnection(watcher) {
  watchers.add(watcher);
  connect();
  return () => {
    watchers.delete(watcher);
    setTimeout(rest, LINGER_MS);
  };
}

/** For a tooltip: round trip, last `seq` and when something was last heard; null where unknown. */
export const connectionDetails = () => ({ ...details });
