/**
 * The dialog that shares a knowledge base: with everybody, and with people who are named. Each
 * change is saved at once. A name is never looked up, so a wrong one is kept like a right one.
 */
import { clone, delegate, fill, find, findAs, isComposing, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { dialog, open } from '../ui/dialog.js';

/** @typedef {import('../types.js').Base} Base */
/** @typedef {{name: string, access: 'read'|'write'}} Person */

export class SharingDialog {
  #root = dialog('base-sharing');
  #api;
  #saved;
  #everybody = findAs(this.#root, '[data-sharing-everybody]', HTMLSelectElement);
  #name = findAs(this.#root, '[data-sharing-name]', HTMLInputElement);
  #access = findAs(this.#root, '[data-sharing-access]', HTMLSelectElement);
  /** @type {Base|null} */ #base = null;
  #busy = false;

  /** @param {{api: import('../net/api.js').Api, saved: (base: Base) => void}} deps */
  constructor({ api, saved }) {
    this.#api = api;
    this.#saved = saved;
    this.#everybody.addEventListener('change', () =>
      void this.#save({ access: this.#everybody.value }),
    );
    find(this.#root, 'form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#add();
    });
    this.#name.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && isComposing(event)) event.stopPropagation();
    });
    delegate(this.#root, 'change', '[data-person-access]', (select) =>
      void this.#change(select),
    );
    delegate(this.#root, 'click', '[data-person-remove]', (button) =>
      void this.#remove(nameOf(button)),
    );
  }

  /** @param {Base} base */
  open(base) {
    this.#name.value = '';
    this.#draw(base);
    showText(find(this.#root, '[data-sharing-problem]'), '');
    open(this.#root);
  }

  /** @returns {Person[]} */
  get #people() {
    return this.#base?.shared_with ?? [];
  }

  /** @param {Base} base */
  #draw(base) {
    this.#base = base;
    find(this.#root, '[data-sharing-title]').textContent = t('sharing.title', { name: base.name });
    this.#everybody.value = base.access ?? 'private';
    find(this.#root, '[data-people]').replaceChildren(...this.#people.map(personRow));
    find(this.#root, '[data-people-none]').hidden = this.#people.length > 0;
  }

  async #add() {
    const name = this.#name.value.trim();
    if (!name) return this.#name.focus();
    const access = /** @type {Person['access']} */ (this.#access.value);
    const others = this.#people.filter((person) => person.name !== name);
    if (!(await this.#save({ shared_with: [...others, { name, access }] }))) return;
    this.#name.value = '';
    this.#name.focus();
  }

  /** @param {HTMLElement} select */
  async #change(select) {
    const name = nameOf(select);
    const { value } = /** @type {HTMLSelectElement} */ (select);
    const access = /** @type {Person['access']} */ (value);
    await this.#save({
      shared_with: this.#people.map((one) => (one.name === name ? { name, access } : one)),
    });
    const row = this.#root.querySelector(`[data-person="${CSS.escape(name)}"]`);
    row?.querySelector('select')?.focus();
  }

  /** @param {string} name */
  async #remove(name) {
    const rest = this.#people.filter((person) => person.name !== name);
    if (await this.#save({ shared_with: rest })) this.#name.focus();
  }

  /**
   * @param {{access?: string, shared_with?: Person[]}} change
   * @returns {Promise<boolean>} whether it was saved
   */
  async #save(change) {
    const base = this.#base;
    if (!base || this.#busy) return false;
    this.#busy = true;
    let problem = '';
    try {
      const saved = await this.#api.patch(`/api/knowledge/${base.id}`, change);
      this.#draw(saved);
      this.#saved(saved);
      announce(t('sharing.saved'));
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      this.#draw(base);
    }
    this.#busy = false;
    showText(find(this.#root, '[data-sharing-problem]'), problem);
    return !problem;
  }
}

/** @param {Person} person */
function personRow({ name, access }) {
  const row = fill(clone('sharing-person'), { name });
  row.dataset.person = name;
  const select = findAs(row, '[data-person-access]', HTMLSelectElement);
  select.value = access;
  select.ariaLabel = t('sharing.access_name', { name });
  find(row, '[data-person-remove]').ariaLabel = t('sharing.remove_name', { name });
  return row;
}

/** @param {HTMLElement} element */
const nameOf = (element) => element.closest('[data-person]')?.getAttribute('data-person') ?? '';
