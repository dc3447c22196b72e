// What this tab knows of the board: the listed tokens by address, who is in which column, and who wants to hear.
import { subscribe } from "$/public/external/blitzhub/feed/feed.js";

export const COLUMNS = ["new", "graduating", "graduated"];
const GRADUATED = ["graduating", "graduated"];

const SCALE = 1_000_000_000n;
const progress = (token) => (BigInt(token.reserve_lamports) * SCALE) / BigInt(token.raise_lamports);

/** Whether the token trades in its pool. */
export const isGraduated = (token) => GRADUATED.includes(token.stage);

export class BoardMarket {
  constructor() {
    this.tokens = new Map();
    this.columns = null;
    this.cells = new Map();
    this.watchers = new Set();
  }

  /** Follow the board; returns the function that ends it. `onGraduated` hears of each token that graduates meanwhile. */
  follow(onGraduated = () => {}) {
    return subscribe({ type: "board" }, ({ snapshot, data }) => {
      const before = new Map([...this.tokens].map(([address, token]) => [address, token.stage]));
      if (snapshot) this.#keepShown();
      for (const news of data.tokens) {
        const token = this.tokens.get(news.address);
        if (token) Object.assign(token, news);
        else if ("symbol" in news) this.tokens.set(news.address, news);
      }
      if (data.columns) this.columns = snapshot ? data.columns : { ...this.columns, ...data.columns };
      for (const news of data.tokens) {
        const token = this.tokens.get(news.address);
        if (before.get(news.address) === "curve" && isGraduated(token)) onGraduated(token);
      }
      for (const news of data.tokens) {
        for (const paint of this.cells.get(news.address) ?? []) paint(snapshot);
      }
      if (data.columns) for (const watcher of this.watchers) watcher();
    });
  }

  /** Take in tokens that the board does not list, as the API says them; what the board knows better stays. */
  learn(tokens) {
    for (const token of tokens) {
      const known = this.tokens.get(token.address);
      if (!known) this.tokens.set(token.address, token);
      else if (token.seq >= known.seq) Object.assign(known, token);
      for (const paint of this.cells.get(token.address) ?? []) paint(false);
    }
  }

  /** Hear when columns have other members; returns the function that ends it. */
  onColumns(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  // After a gap the board is told anew; a card that is shown keeps what is known of its token.
  #keepShown() {
    for (const address of this.tokens.keys()) if (!this.cells.has(address)) this.tokens.delete(address);
  }

  /** Paint a card now and whenever its token changes; returns the function that ends it. */
  onToken(address, paint) {
    const cards = this.cells.get(address) ?? new Set();
    this.cells.set(address, cards.add(paint));
    return () => {
      cards.delete(paint);
      if (!cards.size && this.cells.get(address) === cards) this.cells.delete(address);
    };
  }

  /** Addresses of a column in the order they are shown, or null before the first snapshot. */
  order(column) {
    if (!this.columns) return null;
    const listed = (this.columns[column] ?? []).filter((address) => this.tokens.has(address));
    if (column.startsWith("trending_")) return listed;
    if (column === "new") return listed.filter((address) => !this.columns.graduating.includes(address));
    if (column === "graduated") return listed;
    const share = new Map(listed.map((address) => [address, progress(this.tokens.get(address))]));
    return listed.sort((one, other) => (share.get(other) > share.get(one) ? 1 : share.get(other) < share.get(one) ? -1 : 0));
  }
}
