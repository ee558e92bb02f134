/** Settings, Account: the browsers that are signed in, each of which can be signed out. */
import { clone, delegate, fill, find, showText } from '../core/dom.js';
import { moment } from '../core/format.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { Rows } from '../ui/rows.js';
import { toastError } from '../ui/toast.js';

/** @typedef {import('../types.js').Login} Login */

export class Logins {
  #root;
  #api;
  /** @type {Rows<Login>} */ #rows;

  /** @param {HTMLElement} root @param {{api: import('../net/api.js').Api}} deps */
  constructor(root, { api }) {
    this.#root = root;
    this.#api = api;
    this.#rows = new Rows(find(root, '[data-logins]'), {
      key: ({ id }) => id,
      make: () => clone('login'),
      update: (row, login) => update(row, login),
    });
    delegate(root, 'click', '[data-login-end]', (button) =>
      void this.#end(`/api/auth/logins/${button.dataset.loginEnd}`).catch(toastError),
    );
    delegate(root, 'click', '[data-end-others]', () =>
      void this.#end('/api/auth/logins').catch(toastError),
    );
  }

  async load() {
    const fault = find(this.#root, '[data-logins-fault]');
    try {
      const { items } = await this.#api.get('/api/auth/logins');
      showText(fault, '');
      this.#rows.show(items);
      // None for whom a proxy signs in.
      find(this.#root, '[data-logins-section]').hidden = items.length === 0;
      find(this.#root, '[data-end-others-row]').hidden = !items.some(
        (/** @type {Login} */ login) => !login.current,
      );
    } catch (error) {
      showText(fault, error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} path */
  async #end(path) {
    await this.#api.delete(path);
    announce(t('logins.ended'));
    await this.load();
    if (document.activeElement === document.body) find(this.#root, '#logins-title').focus();
  }
}

/** @param {HTMLElement} row @param {Login} login */
function update(row, login) {
  const name = login.browser || t('logins.unknown');
  const used = login.used_at ?? login.created_at;
  const when = login.current
    ? t('logins.this')
    : t('logins.used', { when: moment(used, new Date()) });
  fill(row, { name, note: [when, login.address].filter(Boolean).join(' · ') });
  row.dataset.login = login.id;
  const button = find(row, '[data-login-end]');
  button.dataset.loginEnd = login.id;
  button.hidden = login.current; // the account menu signs this one out
  button.ariaLabel = button.title = t('logins.end_name', { name });
}
