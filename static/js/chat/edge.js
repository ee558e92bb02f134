/**
 * The upper or lower edge of a thread of which more can be loaded: loads it when it comes near, and
 * offers Retry when that fails.
 */
import { find } from '../core/dom.js';

/** How far from the visible part loading begins. */
const AHEAD_PX = 600;

export class Edge {
  #element;
  #read;
  #observer;
  #busy = false;
  #failed = false;
  /** Changes with the chat: what fails for an earlier one is not shown. */
  #chat = {};

  /**
   * @param {HTMLElement} element @param {HTMLElement} box the scroll container
   * @param {() => Promise<void>} read
   */
  constructor(element, box, read) {
    this.#element = element;
    this.#read = read;
    this.#observer = new IntersectionObserver(
      (entries) => entries.at(-1)?.isIntersecting && void this.#load(),
      { root: box, rootMargin: `${AHEAD_PX}px 0px` },
    );
    find(element, '[data-edge-retry]').addEventListener('click', () => void this.#load());
    window.addEventListener('online', () => this.#failed && void this.#load());
  }

  /** Another chat is opened. */
  reset() {
    this.#chat = {};
    this.#fail(null);
    this.show(false);
  }

  /** @param {boolean} more whether there is more to load */
  show(more) {
    this.#element.hidden = !more;
    this.#observer.disconnect();
    if (more && !this.#failed) this.#observer.observe(this.#element); // reports at once
  }

  async #load() {
    if (this.#busy || this.#element.hidden) return;
    const chat = this.#chat;
    this.#busy = true;
    this.#fail(null);
    try {
      await this.#read();
    } catch (error) {
      if (chat === this.#chat) this.#fail(error);
    }
    this.#busy = false;
    this.show(!this.#element.hidden);
  }

  /** @param {unknown} error null for none */
  #fail(error) {
    this.#failed = error !== null;
    find(this.#element, '[data-edge-skeleton]').hidden = this.#failed;
    find(this.#element, '[data-edge-error]').hidden = !this.#failed;
    find(this.#element, '[data-edge-reason]').textContent =
      error instanceof Error ? error.message : '';
  }
}
