/**
 * What of a chat is in view, its end or a message that was looked for; loads more at the edges.
 */
import { find } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { toast, toastError } from '../ui/toast.js';
import { Edge } from './edge.js';
import { Opening } from './opening.js';
import { Follower } from './scroll.js';

/** How long a message that was looked for is highlighted. */
const FOUND_MS = 2500;

export class Viewport {
  follower;
  #deps;
  #edges;
  #opening;

  /**
   * @param {HTMLElement} box the scroll container @param {HTMLElement} root of the thread
   * @param {{navigation: () => import('./navigation.js').Navigation,
   *   element: (id: string) => HTMLElement|null, retry: () => void}} deps element: of a message, if
   *   it is shown; retry: open the chat again
   */
  constructor(box, root, deps) {
    this.#deps = deps;
    const latest = find(document, '[data-latest]');
    this.follower = new Follower(box, root, latest);
    latest.addEventListener('click', () => void this.#showEnd());
    this.#edges = {
      earlier: this.#edge(box, 'earlier'),
      later: this.#edge(box, 'later'),
    };
    const content = [root, find(box, '[data-empty]')];
    this.#opening = new Opening(find(box, '[data-opening]'), content, deps.retry);
  }

  /** Another chat is opened. @param {string|null} id */
  begin(id) {
    this.#edges.earlier.reset();
    this.#edges.later.reset();
    if (id) this.#opening.begin();
    else this.#opening.end();
  }

  /** The chat is shown: go to a message, or to the end. @param {string|null} message */
  opened(message) {
    this.#opening.end();
    if (message) this.#find(message);
    else this.follower.toEnd();
  }

  /** @param {unknown} error */
  fail(error) {
    this.#opening.fail(error);
  }

  /** Other messages are shown, perhaps those of a question to a chat that could not be loaded. */
  changed() {
    const { unloaded, history } = this.#deps.navigation();
    const { earlier, later } = unloaded;
    if (history.leaf) this.#opening.end();
    this.follower.more = later;
    this.#edges.earlier.show(earlier);
    this.#edges.later.show(later);
  }

  /** Earlier or later messages are added. @param {() => void} add */
  grow(add) {
    this.follower.keep(() => {
      add();
      this.changed();
    });
  }

  /** Show a message of the open chat. @param {string} id */
  async showMessage(id) {
    try {
      await this.#deps.navigation().showMessage(id);
      this.#find(id);
    } catch (error) {
      toastError(error);
    }
  }

  async #showEnd() {
    try {
      await this.#deps.navigation().showEnd();
      this.follower.toEnd();
    } catch (error) {
      toastError(error);
    }
  }

  /** @param {string} id */
  #find(id) {
    const element = this.#deps.element(id);
    if (!element) {
      toast(t('thread.message_gone'));
      return this.follower.toEnd();
    }
    this.follower.toElement(element);
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
    element.dataset.found = '';
    setTimeout(() => delete element.dataset.found, FOUND_MS);
  }

  /** @param {HTMLElement} box @param {'earlier'|'later'} where */
  #edge(box, where) {
    const element = find(box, `[data-edge="${where}"]`);
    return new Edge(element, box, () => this.#deps.navigation().readMore(where));
  }
}
