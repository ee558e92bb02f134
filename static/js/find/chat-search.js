/**
 * Searching chats while a query is typed: only the answer to the latest query counts.
 *
 * @typedef {import('../types.js').FoundSession} FoundSession
 * @typedef {{query: string, busy: boolean, chats: FoundSession[], error: Error|null}} State
 *   chats: those of the last query that was answered
 */

const TYPING_MS = 150;
/** One more than is shown says that there are more. */
export const MOST_CHATS = 30;

export class ChatSearch {
  #get;
  #changed;
  #timer = 0;
  /** @type {AbortController|null} */ #running = null;
  /** @type {State} */ #state = { query: '', busy: false, chats: [], error: null };

  /**
   * @param {(path: string, options: {signal: AbortSignal}) => Promise<any>} get
   * @param {() => void} changed
   */
  constructor(get, changed) {
    this.#get = get;
    this.#changed = changed;
  }

  get state() {
    return this.#state;
  }

  /** Search for a query unless it is the one already searched for. @param {string} query */
  ask(query) {
    if (query === this.#state.query && !this.#state.error) return;
    this.stop();
    if (!query) return;
    this.#state = { ...this.#state, query, busy: true, error: null };
    this.#timer = setTimeout(() => void this.#search(query), TYPING_MS);
  }

  /** Forget the query and its answer. */
  stop() {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = null;
    this.#state = { ...this.#state, query: '', busy: false, error: null };
  }

  /** Forget everything. */
  clear() {
    this.stop();
    this.#state = { query: '', busy: false, chats: [], error: null };
  }

  /** @param {string} query */
  async #search(query) {
    const running = new AbortController();
    this.#running = running;
    const path = `/api/sessions/search?limit=${MOST_CHATS + 1}&q=${encodeURIComponent(query)}`;
    /** @type {FoundSession[]} */ let chats = [];
    /** @type {Error|null} */ let error = null;
    try {
      chats = (await this.#get(path, { signal: running.signal })).items;
    } catch (cause) {
      error = cause instanceof Error ? cause : new Error(String(cause));
    }
    if (running !== this.#running) return; // a newer query was typed meanwhile
    this.#running = null;
    this.#state = { query, busy: false, chats, error };
    this.#changed();
  }
}
