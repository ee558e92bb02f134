/**
 * Hears of what happens in other tabs and on other devices: the tabs of one browser tell each
 * other, and for the rest it is time to look when the page comes to the front, and now and then
 * while it is seen.
 */
const CHANNEL = 'chatapp.chats';
const PACE_MS = 10_000;
const SLOWER = 1.5;
const PACE_MAX_MS = 45_000;

/**
 * @typedef {{session?: string, seen?: boolean}} News the chat in which something was asked; whether
 *   the page has just come to the front
 */

export class OtherTabs {
  #look;
  #channel = 'BroadcastChannel' in window ? new BroadcastChannel(CHANNEL) : null;
  #pace = PACE_MS;
  #timer = 0;

  /** @param {(news: News) => void} look called when something may have happened */
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
  tell(session) {
    this.#channel?.postMessage({ session });
  }

  /** Somebody is here: look more often again. */
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
