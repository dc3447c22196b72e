// A token's candles in order of time, put together from history and the live channel.
//
// The same candle may come from both, in any order: the one with more trades is the newer one.
const LONGEST_GAP = 120;

/** The flat candles between two neighbours: all that are empty, or none where they are too many. */
export function flatBetween(one, other, length_ms) {
  const empty = (other.t - one.t) / length_ms - 1;
  if (empty > LONGEST_GAP) return [];
  const { c } = one;
  return Array.from({ length: empty }, (_, index) => ({ t: one.t + (index + 1) * length_ms, o: c, h: c, l: c, c, v: "0", n: 0 }));
}

/** The candles as they are drawn; `engine/indicators/candles.py` states the rule, a test compares both. */
export function withGapsFilled(candles, length_ms) {
  return candles.flatMap((candle, index) => (index ? [...flatBetween(candles[index - 1], candle, length_ms), candle] : [candle]));
}

export class Candles {
  constructor() {
    this.items = [];
  }

  get last() {
    return this.items[this.items.length - 1];
  }

  /** Take candles in; true if one changed that is not among the last (then the whole series must be drawn again). */
  merge(candles) {
    let restructured = false;
    for (const candle of candles) {
      const last = this.last;
      if (!last || candle.t > last.t) this.items.push(candle);
      else if (candle.t === last.t) this.items[this.items.length - 1] = newer(last, candle);
      else restructured = this.#insert(candle) || restructured;
    }
    return restructured;
  }

  /** The candle that begins at that moment. */
  at(t) {
    const candle = this.items[this.#firstAfter(t) - 1];
    return candle?.t === t ? candle : undefined;
  }

  /** The last close at or before that moment, as an integer string, or null. */
  closeAt(at_ms) {
    const index = this.#firstAfter(at_ms) - 1;
    return index < 0 ? null : this.items[index].c;
  }

  #insert(candle) {
    const index = this.#firstAfter(candle.t);
    const known = this.items[index - 1];
    if (known?.t !== candle.t) {
      this.items.splice(index, 0, candle);
      return true;
    }
    this.items[index - 1] = newer(known, candle);
    return this.items[index - 1] !== known;
  }

  #firstAfter(t) {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.items[middle].t <= t) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const newer = (known, candle) => (candle.n > known.n ? candle : known);
