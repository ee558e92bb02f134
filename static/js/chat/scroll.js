/**
 * Keeps the end of the thread in view until the reader scrolls up, and from then on what is read in
 * its place, whatever grows above it. Only this class sets the scroll position. The browser's own
 * scroll anchoring is off: it does nothing at the very top, and Safari has none.
 */
const NEAR_PX = 80;
/** Where a message that was looked for begins, as a share of the visible height. */
const FOUND_AT = 0.15;
/** The element that is kept in place is a block of a message's text. */
const DEPTH = 3;

export class Follower {
  #box;
  #content;
  #button;
  #pinned = true;
  #more = false;
  #frame = 0;
  #top = 0;
  /**
   * The elements at the upper edge, the innermost first, and where each began.
   * @type {{element: Element, top: number}[]}
   */
  #anchors = [];

  /**
   * @param {HTMLElement} box the scroll container
   * @param {HTMLElement} content the growing content
   * @param {HTMLElement} button leads to the end
   */
  constructor(box, content, button) {
    this.#box = box;
    this.#content = content;
    this.#button = button;
    box.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => {
      this.#restore();
      this.follow();
    }).observe(content);
  }

  /** Whether the chat goes on below its loaded part. @param {boolean} more */
  set more(more) {
    this.#more = more;
    if (more) this.#pinned = false;
    this.#show();
  }

  /** Go to the end if the reader was there; at most once a frame. */
  follow() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#pinned && !this.#isWritten()) this.#jump();
      this.#show();
    });
  }

  /** Go to the end and stay there. */
  toEnd() {
    this.#pinned = true;
    this.#jump();
    this.#show();
  }

  /** Show an element near the upper edge. @param {HTMLElement} element */
  toElement(element) {
    this.#pinned = false;
    this.#scrollBy(this.#offset(element) - this.#box.clientHeight * FOUND_AT);
    this.#remember();
    this.#show();
  }

  /** Keep what is read in its place during a change. @param {() => void} change */
  keep(change) {
    if (!this.#pinned) this.#remember();
    change();
    this.#restore();
    this.#show();
  }

  /** Whether a field of the thread, such as a question that is edited, has the focus. */
  #isWritten() {
    return this.#content.contains(document.activeElement?.closest('textarea') ?? null);
  }

  #jump() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#top = this.#box.scrollTop;
  }

  /** @param {number} distance */
  #scrollBy(distance) {
    this.#box.scrollTop += distance;
    this.#top = this.#box.scrollTop;
  }

  #scrolled() {
    const top = this.#box.scrollTop;
    if (!this.#more && this.#distance() < NEAR_PX) this.#pinned = true;
    else if (top < this.#top - 2) this.#pinned = false;
    this.#top = top;
    if (!this.#pinned) this.#remember();
    this.#show();
  }

  #distance() {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
  }

  /** @param {Element} element @returns {number} from the upper edge of the box */
  #offset(element) {
    return element.getBoundingClientRect().top - this.#box.getBoundingClientRect().top;
  }

  #remember() {
    this.#anchors = [];
    let element = atEdge(this.#content, this.#box.getBoundingClientRect().top);
    for (let depth = 0; element && depth < DEPTH; depth += 1) {
      this.#anchors.unshift({ element, top: this.#offset(element) });
      element = atEdge(element, this.#box.getBoundingClientRect().top);
    }
  }

  #restore() {
    if (this.#pinned) return;
    const anchor = this.#anchors.find(({ element }) => element.checkVisibility());
    if (!anchor) return;
    const moved = this.#offset(anchor.element) - anchor.top;
    if (Math.abs(moved) >= 1) this.#scrollBy(moved);
  }

  #show() {
    this.#button.hidden = !this.#more && (this.#pinned || this.#distance() < NEAR_PX);
  }
}

/**
 * @param {Element} parent @param {number} edge
 * @returns {Element|undefined} its first child that ends below the edge
 */
function atEdge({ children }, edge) {
  return [...children].find((child) => {
    const { bottom, height } = child.getBoundingClientRect();
    return height > 0 && bottom > edge;
  });
}
