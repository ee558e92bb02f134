/** The dialog that deletes an account, and asks what becomes of its knowledge bases. */
import { find, findAs, showText } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { dialog, open } from '../ui/dialog.js';

/** @typedef {import('../types.js').Account} Account */

export class RemoveDialog {
  #api;
  #root = dialog('remove-person');
  #form = findAs(this.#root, 'form', HTMLFormElement);
  #yes = findAs(this.#root, '[data-remove-yes]', HTMLButtonElement);
  /** @type {Account|null} */ #account = null;
  #removed = false;

  /** @param {{api: import('../net/api.js').Api}} deps */
  constructor({ api }) {
    this.#api = api;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#delete();
    });
  }

  /** @param {Account} account @returns {Promise<boolean>} whether it was deleted */
  ask(account) {
    this.#account = account;
    this.#removed = false;
    this.#form.reset();
    const name = account.name ?? t('people.unnamed');
    find(this.#root, '[data-remove-title]').textContent = t('remove.title', { name });
    find(this.#root, '[data-remove-bases]').hidden = !account.knowledge_bases;
    find(this.#root, '[data-remove-count]').textContent = count(
      'settings.data.bases',
      account.knowledge_bases,
    );
    showText(find(this.#root, '[data-remove-fault]'), '');
    open(this.#root);
    return new Promise((resolve) => {
      this.#root.addEventListener('close', () => resolve(this.#removed), { once: true });
    });
  }

  async #delete() {
    if (!this.#account) return;
    this.#yes.disabled = true;
    const bases = new FormData(this.#form).get('bases') ?? 'delete';
    try {
      await this.#api.delete(`/api/users/${this.#account.id}?knowledge_bases=${bases}`);
      this.#removed = true;
      this.#root.close();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      showText(find(this.#root, '[data-remove-fault]'), text);
    }
    this.#yes.disabled = false;
  }
}
