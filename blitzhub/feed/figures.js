// How figures read: integers in (BigInt, Number or a string of digits), text out. `blitzhub/figures.py` says the
// same on the server; both are checked against tests/unit/figures.json. null is a figure nobody knows: "—".
export const NONE = "—";
const MINUS = "−";
const SOL_DECIMALS = 9;
const PRICE_DECIMALS = 15;
const SUBSCRIPT = "₀₁₂₃₄₅₆₇₈₉";
const TOO_MANY = ">999%";
const DAY_MS = 86_400_000;
export const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const power = (exponent) => 10n ** BigInt(exponent);
const isNone = (value) => value === null || value === undefined;

function floorDiv(value, divisor) {
  const quotient = value / divisor;
  return value % divisor !== 0n && value < 0n !== divisor < 0n ? quotient - 1n : quotient;
}
const halfUp = (value, divisor) => floorDiv(2n * value + divisor, 2n * divisor);
const split = (value) => (value < 0n ? [MINUS, -value] : ["", value]);
const grouped = (whole) => String(whole).replace(/\B(?=(\d{3})+$)/g, ",");

function decimal(value, places) {
  const unit = power(places);
  const whole = grouped(value / unit);
  return places ? `${whole}.${String(value % unit).padStart(places, "0")}` : whole;
}

function scaled(size, exponent, up) {
  if (exponent >= 0) return size * power(exponent);
  return up ? halfUp(size, power(-exponent)) : size / power(-exponent);
}

function compact(value, decimals, up = true) {
  if (isNone(value)) return NONE;
  const [sign, size] = split(BigInt(value));
  if (size > 0n && size * 1000n < power(decimals)) return `${sign}<0.001`;
  for (const [limit, places] of [[1n, 3], [100n, 2], [1000n, 1]]) {
    const figure = scaled(size, places - decimals, up);
    if (figure < limit * power(places)) return sign + decimal(figure, places);
  }
  for (const [letter, shift] of [["K", 3], ["M", 6], ["B", 9]]) {
    for (const [limit, places] of [[10n, 2], [100n, 1], [1000n, 0]]) {
      const figure = scaled(size, places - decimals - shift, up);
      if (figure < limit * power(places)) return sign + decimal(figure, places) + letter;
    }
  }
  return `${sign}${decimal(scaled(size, -decimals - 9, up), 0)}B`;
}

function exact(value, decimals) {
  if (isNone(value)) return NONE;
  const [sign, size] = split(BigInt(value));
  return sign + decimal(size, decimals);
}

const trimmed = (text) => (/\.\d+$/.test(text) ? text.replace(/\.?0+$/, "") : text);

// Price in 10^-15 SOL per whole token, in parts: lead, <sub>zeros</sub> unless 0, digits; exact is for title and copy.
export function price(units) {
  if (isNone(units) || BigInt(units) === 0n) return { lead: NONE, zeros: 0, digits: "", exact: NONE };
  const value = BigInt(units);
  const whole = trimmed(decimal(value, PRICE_DECIMALS));
  const step = power(Math.max(String(value).length - 4, 0));
  const rounded = halfUp(value, step) * step;
  const places = Math.min(Math.max(PRICE_DECIMALS - String(rounded).length + 4, 0), PRICE_DECIMALS);
  const text = decimal(halfUp(rounded, power(PRICE_DECIMALS - places)), places);
  const zeros = text.startsWith("0.") ? /^0\.(0*)/.exec(text)[1].length : 0;
  if (zeros < 4) return { lead: text, zeros: 0, digits: "", exact: whole };
  return { lead: "0.0", zeros, digits: String(rounded).slice(0, 4).padEnd(4, "0"), exact: whole };
}

// The price in one line, for canvas and plain text.
export function priceText(units) {
  const { lead, zeros, digits } = price(units);
  return lead + (zeros ? [...String(zeros)].map((digit) => SUBSCRIPT[digit]).join("") : "") + digits;
}

