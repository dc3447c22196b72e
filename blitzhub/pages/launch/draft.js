// The draft of a launch, kept over a reload (a sign-in makes one), and the one way to send it.
import { useState } from "react";
import { call, newId, Refused } from "$/public/external/blitzhub/client/api.js";

const STORE = "blitzhub.launch-draft";
const EMPTY = { name: "", symbol: "", description: "", firstBuy: "0.1", openingFee: "", openingFeeS: "", openingCap: "", openingCapMin: "", clientId: "" };
const RESEND_AT_MOST = 8;
const RESEND_MS = [500, 1_000, 2_000, 4_000];

export function useLaunchDraft() {
  const [draft, setDraft] = useState(() => {
    try {
      return { ...EMPTY, ...JSON.parse(sessionStorage.getItem(STORE) ?? "{}") };
    } catch {
      return EMPTY;
    }
  });
  const change = (news) =>
    setDraft((old) => {
      const next = { ...old, ...news };
      sessionStorage.setItem(STORE, JSON.stringify(next));
      return next;
    });
  return [draft, change];
}

export const forgetDraft = () => sessionStorage.removeItem(STORE);

/** The id under which this draft is launched, at most once: made before anything is sent, and kept. */
export function draftId(draft, change) {
  const clientId = draft.clientId || newId();
  if (!draft.clientId) change({ clientId });
  return clientId;
}

/**
 * Send the launch until it is answered, always under the same id.
 * @returns {Promise<string>} the token's address
 * @throws {Refused} nothing happened
 */
export async function launch(body, onDoubt) {
  for (let attempt = 0; ; attempt++) {
    try {
      return (await call("POST", "/tokens", body)).token;
    } catch (error) {
      if (error instanceof Refused && error.status < 500) throw error;
      if (attempt >= RESEND_AT_MOST) throw new Error("No answer came. Trying again launches it once at most, whatever became of this.");
      onDoubt();
    }
    await new Promise((resolve) => setTimeout(resolve, RESEND_MS[Math.min(attempt, RESEND_MS.length - 1)]));
  }
}
