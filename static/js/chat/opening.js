/**
 * The panel of a chat that is being opened: a skeleton if it takes long, and Retry if it fails.
 */
import { find } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';

/** A chat that opens faster shows no skeleton. */
const PATIENCE_MS = 200;

export class Opening {
  #panel;
  #content;
  #timer = 0;
  #failed = false;

  /**
   * @param {HTMLElement} panel @param {HTMLElement[]} content what it stands for meanwhile
   * @param {() => void} retry
   */
  constructor(panel, content, retry) {
    this.#panel = panel;
    this.#content = content;
    find(panel, '[data-opening-retry]').addEventListener('click', retry);
    window.addEventListener('online', () => this.#failed && retry());
  }

  /** A chat is being read. */
  begin() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      this.#show(null);
      announce(t('thread.opening'));
    }, PATIENCE_MS);
    if (!this.#panel.hidden) this.#show(null);
  }

  /** The chat can be shown. */
  end() {
    clearTimeout(this.#timer);
    this.#failed = false;
    if (!this.#panel.hidden) announce('');
    this.#panel.hidden = true;
    this.#content[0].hidden = false;
  }

  /** @param {unknown} error */
  fail(error) {
    clearTimeout(this.#timer);
    announce('');
    this.#show(error);
  }

  /** @param {unknown} error null while it is read */
  #show(error) {
    this.#failed = error !== null;
    this.#panel.hidden = false;
    for (const element of this.#content) element.hidden = true;
    find(this.#panel, '[data-opening-skeleton]').hidden = this.#failed;
    find(this.#panel, '[data-opening-error]').hidden = !this.#failed;
    find(this.#panel, '[data-opening-reason]').textContent =
      error instanceof Error ? error.message : '';
  }
}
