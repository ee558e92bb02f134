/**
 * Sends Stop to the server, retries until it arrives, and reports its state. Clock and network are
 * passed in.
 *
 * @typedef {import('./run.js').Deps} Deps
 * @typedef {'asked'|'unreached'} StopState Stop is being sent, or has not reached the server so far
 */
const AGAIN_MS = 500;
const AGAIN_MAX_MS = 8_000;
/** A server that does not respond within this time counts as unreached. */
const PATIENCE_MS = 4_000;

export class StopRequest {
  #deps;
  #isLive;
  #report;
  #pause = new AbortController();
  #going = false;
  /** @type {StopState|null} */ #state = null;
  /** @type {Response|null} */ #answered = null;

  /**
   * @param {Deps} deps
   * @param {{isLive: () => boolean, report: (state: StopState) => void}} owner isLive: whether the
   *   answer is still live
   */
  constructor(deps, { isLive, report }) {
    this.#deps = deps;
    this.#isLive = isLive;
    this.#report = report;
  }

  /**
   * Send Stop until it arrives. A second call retries immediately.
   * @param {string} path
   * @returns {Promise<Response|null>} the server's response; null if the answer has ended or Stop
   *   was sent already
   */
  async send(path) {
    if (this.#answered) return null;
    this.#is('asked');
    if (this.#going) {
      this.#pause.abort();
      return null;
    }
    this.#going = true;
    for (let tries = 0; this.#isLive(); tries += 1) {
      const response = await this.#send(path);
      if (response && response.status < 500 && response.status !== 429) {
        this.#answered = response;
        return response;
      }
      if (!this.#isLive()) break;
      this.#is('unreached');
      this.#pause = new AbortController();
      await this.#deps.wait(Math.min(AGAIN_MS * 2 ** tries, AGAIN_MAX_MS), this.#pause.signal);
    }
    this.#going = false;
    return null;
  }

  /** @param {StopState} state */
  #is(state) {
    if (state !== this.#state) this.#report(state);
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
