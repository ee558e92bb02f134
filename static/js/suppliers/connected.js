/** The connected suppliers: a row for each, to edit or remove it. */
import { clone, delegate, fill, find, findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { confirm } from '../ui/dialog.js';
import { monogram } from '../ui/monogram.js';
import { withoutSlash } from './address.js';

/** @typedef {import('../types.js').Supplier} Supplier */

export class Connected {
  #root;
  #api;
  /** @type {Supplier[]} */ #items = [];

  /**
   * @param {HTMLElement} root
   * @param {{api: import('../net/api.js').Api, edit: (supplier: Supplier) => void,
   *   remove: (supplier: Supplier) => void}} deps
   */
  constructor(root, { api, edit, remove }) {
    this.#root = root;
    this.#api = api;
    const on = (/** @type {string} */ hook, /** @type {(supplier: Supplier) => void} */ run) =>
      delegate(root, 'click', hook, (button) => {
        const row = button.closest('[data-supplier]');
        const supplier = this.#items.find(
          ({ id }) => row instanceof HTMLElement && id === row.dataset.supplier,
        );
        if (supplier) run(supplier);
      });
    on('[data-edit-supplier]', edit);
    on('[data-remove-supplier]', remove);
  }

  async load() {
    this.#items = (await this.#api.get('/api/suppliers')).items;
    find(this.#root, '[data-suppliers-section]').hidden = !this.#items.length;
    find(this.#root, '[data-suppliers]').replaceChildren(...this.#items.map(supplierRow));
  }

  /**
   * @param {string} preset
   * @param {string} url
   * @returns {Supplier|null} the supplier at that address
   */
  at(preset, url) {
    const same = (/** @type {Supplier} */ one) =>
      (one.preset ?? '') === preset &&
      withoutSlash(one.base_url) === withoutSlash(url) &&
      isOurs(one);
    return this.#items.find(same) ?? null;
  }

  /** @param {string} host @returns {string} an unused name derived from it */
  nameFor(host) {
    const taken = this.#items.filter(
      ({ name }) => name === host || name.startsWith(`${host} `),
    ).length;
    return taken ? `${host} ${taken + 1}` : host;
  }

  /** @param {Supplier} supplier @returns {Promise<boolean>} whether it was removed */
  async remove({ id, name }) {
    if (!(await confirm(t('connect.remove.ask', { name }), t('connect.remove')))) return false;
    await this.#api.delete(`/api/suppliers/${id}`);
    await this.load();
    return true;
  }
}

/** A supplier from the environment cannot be edited here. @param {Supplier} supplier */
const isOurs = ({ source }) => source !== 'environment';

/** @param {Supplier} supplier */
function supplierRow(supplier) {
  const { name, models } = supplier;
  const row = fill(clone('supplier'), { name, note: models.join(', ') });
  row.dataset.supplier = supplier.id;
  row.prepend(monogram(name));
  findAs(row, '[data-edit-supplier]', HTMLButtonElement).disabled = !isOurs(supplier);
  const remove = find(row, '[data-remove-supplier]');
  remove.hidden = !isOurs(supplier);
  remove.ariaLabel = t('connect.remove_name', { name });
  return row;
}
