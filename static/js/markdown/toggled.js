/** Keeps the folds that a reader has opened or closed, while a growing text is rendered again. */
import { delegate } from '../core/dom.js';

export class Toggled {
  #root;
  /** @type {Map<number, boolean>} by place among the folds, which only grow in number */
  #open = new Map();

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    delegate(root, 'click', 'summary', (summary) => {
      const fold = /** @type {HTMLDetailsElement} */ (summary.closest('details'));
      this.#open.set(this.#folds().indexOf(fold), !fold.open);
    });
  }

  /** Apply it to what was rendered. */
  keep() {
    if (!this.#open.size) return;
    const folds = this.#folds();
    for (const [place, open] of this.#open) if (folds[place]) folds[place].open = open;
  }

  #folds() {
    return [...this.#root.querySelectorAll('details')];
  }
}
