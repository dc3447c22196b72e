// The drawing of a candle chart: lightweight-charts with the design's colours, units and local time.
import { CandlestickSeries, ColorType, createChart, HistogramSeries } from "lightweight-charts";
import { DAY_MS, momentText, tickText } from "$/public/external/blitzhub/charts/candle_chart/chart_times.js";
import { GraduationMark } from "$/public/external/blitzhub/charts/candle_chart/graduation_mark.js";
import { marketSol, NONE, priceText } from "$/public/external/blitzhub/feed/figures.js";

const FONT = '"JetBrains Mono Variable", "DejaVu Sans Mono", ui-monospace, monospace';
const PHONE = "(max-width: 639px)";
const DASHED = 2;
const LARGE_DASHED = 3;
const DOTTED = 1;
const PRICE_UNITS_PER_SOL = 1e15;
const PRICE_UNITS_PER_LAMPORT = 1e6;
const LAMPORTS_PER_SOL = 1e9;
const LEAST_SPAN = 0.05; // of the price: a market that stands still is not drawn as one that trembles

/** What the axis counts: SOL of market cap, or lamports per whole token. */
export const UNITS = {
  mc: {
    label: "MC",
    value: (price, supply) => (Number(price) / PRICE_UNITS_PER_SOL) * supply,
    text: (value) => (value < 0 ? "" : marketSol(BigInt(Math.round(value * LAMPORTS_PER_SOL)))), // the axis goes below zero
  },
  price: {
    label: "Price",
    value: (price) => Number(price) / PRICE_UNITS_PER_LAMPORT,
    text: (value) => (value > 0 ? priceText(BigInt(Math.round(value * PRICE_UNITS_PER_LAMPORT))) : ""),
  },
};

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--bh-${name}`).trim();

function widened(original) {
  const found = original();
  if (!found?.priceRange) return found;
  const { minValue, maxValue } = found.priceRange;
  const lack = (maxValue * LEAST_SPAN - (maxValue - minValue)) / 2;
  return lack > 0 ? { ...found, priceRange: { minValue: minValue - lack, maxValue: maxValue + lack } } : found;
}

export class Drawing {
  /** `supply` is the total supply in whole tokens; `graduation` the price at graduation or null. */
  constructor(element, { supply, graduation }) {
    this.supply = supply;
    this.graduation = graduation;
    this.unit = UNITS.mc;
    this.shift_s = 0;
    const phone = matchMedia(PHONE).matches;
    this.chart = createChart(element, {
      autoSize: true,
      layout: { fontSize: 11, fontFamily: FONT, attributionLogo: true },
      grid: { vertLines: { visible: false } },
      crosshair: { mode: 0 },
      hoveredSeriesOnTop: false,
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.22 }, minimumWidth: phone ? 56 : 72, entireTextOnly: true },
      timeScale: {
        borderVisible: false,
        timeVisible: true,
        rightOffsetPixels: phone ? 24 : 48,
        barSpacing: phone ? 6 : 8,
        minBarSpacing: 2,
        maxBarSpacing: 24,
        allowBoldLabels: false,
        lockVisibleTimeRangeOnResize: true,
      },
      handleScroll: { vertTouchDrag: !phone },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, { borderVisible: false, lastValueVisible: false, priceLineVisible: false, autoscaleInfoProvider: widened });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "",
      lastValueVisible: false,
      priceLineVisible: false,
      priceFormat: { type: "custom", minMove: 0.001, formatter: (value) => marketSol(BigInt(Math.round(value * LAMPORTS_PER_SOL))) },
    });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.line = null;
    this.graduationLine = null;
    this.graduatedAt_ms = null;
    this.mark = new GraduationMark();
    this.candles.attachPrimitive(this.mark);
    this.last = null;
    this.times = [];
    this.theme();
    this.setUnit("mc");
  }

  /** Take the colours of the page's theme. */
  theme() {
    const line = { color: style("line-3"), width: 1, style: LARGE_DASHED, labelBackgroundColor: style("bg-4") };
    this.chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: style("bg-1") }, textColor: style("text-3"), panes: { separatorColor: style("line-1") } },
      grid: { horzLines: { color: style("grid") } },
      crosshair: { vertLine: line, horzLine: line },
    });
    const [up, down] = [style("up"), style("down")];
    this.colors = { up: `${up}66`, down: `${down}66` };
    this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.mark.paint(style("accent-line"));
    this.#drawLines();
  }

  /** Count in `mc` or `price`; draw again afterwards. */
  setUnit(name) {
    this.unit = UNITS[name];
    this.candles.applyOptions({ priceFormat: { type: "custom", minMove: 0.001, formatter: this.unit.text } });
    for (const drawn of ["line", "graduationLine"]) {
      if (this[drawn]) this.candles.removePriceLine(this[drawn]);
      this[drawn] = null;
    }
  }

  /** How long a candle lasts, which says how its time reads; draw again afterwards. */
  setLength(length_ms) {
    // The library draws UTC only; one shift keeps time in order. A day is a day of UTC wherever one looks from.
    this.shift_s = length_ms >= DAY_MS ? 0 : new Date().getTimezoneOffset() * 60;
    const isFirst = (at_s) => (at_s + this.shift_s) * 1000 === this.times[0];
    this.chart.applyOptions({
      localization: { timeFormatter: (at_s) => momentText(at_s, length_ms) },
      timeScale: { tickMarkFormatter: (at_s, kind) => tickText(at_s, kind, length_ms, isFirst(at_s)) },
    });
  }

  /** Draw every candle; with `keepRange` the view stays where it is. */
  drawAll(candles, keepRange) {
    const range = keepRange ? this.chart.timeScale().getVisibleLogicalRange() : null;
    this.candles.setData(candles.map((candle) => this.#bar(candle)));
    this.volume.setData(candles.map((candle) => this.#volumeBar(candle)));
    this.times = candles.map((candle) => candle.t);
    this.#placeMark();
    this.#remember(candles[candles.length - 1] ?? null);
    if (range) this.chart.timeScale().setVisibleLogicalRange(range);
  }

  /** Draw the last candle, grown or new. */
  drawLast(candle) {
    this.candles.update(this.#bar(candle));
    this.volume.update(this.#volumeBar(candle));
    if (this.times[this.times.length - 1] !== candle.t) this.times.push(candle.t);
    this.#placeMark();
    this.#remember(candle);
  }

  /** Mark the moment in which the token graduated; null before. */
  setGraduated(at_ms) {
    if (at_ms === this.graduatedAt_ms) return;
    this.graduatedAt_ms = at_ms;
    this.#placeMark();
    this.#drawLines();
  }

  /** Whether the moment stands among the candles that are drawn. */
  get isMarked() {
    return this.#markBucket() !== undefined;
  }

  text(price) {
    return BigInt(price) === 0n ? NONE : this.unit.text(this.unit.value(price, this.supply));
  }

  /** The bucket under the crosshair in epoch ms, or null. */
  bucketOf(param) {
    return param.time === undefined ? null : (param.time + this.shift_s) * 1000;
  }

  isScrolledBack() {
    return this.chart.timeScale().scrollPosition() < -1;
  }

  /** Show the newest candle with the design's room right of it. */
  toNow(animated) {
    const scale = this.chart.timeScale();
    const { rightOffsetPixels, barSpacing } = scale.options();
    scale.scrollToPosition(rightOffsetPixels / barSpacing, animated);
  }

  remove() {
    this.chart.remove();
  }

  #time(candle) {
    return candle.t / 1000 - this.shift_s;
  }

  // The last bucket that began by then; none when it lies before everything that is loaded.
  #markBucket() {
    return this.graduatedAt_ms === null ? undefined : this.times.findLast((t) => t <= this.graduatedAt_ms);
  }

  #placeMark() {
    const t = this.#markBucket();
    this.mark.place(t === undefined ? null : this.#time({ t }));
  }

  #bar(candle) {
    const value = (price) => this.unit.value(price, this.supply);
    return { time: this.#time(candle), open: value(candle.o), high: value(candle.h), low: value(candle.l), close: value(candle.c) };
  }

  #volumeBar(candle) {
    const rose = BigInt(candle.c) >= BigInt(candle.o);
    return { time: this.#time(candle), value: Number(candle.v) / LAMPORTS_PER_SOL, color: rose ? this.colors.up : this.colors.down };
  }

  #remember(candle) {
    this.last = candle;
    this.#drawLines();
  }

  // An own line for the last price: the built-in label writes white on teal.
  #drawLines() {
    if (this.last) {
      const side = BigInt(this.last.c) >= BigInt(this.last.o) ? "buy" : "sell";
      this.line = this.#drawLine(this.line, {
        price: this.unit.value(this.last.c, this.supply),
        color: style(side),
        lineWidth: 1,
        lineStyle: DASHED,
        axisLabelVisible: true,
        axisLabelColor: style(side),
        axisLabelTextColor: style(`on-${side}`),
        title: "",
      });
    }
    if (this.graduation) {
      this.graduationLine = this.#drawLine(this.graduationLine, {
        price: this.unit.value(this.graduation, this.supply),
        color: style("accent-line"),
        lineWidth: 1,
        lineStyle: DOTTED,
        axisLabelVisible: true,
        axisLabelColor: style("accent"),
        axisLabelTextColor: style("on-accent"),
        title: this.graduatedAt_ms === null ? "Graduates" : "Graduated",
      });
    }
  }

  #drawLine(line, options) {
    if (!line) return this.candles.createPriceLine(options);
    line.applyOptions(options);
    return line;
  }
}
