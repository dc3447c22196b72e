// The orders this tab has sent and is still following, until the account's own list tells their end.
// An order's id is made before it is sent, and it is followed under that id whatever happens to the connection.
import { useSyncExternalStore } from "react";
import { call, Refused, Unanswered } from "./api.js";

const STORE = "blitzhub.orders-sent";
const STEPS = ["sending", "unknown", "queued", "filled", "rejected", "confirmed"];
const FIRST_LOOK_MS = 1_500;
const LOOK_MS = 2_000;
const RESEND_MS = [500, 1_000, 2_000, 4_000];
const DEADLINE_MS = 65_000;
const KEPT = 30;

let orders = load();
const listeners = new Set();

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

/** The orders sent from this tab, newest first. */
export const useSentOrders = () => useSyncExternalStore(subscribe, () => orders);

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

/** Ask for the order by its id: true once the ledger or the queue knows it. */
async function looked(id) {
  try {
    const answer = await call("GET", `/orders/${id}`);
    learned(id, answer);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status !== 404 && error.status !== 429 && error.status < 500) throw error;
    return false;
  }
}

/**
 * Send `body` to /api/{side} until its fate is known, always with the same id.
 * Resolves once the order is accepted; it is then followed until it is decided.
 * @throws {Refused} nothing happened and nothing will
 */
export async function send(side, body, about) {
  const id = body.client_order_id;
  const sentAt = Date.now();
  save([{ ...about, client_order_id: id, token: body.token, side, state: "sending", accepted_at_ms: sentAt }, ...orders]);
  for (let attempt = 0; ; attempt++) {
    try {
      learned(id, { state: "queued", ...(await call("POST", `/${side}`, body)) });
      follow(id);
      return;
    } catch (error) {
      const doubtful = sentOrder(id)?.state === "unknown";
      // A refusal of a repeated request says nothing about the first one: only its time limit ends the doubt.
      const certain = error instanceof Refused && error.status < 500 && (!doubtful || Date.now() - sentAt > DEADLINE_MS);
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
    if (isDecided(sentOrder(id)?.state) || (await looked(id).catch(() => false))) {
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

/** Go on following what an earlier page of this tab had sent. */
export function resume() {
  for (const { client_order_id: id, state } of orders) if (!isFinal(state)) follow(id);
}
