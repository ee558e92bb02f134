/**
 * Reports changes from other tabs and devices: tabs of one browser send messages; for other devices
 * the page polls when it becomes visible and, less and less often, while it stays visible.
 */
import { ROOT } from '../core/address.js';

const CHANNEL = `chatapp${ROOT}.chats`;
const PACE_MS = 10_000;
const SLOWER = 1.5;
const PACE_MAX_MS = 45_000;

/**
 * @typedef {{session?: string, seen?: boolean}} Change the chat with a new question; whether
 *   the page has just become visible
 */

export class OtherTabs {
  #look;
  #channel = 'BroadcastChannel' in window ? new BroadcastChannel(CHANNEL) : null;
  #pace = PACE_MS;
  #timer = 0;

  /** @param {(change: Change) => void} look called when something may have changed */
  constructor(look) {
    this.#look = look;
    this.#channel?.addEventListener('message', (event) =>
      look({ session: String(event.data?.session ?? '') }),
    );
    document.addEventListener('visibilitychange', () => this.#seen());
    window.addEventListener('focus', () => this.soon());
    window.addEventListener('online', () => this.#seen());
    this.soon();
  }

  /** Tell the other tabs. @param {string} session */
  notify(session) {
    this.#channel?.postMessage({ session });
  }

  /** The user is active: poll more often again. */
  soon() {
    this.#pace = PACE_MS;
    this.#later();
  }

  #seen() {
    if (document.hidden) return clearTimeout(this.#timer);
    this.#look({ seen: true });
    this.soon();
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      if (document.hidden) return;
      this.#look({});
      this.#pace = Math.min(this.#pace * SLOWER, PACE_MAX_MS);
      this.#later();
    }, this.#pace);
  }
}
