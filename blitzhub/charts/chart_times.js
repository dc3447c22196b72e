// How the chart's time axis and its crosshair read. Seconds are as the library draws them: UTC, shifted to local before.
import { MONTHS } from "$/public/external/blitzhub/feed/figures.js";

const YEAR = 0;
const MONTH = 1;
const DAY = 2;
const HOURS_4_MS = 14_400_000;
export const DAY_MS = 86_400_000;

const padded = (number) => String(number).padStart(2, "0");
const dayAndMonth = (moment) => `${moment.getUTCDate()} ${MONTHS[moment.getUTCMonth()]}`;

function clock(moment, length_ms) {
  const parts = [moment.getUTCHours(), moment.getUTCMinutes()];
  if (length_ms < 60_000) parts.push(moment.getUTCSeconds());
  return parts.map(padded).join(":");
}

/**
 * The label under a candle: a date where a day begins, a clock within it. `kind` is the library's: what is new at this
 * candle, 0 for a year, 1 a month, 2 a day. The oldest candle knows of no day before it: `isFirst`.
 */
export function tickText(at_s, kind, length_ms, isFirst) {
  const moment = new Date(at_s * 1000);
  if (length_ms >= DAY_MS && kind === YEAR) return String(moment.getUTCFullYear());
  if (length_ms >= DAY_MS && kind === MONTH) return MONTHS[moment.getUTCMonth()];
  if (length_ms >= DAY_MS || kind <= DAY || (length_ms >= HOURS_4_MS && isFirst)) return dayAndMonth(moment);
  return clock(moment, length_ms);
}

/** The crosshair's label: the whole moment at which the candle begins. */
export function momentText(at_s, length_ms) {
  const moment = new Date(at_s * 1000);
  const date = `${dayAndMonth(moment)} ${moment.getUTCFullYear()}`;
  return length_ms >= DAY_MS ? date : `${date} ${clock(moment, length_ms)}`;
}
