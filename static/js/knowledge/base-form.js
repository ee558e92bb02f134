/** The form to create or edit a knowledge base. */
import { findAs, find, isComposing, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';

/** @typedef {import('../types.js').Base} Base */
/** @typedef {{name: string, description: string, splitting: 'size'|'meaning'}} BaseValues */

export class BaseForm {
  #root;
  #name;
  #description;
  #byMeaning;
  /** @type {Base|null} */ #base = null;

  /**
   * @param {HTMLElement} root
   * @param {{save: (values: BaseValues) => Promise<void>, cancel: () => void}} actions
   */
  constructor(root, { save, cancel }) {
    this.#root = root;
    this.#name = findAs(root, '[data-base-name]', HTMLInputElement);
    this.#description = findAs(root, '[data-base-description-field]', HTMLTextAreaElement);
    this.#byMeaning = findAs(root, '[data-base-by-meaning]', HTMLInputElement);
    root.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit(save);
    });
    find(root, '[data-base-cancel]').addEventListener('click', cancel);
    this.#name.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && isComposing(event)) event.stopPropagation();
    });
    root.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || isComposing(event)) return;
      event.preventDefault();
      cancel();
    });
  }

  /** The base being edited; null for a new one. */
  get base() {
    return this.#base;
  }

  /** @param {Base|null} base */
  open(base) {
    this.#base = base;
    this.#name.value = base?.name ?? '';
    this.#description.value = base?.description ?? '';
    this.#byMeaning.checked = base
      ? base.splitting === 'meaning'
      : this.#byMeaning.defaultChecked;
    find(this.#root, '[data-base-split-later]').hidden = !base?.files;
    find(this.#root, '[data-base-form-title]').textContent = t(
      base ? 'knowledge.edit' : 'knowledge.new',
    );
    find(this.#root, '[data-base-save]').textContent = t(
      base ? 'knowledge.save' : 'knowledge.create',
    );
    showText(find(this.#root, '[data-base-problem]'), '');
    this.#name.focus();
    this.#name.select();
  }

  /** @param {(values: BaseValues) => Promise<void>} save */
  async #submit(save) {
    const name = this.#name.value.trim();
    const button = findAs(this.#root, '[data-base-save]', HTMLButtonElement);
    if (!name) return this.#name.focus();
    if (button.disabled) return;
    button.disabled = true;
    try {
      await save({
        name,
        description: this.#description.value.trim(),
        splitting: this.#byMeaning.checked ? 'meaning' : 'size',
      });
    } catch (error) {
      showText(
        find(this.#root, '[data-base-problem]'),
        error instanceof Error ? error.message : String(error),
      );
    }
    button.disabled = false;
  }
}
