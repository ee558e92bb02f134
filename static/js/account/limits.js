/** The dialog in which an administrator sets the limits of a person. */
import { find, findAs, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { dialog, open } from '../ui/dialog.js';

/**
 * @typedef {{answers: number|null, daily_tokens: number|null, storage_mb: number|null}} Own
 *   null: the default, 0: no limit
 * @typedef {{user_id: string, name: string, role: string, own: Own, free_at: string,
 *   limits: {answers: number, daily_tokens: number, storage_mb: number},
 *   used: {answers: number, daily_tokens: number, storage_bytes: number}}} PersonLimits
 */

const NAMES = /** @type {const} */ (['answers', 'daily_tokens', 'storage_mb']);

export class LimitsDialog {
  #api;
  #saved;
  #root = dialog('limits');
  #fault = find(this.#root, '[data-limits-fault]');
  #userId = '';

  /** @param {{api: import('../net/api.js').Api, saved: () => Promise<void>}} deps */
  constructor({ api, saved }) {
    this.#api = api;
    this.#saved = saved;
    find(this.#root, 'form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#save();
    });
  }

  /** @param {PersonLimits} person */
  open(person) {
    this.#userId = person.user_id;
    find(this.#root, 'h2').textContent = t('limits.title', { name: person.name });
    for (const name of NAMES) {
      const field = this.#field(name);
      field.value = String(person.own[name] ?? '');
      // What holds while nothing is set for the person is the default.
      const isDefault = person.own[name] === null && person.limits[name] > 0;
      field.placeholder = isDefault ? String(person.limits[name]) : t('limits.default');
    }
    showText(this.#fault, '');
    open(this.#root);
  }

  async #save() {
    const own = Object.fromEntries(
      NAMES.map((name) => {
        const { value } = this.#field(name);
        return [name, value === '' ? null : Number(value)];
      }),
    );
    try {
      await this.#api.patch(`/api/limits/${this.#userId}`, own);
      await this.#saved();
      this.#root.close();
    } catch (error) {
      showText(this.#fault, error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} name */
  #field(name) {
    return findAs(this.#root, `[data-limit="${name}"]`, HTMLInputElement);
  }
}
