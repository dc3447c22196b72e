// How the engine room's figures read, wherever they are shown.
import { age, NONE } from "$/public/external/blitzhub/feed/figures.js";

export const ms = (value) => (value === null || value === undefined ? NONE : value < 10_000 ? `${value} ms` : `${(value / 1_000).toFixed(1)} s`);
export const seconds = (then, now) => (then === null ? NONE : now - then < 10_000 ? `${((now - then) / 1_000).toFixed(1)}s` : age(then, now));

/**
 * What waits in all queues: { orders, oldest, held }. `oldest` is the greatest age that is known, null for none; `held`
 * names the longest held token with orders whose age nobody knows, null for none.
 */
export function waits(queues, now) {
  const filled = queues.filter((each) => each.orders > 0);
  const known = filled.map((each) => each.oldest_at_ms).filter((each) => each !== null);
  const held = filled.filter((each) => each.oldest_at_ms === null && each.held_since_ms !== null).sort((one, other) => one.held_since_ms - other.held_since_ms);
  return {
    orders: queues.reduce((sum, each) => sum + each.orders, 0),
    oldest: known.length ? seconds(Math.min(...known), now) : null,
    held: held.length ? `${held[0].symbol} held ${age(held[0].held_since_ms, now)}` : null,
  };
}