export const marketSol = (lamports) => compact(lamports, SOL_DECIMALS);
export const exactSol = (lamports) => exact(lamports, SOL_DECIMALS);
export const exactTokens = (baseUnits, decimals = 6) => exact(baseUnits, decimals);
export const compactTokens = (baseUnits, decimals = 6) => compact(baseUnits, decimals);

// What one has rounds down, what one pays rounds up; less than 0.0001 SOL shows all nine decimals.
export function ownSol(lamports, { pays = false } = {}) {
  if (isNone(lamports)) return NONE;
  const value = BigInt(lamports);
  const [sign, size] = split(value);
  if (size > 0n && size < 100_000n) return sign + decimal(size, SOL_DECIMALS);
  const away = pays !== value < 0n;
  return sign + decimal(away ? -floorDiv(-size, 100_000n) : size / 100_000n, 4);
}

export function ownTokens(baseUnits, decimals = 6) {
  if (isNone(baseUnits)) return NONE;
  const [sign, size] = split(BigInt(baseUnits));
  const places = Math.min(size < power(decimals) ? 6 : 2, decimals);
  return sign + decimal(size / power(decimals - places), places);
}

export function changeBps(base, now) {
  if (isNone(base) || isNone(now) || BigInt(base) === 0n) return null;
  return Number(halfUp((BigInt(now) - BigInt(base)) * 10_000n, BigInt(base)));
}

export function share(bps) {
  if (isNone(bps)) return NONE;
  for (const [limit, places] of [[10n, 2], [100n, 1], [1000n, 0]]) {
    const figure = halfUp(BigInt(bps), power(2 - places));
    if (figure < limit * power(places)) return `${decimal(figure, places)}%`;
  }
  return TOO_MANY;
}

function multiple(bps) {
  const tenths = halfUp(BigInt(bps) + 10_000n, 1_000n);
  if (tenths < 1000n) return `${decimal(tenths, 1)}×`;
  const whole = halfUp(BigInt(bps) + 10_000n, 10_000n);
  return whole <= 999n ? `${whole}×` : ">999×";
}

// A change: always with its sign; from 1,000% on as the multiple that `now` is of the base.
export function percent(bps) {
  if (isNone(bps)) return NONE;
  if (bps === 0) return "0.00%";
  const text = share(Math.abs(bps));
  return text === TOO_MANY ? multiple(bps) : (bps > 0 ? "+" : MINUS) + text;
}

export function graduationPercent(raised, needed, graduated = false) {
  if (graduated) return "100%";
  const tenths = (BigInt(raised) * 1000n) / BigInt(needed);
  return `${decimal(tenths < 999n ? tenths : 999n, 1)}%`;
}

export function graduationAmounts(raised, needed) {
  const goal = marketSol(needed);
  const rounded = marketSol(raised);
  const early = rounded === goal && BigInt(raised) < BigInt(needed);
  return `${early ? compact(raised, SOL_DECIMALS, false) : rounded} of ${trimmed(goal)} SOL`;
}

// Times are epoch milliseconds; dates and clock are in the reader's own zone.
export function age(then, now) {
  const passed = now - then;
  if (passed < 1000) return "now";
  for (const [limit, unit, letter] of [[60_000, 1000, "s"], [3_600_000, 60_000, "m"], [DAY_MS, 3_600_000, "h"], [30 * DAY_MS, DAY_MS, "d"]]) {
    if (passed < limit) return `${Math.floor(passed / unit)}${letter}`;
  }
  const moment = new Date(then);
  return `${moment.getDate()} ${MONTHS[moment.getMonth()]} ${moment.getFullYear()}`;
}

export function clock(ms) {
  const moment = new Date(ms);
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

export const shortAddress = (text) => (text.length > 8 ? `${text.slice(0, 4)}…${text.slice(-4)}` : text);
export const groupedAddress = (text) => text.match(/.{1,4}/g)?.join(" ") ?? "";
export const count = (number) => (isNone(number) ? NONE : number < 10_000 ? grouped(number) : compact(number, 0));
