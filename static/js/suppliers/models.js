/**
 * The models of a supplier to offer: ticked from its list, or entered by name.
 */
import { clone, fill, find, findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';

/** From this many models on, a button ticks all. */
const MANY = 4;

export class ModelChoice {
  #root;
  #typed;

  /** @param {HTMLElement} root holds `[data-models-row]` and `[data-typed-row]` */
  constructor(root) {
    this.#root = root;
    this.#typed = findAs(root, '[data-typed]', HTMLInputElement);
    find(root, '[data-tick-all]').addEventListener('click', () => this.#tickAll());
  }

  /** @param {readonly string[]} models @param {readonly string[]} ticked */
  show(models, ticked) {
    find(this.#root, '[data-models-row]').hidden = !models.length;
    find(this.#root, '[data-tick-all]').hidden = models.length < MANY;
    find(this.#root, '[data-models]').replaceChildren(
      ...models.map((name) => {
        const row = fill(clone('model-check'), { name });
        const box = findAs(row, '[data-model]', HTMLInputElement);
        box.dataset.model = name;
        box.checked = ticked.includes(name);
        return row;
      }),
    );
  }

  clear() {
    this.show([], []);
    this.#typed.value = '';
    this.offerName(false);
  }

  /**
   * @param {boolean} offered whether a name can be typed
   * @param {boolean} [besides] whether there are others to tick
   */
  offerName(offered, besides = false) {
    find(this.#root, '[data-typed-row]').hidden = !offered;
    find(this.#root, '[data-typed-label]').textContent = t(
      besides ? 'connect.typed.more' : 'connect.typed',
    );
  }

  askName() {
    find(this.#root, '[data-typed-row]').hidden = false;
    this.#typed.focus();
  }

  /** @returns {string[]} typed models first */
  picked() {
    const typed = this.#typed.value.split(/[,，\s]+/).filter(Boolean);
    return [...new Set([...typed, ...this.ticked()])];
  }

  /** @returns {string[]} */
  ticked() {
    return this.#boxes()
      .filter((box) => box.checked)
      .map((box) => box.dataset.model ?? '');
  }

  #boxes() {
    return [...this.#root.querySelectorAll('[data-model]')].filter(
      (box) => box instanceof HTMLInputElement,
    );
  }

  /** All, or none if all are ticked. */
  #tickAll() {
    const boxes = this.#boxes();
    const all = !boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = all;
  }
}
