// A wallet for local chains: implements the Wallet Standard like any other and registers itself through its events.
// Its key is made in this browser and never leaves it; it holds test SOL only.
import { signInText } from "./siws.js";

const STORE = "blitzhub.demo-wallet";
const CHAINS = ["solana:localnet", "solana:devnet"];
const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
// The standard wants the picture as data; its colours are the page's own.
function picture() {
  const style = getComputedStyle(document.documentElement);
  const [ground, bolt] = ["--bh-bg-0", "--bh-accent"].map((name) => style.getPropertyValue(name).trim());
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3.5" fill="${ground}"/>` +
    `<path d="M9.6 1 3 9.4h4.2L6.4 15 13 6.6H8.8z" fill="${bolt}"/></svg>`;
  return `data:image/svg+xml;base64,${btoa(svg)}`;
}

function base58(bytes) {
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  let text = "";
  for (; value > 0n; value /= 58n) text = ALPHABET[Number(value % 58n)] + text;
  for (const byte of bytes) {
    if (byte) break;
    text = "1" + text;
  }
  return text;
}

const fromBase64Url = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

async function loadKey() {
  const stored = localStorage.getItem(STORE);
  if (stored) {
    try {
      const jwk = JSON.parse(stored);
      const key = await crypto.subtle.importKey("jwk", jwk, { name: "Ed25519" }, false, ["sign"]);
      return { key, publicKey: fromBase64Url(jwk.x) };
    } catch {
      localStorage.removeItem(STORE); // unreadable: a test key, so a new one may take its place
    }
  }
  const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"]);
  const jwk = await crypto.subtle.exportKey("jwk", pair.privateKey);
  localStorage.setItem(STORE, JSON.stringify({ kty: jwk.kty, crv: jwk.crv, x: jwk.x, d: jwk.d }));
  return { key: pair.privateKey, publicKey: fromBase64Url(jwk.x) };
}

class DemoWallet {
  version = "1.0.0";
  name = "Demo wallet";
  icon = picture();
  chains = CHAINS;
  #key = null;
  #account = null;
  #listeners = new Set();

  get accounts() {
    return this.#account ? [this.#account] : [];
  }

  get features() {
    return {
      "standard:connect": { version: "1.0.0", connect: () => this.#connect() },
      "standard:disconnect": { version: "1.0.0", disconnect: () => this.#disconnect() },
      "standard:events": { version: "1.0.0", on: (event, listener) => this.#on(event, listener) },
      "solana:signMessage": { version: "1.1.0", signMessage: (...inputs) => Promise.all(inputs.map((i) => this.#sign(i.message))) },
      "solana:signIn": { version: "1.0.0", signIn: (...inputs) => Promise.all(inputs.map((i) => this.#signIn(i))) },
    };
  }

  async #connect() {
    if (!this.#account) {
      const { key, publicKey } = await loadKey();
      this.#key = key;
      this.#account = { address: base58(publicKey), publicKey, chains: CHAINS, features: ["solana:signMessage", "solana:signIn"] };
      this.#changed();
    }
    return { accounts: this.accounts };
  }

  async #disconnect() {
    this.#key = this.#account = null;
    this.#changed();
  }

  #on(event, listener) {
    if (event !== "change") return () => {};
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed() {
    for (const listener of this.#listeners) listener({ accounts: this.accounts });
  }

  async #sign(message) {
    await this.#connect();
    const signature = await crypto.subtle.sign({ name: "Ed25519" }, this.#key, message);
    return { signedMessage: message, signature: new Uint8Array(signature), signatureType: "ed25519" };
  }

  async #signIn(input) {
    await this.#connect();
    const text = signInText({ ...input, domain: input.domain ?? location.host }, this.#account.address);
    return { account: this.#account, ...(await this.#sign(new TextEncoder().encode(text))) };
  }
}

let registered = false;

/** Offer the demo wallet to this page; nothing happens where the browser cannot make its key. */
export function registerDemoWallet() {
  if (registered || !globalThis.crypto?.subtle) return;
  registered = true;
  const wallet = new DemoWallet();
  const callback = ({ register }) => register(wallet);
  window.addEventListener("wallet-standard:app-ready", (event) => callback(event.detail));
  window.dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: callback }));
}
