/** A model's reasoning: collapsed by default, with the time it takes. */
import { find, findAs } from '../core/dom.js';
import { seconds } from '../core/format.js';
import { t } from '../core/i18n.js';

const TICK_MS = 500;

export class Reasoning {
  #root;
  #label;
  #text = document.createTextNode('');
  #began = 0;
  #timer = 0;

  /** @param {HTMLElement} answer */
  constructor(answer) {
    this.#root = findAs(answer, '[data-reasoning]', HTMLDetailsElement);
    this.#label = find(answer, '[data-reasoning-label]');
    find(answer, '[data-reasoning-text]').append(this.#text);
  }

  /**
   * Show finished reasoning.
   * @param {string} text
   * @param {number} [ms] how long it took, where that is known
   */
  show(text, ms) {
    this.#root.hidden = !text;
    this.#text.data = text;
    this.#label.textContent = ms
      ? t('thinking.took', { seconds: seconds(ms) })
      : t('thinking.title');
  }

  /** @param {string} piece @param {number} since when the answer began */
  append(piece, since) {
    if (!this.#timer && !this.#began) {
      this.#began = since;
      this.#timer = window.setInterval(() => this.#tick(), TICK_MS);
      this.#tick();
    }
    this.#root.hidden = false;
    this.#text.appendData(piece);
  }

  /** The answer's text begins, or the stream has ended. */
  end() {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#label.textContent = t('thinking.took', {
      seconds: seconds(performance.now() - this.#began),
    });
  }

  reset() {
    this.end();
    this.#began = 0;
    this.show('');
  }

  #tick() {
    this.#label.textContent = t('thinking.now', {
      seconds: Math.round((performance.now() - this.#began) / 1000),
    });
  }
}
