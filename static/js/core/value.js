/**
 * An observable value. Views subscribe and update their own nodes.
 * @template T
 */
export class Value {
  /** @type {T} */ #now;
  /** @type {Set<(now: T) => void>} */ #listeners = new Set();

  /** @param {T} initial */
  constructor(initial) {
    this.#now = initial;
  }

  get() {
    return this.#now;
  }

  /** @param {T} next */
  set(next) {
    this.#now = next;
    for (const listener of this.#listeners) listener(next);
  }

  /**
   * @param {(now: T) => void} listener called now and after every change
   * @returns {() => void} unsubscribes
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.#now);
    return () => this.#listeners.delete(listener);
  }
}
