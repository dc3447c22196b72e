// Writes live figures straight to the page, without rendering, and flashes what changed.
import { age, changeBps, percent, price } from "$/public/external/blitzhub/feed/figures.js";

const FLASH_MS = 600;
const HOLD = 100 / FLASH_MS;
const FLASHES_PER_CELL_MS = 500;
const CELLS_PER_FRAME = 24;

const flashed = new WeakMap();
const aged = new Map();
let cells = 0;
let agingTimer = 0;

const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Write plain text; true if what is shown changed. */
export function writeText(element, text) {
  if (element.firstChild?.nodeType === Node.TEXT_NODE && !element.firstChild.nextSibling) {
    if (element.firstChild.data === text) return false;
    element.firstChild.data = text;
    return true;
  }
  element.textContent = text;
  return true;
}

/** Write a price by the design's rule, many zeros as a subscript; true if what is shown changed. */
export function writePrice(element, units) {
  const { lead, zeros, digits, exact } = price(units);
  const key = `${lead}|${zeros}|${digits}`;
  if (element.dataset.shown === key) return false;
  element.dataset.shown = key;
  if (zeros) {
    const small = document.createElement("sub");
    small.textContent = String(zeros);
    element.replaceChildren(lead, small, digits);
    element.setAttribute("aria-label", exact);
  } else {
    element.replaceChildren(lead);
    element.removeAttribute("aria-label");
  }
  element.title = exact;
  return true;
}

/** Write how far a price has come from what it was, both integer strings or null. */
export function paintChange(element, before, now) {
  const bps = changeBps(before, now);
  element.dataset.direction = !bps ? "" : bps > 0 ? "up" : "down";
  return writeText(element, percent(bps));
}

/** Show that a figure rose (`direction` > 0) or fell; at most twice a second per cell and 24 cells a frame. */
export function flash(element, direction) {
  if (!direction) return;
  element.dataset.move = direction > 0 ? "up" : "down";
  const now = performance.now();
  if (still.matches || document.hidden || cells >= CELLS_PER_FRAME) return;
  if (now - (flashed.get(element) ?? -FLASHES_PER_CELL_MS) < FLASHES_PER_CELL_MS) return;
  flashed.set(element, now);
  if (cells++ === 0) requestAnimationFrame(() => (cells = 0));
  fade(element, direction > 0 ? "var(--bh-buy-flash)" : "var(--bh-sell-flash)");
}

/** Let a ground colour stand for 100 ms and fade for 500 ms. */
export function fade(element, ground) {
  if (still.matches) return;
  element.animate(
    [
      { backgroundColor: ground, offset: 0 },
      { backgroundColor: ground, offset: HOLD },
      { backgroundColor: "transparent", offset: 1 },
    ],
    { duration: FLASH_MS, easing: "linear" },
  );
}

/** Which way a figure moved, both as integer strings or null. */
export function direction(before, now) {
  if (before === null || before === undefined || now === null || now === undefined) return 0;
  const difference = BigInt(now) - BigInt(before);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

/** Keep an element saying how long ago that moment was; one timer serves them all. Returns the function that ends it. */
export function keepAge(element, then_ms) {
  writeText(element, age(then_ms, Date.now()));
  aged.set(element, then_ms);
  agingTimer ||= setInterval(() => {
    const now_ms = Date.now();
    for (const [aging, since_ms] of aged) writeText(aging, age(since_ms, now_ms));
  }, 1000);
  return () => {
    aged.delete(element);
    if (aged.size) return;
    clearInterval(agingTimer);
    agingTimer = 0;
  };
}
