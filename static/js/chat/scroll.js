/**
 * Keeps the end of the thread in view until the reader scrolls up. Only this class sets the scroll
 * position.
 */
const NEAR_PX = 80;

export class Follower {
  #box;
  #button;
  #pinned = true;
  #frame = 0;
  #top = 0;

  /**
   * @param {HTMLElement} box the scroll container
   * @param {HTMLElement} content the growing content
   * @param {HTMLElement} button jumps to the end
   */
  constructor(box, content, button) {
    this.#box = box;
    this.#button = button;
    box.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    button.addEventListener('click', () => this.toEnd());
    new ResizeObserver(() => this.follow()).observe(content);
  }

  /** Go to the end if the reader was there; at most once a frame. */
  follow() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#pinned) this.#jump();
      this.#show();
    });
  }

  /** Go to the end and stay there. */
  toEnd() {
    this.#pinned = true;
    this.#jump();
    this.#show();
  }

  #jump() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#top = this.#box.scrollTop;
  }

  #scrolled() {
    const top = this.#box.scrollTop;
    if (this.#distance() < NEAR_PX) this.#pinned = true;
    else if (top < this.#top - 2) this.#pinned = false;
    this.#top = top;
    this.#show();
  }

  #distance() {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
  }

  #show() {
    this.#button.hidden = this.#pinned || this.#distance() < NEAR_PX;
  }
}
