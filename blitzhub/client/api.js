// One way to call our API: JSON in, JSON out, and three kinds of "no" that are never mixed up.

const TIMEOUT_MS = 15_000;
const NO_ANSWER = "The server did not answer."; // for people: what the browser calls it stands in `cause`

/** The server answered no: nothing happened, and `code` says why. */
export class Refused extends Error {
  constructor(status, problem, retryAfterS) {
    super(problem.detail ?? problem.title ?? "The request was refused.");
    this.status = status;
    this.code = problem.code ?? "error";
    this.data = problem.data ?? {};
    this.errors = problem.errors ?? [];
    this.retryAfterS = retryAfterS;
  }
}

/** Nobody knows whether the server took the request: no answer, a timeout, or a gateway's error. */
export class Unanswered extends Error {}

async function answerOf(response) {
  const text = await response.text();
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    throw new Unanswered(NO_ANSWER, { cause: `${response.status} with an unreadable body` });
  }
}

/**
 * Call `path` below /api.
 * @throws {Refused} the server said no
 * @throws {Unanswered} the outcome is unknown; a request with an id of its own may be sent again
 */
export async function call(method, path, body, { signal } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const isForm = body instanceof FormData || body instanceof Blob;
  let response;
  try {
    response = await fetch(`/api${path}`, {
      method,
      credentials: "same-origin",
      headers: body === undefined || isForm ? undefined : { "Content-Type": "application/json" },
      body: body === undefined || isForm ? body : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unanswered(NO_ANSWER, { cause: error });
  }
  const answer = await answerOf(response);
  if (response.ok) return answer;
  if (response.status === 502 || response.status === 504) throw new Unanswered(answer.detail ?? NO_ANSWER);
  throw new Refused(response.status, answer, Number(response.headers.get("Retry-After")) || null);
}

/** A new id for a request that must happen at most once; made before it is sent. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
