/**
 * The order to end an answer, on its way to the server: given again until it has arrived, and
 * honest about it. Time and network are passed in.
 *
 * @typedef {import('./run.js').Deps} Deps
 * @typedef {'asked'|'unreached'} StopState whether Stop is on its way, or has not got through so
 *   far
 */
const AGAIN_MS = 500;
const AGAIN_MAX_MS = 8_000;
/** A server that says nothing for so long has not been reached. */
const PATIENCE_MS = 4_000;

export class StopOrder {
  #deps;
  #wanted;
  #told;
  #pause = new AbortController();
  #going = false;
  /** @type {StopState|null} */ #state = null;
  /** @type {Response|null} */ #answered = null;

  /**
   * @param {Deps} deps
   * @param {{wanted: () => boolean, told: (state: StopState) => void}} owner wanted: whether there
   *   is still something to stop
   */
  constructor(deps, { wanted, told }) {
    this.#deps = deps;
    this.#wanted = wanted;
    this.#told = told;
  }

  /**
   * Give the order until it arrives; asked again meanwhile, it goes out at once.
   * @param {string} path
   * @returns {Promise<Response|null>} what the server said; null where it is not wanted any more,
   *   or given already
   */
  async give(path) {
    if (this.#answered) return null;
    this.#is('asked');
    if (this.#going) {
      this.#pause.abort();
      return null;
    }
    this.#going = true;
    for (let tries = 0; this.#wanted(); tries += 1) {
      const response = await this.#send(path);
      if (response && response.status < 500 && response.status !== 429) {
        this.#answered = response;
        return response;
      }
      if (!this.#wanted()) break;
      this.#is('unreached');
      this.#pause = new AbortController();
      await this.#deps.wait(Math.min(AGAIN_MS * 2 ** tries, AGAIN_MAX_MS), this.#pause.signal);
    }
    this.#going = false;
    return null;
  }

  /** @param {StopState} state */
  #is(state) {
    if (state !== this.#state) this.#told(state);
    this.#state = state;
  }

  /** @param {string} path @returns {Promise<Response|null>} */
  async #send(path) {
    const attempt = new AbortController();
    const unwatch = this.#deps.watch(PATIENCE_MS, () => attempt.abort());
    const response = await this.#deps
      .fetch(path, { method: 'DELETE', signal: attempt.signal })
      .catch(() => null);
    unwatch();
    return response;
  }
}
