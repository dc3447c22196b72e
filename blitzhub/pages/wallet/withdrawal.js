// One withdrawal from the form to the server: its id is made before it is sent, and it is sent until its fate is known.
import { call, Refused, Unanswered } from "$/public/external/blitzhub/client/api.js";
import { exactSol, exactTokens } from "$/public/external/blitzhub/feed/figures.js";

const RESEND_MS = [500, 1_000, 2_000, 4_000];

export const SOL = "SOL";
export const SOL_DECIMALS = 9;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** An exact amount with its unit: nobody confirms a rounded one. */
export const exactly = (amount, asset, symbol, decimals) =>
  asset === SOL ? `${exactSol(amount)} SOL` : `${exactTokens(amount, decimals)} ${symbol}`;

/**
 * Send the request until somebody answers; `body.client_id` makes all of it one request.
 * @throws {Refused} nothing was taken out
 */
export async function send(path, body, onDoubt) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call("POST", path, body);
    } catch (error) {
      const doubtful = error instanceof Unanswered || (error instanceof Refused && error.status === 503 && error.code !== "withdrawals_frozen" && attempt > 0);
      if (!doubtful || attempt >= 12) throw error;
      onDoubt?.();
    }
    await pause(RESEND_MS[Math.min(attempt, RESEND_MS.length - 1)]);
  }
}

/** How long a withdrawal to a new address waits, in words. */
export function waitWords(ms) {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `${Math.max(1, Math.round(ms / 1_000))} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
