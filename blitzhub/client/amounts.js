// What people type, read into whole base units. BigInt only: no float touches money.

const PLAIN = /^(\d*)(?:\.(\d*))?$/;
const GROUPED = /^\d{1,3}(,\d{3})+(\.\d*)?$/;
const DECIMAL_COMMA = /^\d*,\d+$/;
const MAX_AMOUNT = 2n ** 63n - 1n;

/** The text without the thousands' commas and spaces that come with a paste. */
export function cleaned(text) {
  const trimmed = text.trim().replace(/[\s\u00a0]/g, "");
  return GROUPED.test(trimmed) ? trimmed.replaceAll(",", "") : trimmed;
}

/**
 * Read an amount of `decimals` decimals.
 * @returns {{units: bigint|null, error: string}} units null and no error for an empty field
 */
export function readAmount(text, decimals) {
  const value = cleaned(text);
  if (value === "" || value === ".") return { units: null, error: "" };
  if (DECIMAL_COMMA.test(value)) return { units: null, error: `Use a point: ${value.replace(",", ".")}` };
  const match = PLAIN.exec(value);
  if (!match) return { units: null, error: "Digits and one point only" };
  const [, whole, fraction = ""] = match;
  if (fraction.length > decimals) return { units: null, error: `At most ${decimals} decimals` };
  const units = BigInt((whole || "0") + fraction.padEnd(decimals, "0"));
  if (units > MAX_AMOUNT) return { units: null, error: "More than can exist" };
  return { units, error: "" };
}

/** The shortest exact decimal of `units`, as one would type it. */
export function exactText(units, decimals) {
  const digits = units.toString().padStart(decimals + 1, "0");
  const fraction = digits.slice(-decimals).replace(/0+$/, "");
  return digits.slice(0, -decimals) + (fraction ? `.${fraction}` : "");
}

/** A non-negative integer string of the API or the State as BigInt; null for anything else. */
export function units(text) {
  return typeof text === "string" && /^\d+$/.test(text) ? BigInt(text) : null;
}
