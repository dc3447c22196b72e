// The orders this tab has sent and is still following, until the account's own list tells their end.
// An order's id is made before it is sent, and it is followed under that id whatever happens to the connection.
import { useSyncExternalStore } from "react";
import { call, Refused, Unanswered } from "./api.js";

const STORE = "blitzhub.orders-sent";
const STEPS = ["sending", "unknown", "queued", "parked", "filled", "rejected", "confirmed"];
const FIRST_LOOK_MS = 1_500;
const LOOK_MS = 2_000;
const RESEND_MS = [500, 1_000, 2_000, 4_000];
const RESEND_FOR_MS = 30_000;
// The longest an order can still be carried out after its last sending: the request's own limit, the time limit that
// the server gives an order, and some room.
const DEADLINE_MS = 85_000;
const KEPT = 30;

let orders = load();
const listeners = new Set();
const sending = new Set();

function load() {
  try {
    return JSON.parse(sessionStorage.getItem(STORE) ?? "[]");
  } catch {
    return [];
  }
}

function save(next) {
  orders = next.slice(0, KEPT);
  sessionStorage.setItem(STORE, JSON.stringify(orders));
  for (const listener of listeners) listener();
}

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The orders that this account sent of this token from this tab, newest first. */
export function useSentOrders(account, token) {
  return useSyncExternalStore(subscribe, () => orders).filter((order) => order.account === account && order.token === token);
}

export const sentOrder = (id) => orders.find((order) => order.client_order_id === id);

/** What is known of an order has grown; a state never goes back. */
export function learned(id, news) {
  const known = sentOrder(id);
  if (!known || (news.state && STEPS.indexOf(news.state) < STEPS.indexOf(known.state))) return;
  const changed = Object.keys(news).some((key) => news[key] !== known[key]);
  if (changed) save(orders.map((order) => (order === known ? { ...order, ...news } : order)));
}

function forget(id) {
  save(orders.filter((order) => order.client_order_id !== id));
}

export const isFinal = (state) => state === "confirmed" || state === "rejected";
const isDecided = (state) => isFinal(state) || state === "filled";
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Wait, but no longer than until the ledger's own list has told of the order. */
function pauseUnlessDecided(id, ms) {
  return new Promise((resolve) => {
    const end = () => {
      stop();
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(end, ms);
    const stop = subscribe(() => isDecided(sentOrder(id)?.state) && end());
    if (isDecided(sentOrder(id)?.state)) end();
  });
}

/**
 * Ask for the order by its id: true once the ledger or the queue knows it.
 * One that they do not know after every time limit never arrived and never will.
 */
async function looked(id) {
  try {
    const answer = await call("GET", `/orders/${id}`);
    learned(id, answer);
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) return false;
    if (error.status === 404 && Date.now() - sentOrder(id)?.tried_at_ms > DEADLINE_MS) {
      learned(id, { state: "rejected", reason: "not_arrived" });
      return true;
    }
    if (error.status !== 404 && error.status !== 429 && error.status < 500) throw error;
    return false;
  }
}

/**
 * Send `body` to /api/{side} until its fate is known, always with the same id.
 * Resolves once the order is accepted, or when nothing is sent any more and its fate is still unknown; it is then
 * followed until it is decided.
 * @throws {Refused} nothing happened and nothing will
 */
export async function send(side, body, about) {
  sending.add(body.client_order_id);
  try {
    await sendUntilKnown(side, body, about);
  } finally {
    sending.delete(body.client_order_id);
  }
}

async function sendUntilKnown(side, body, about) {
  const id = body.client_order_id;
  const sentAt = Date.now();
  save([{ ...about, client_order_id: id, token: body.token, side, state: "sending", accepted_at_ms: sentAt }, ...orders]);
  for (let attempt = 0; ; attempt++) {
    learned(id, { tried_at_ms: Date.now() });
    try {
      learned(id, { state: "queued", ...(await call("POST", `/${side}`, body)) });
      follow(id);
      return;
    } catch (error) {
      const doubtful = sentOrder(id)?.state === "unknown";
      // A refusal of a repeated request says nothing about the first one.
      const certain = error instanceof Refused && error.status < 500 && !doubtful;
      if (certain || (!(error instanceof Refused) && !(error instanceof Unanswered))) {
        forget(id);
        throw error;
      }
      if (error instanceof Refused && error.status === 503 && !doubtful) {
        forget(id); // nothing was queued
        throw error;
      }
      learned(id, { state: "unknown" });
    }
    await pauseUnlessDecided(id, RESEND_MS[Math.min(attempt, RESEND_MS.length - 1)]);
    const tooLate = Date.now() - sentAt > RESEND_FOR_MS; // nobody wants an order of a while ago carried out now
    if (tooLate || isDecided(sentOrder(id)?.state) || (await looked(id).catch(() => false))) {
      follow(id);
      return;
    }
  }
}

const followed = new Set();

/** Repair a lost push: look at an order now and then until it is decided. */
async function follow(id) {
  if (followed.has(id)) return;
  followed.add(id);
  await pause(FIRST_LOOK_MS);
  while (sentOrder(id) && !isFinal(sentOrder(id).state)) {
    await looked(id).catch(() => {});
    await pause(isDecided(sentOrder(id)?.state) ? 4 * LOOK_MS : LOOK_MS);
  }
  followed.delete(id);
}

/** Go on following what an earlier page of this tab had sent; what that page was still sending may have arrived. */
export function resume() {
  for (const { client_order_id: id, state } of orders) {
    if (state === "sending" && !sending.has(id)) learned(id, { state: "unknown" });
    if (!isFinal(state) && !sending.has(id)) follow(id);
  }
}
