/** Settings, Account: personal tokens, what each may do and when it ends. */
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { day } from '../core/format.js';
import { t } from '../core/i18n.js';
import { copyWithFeedback } from '../ui/copy-button.js';
import { confirm } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';

/** @typedef {import('../types.js').Token} Token */
/** @typedef {import('../net/api.js').Api} Api */

const DAY_MS = 86_400_000;

export class Tokens {
  #root;
  #api;
  #form;
  #fresh;
  #fault;

  /** @param {HTMLElement} root @param {{api: Api, admin: boolean}} deps */
  constructor(root, { api, admin }) {
    this.#root = root;
    this.#api = api;
    this.#form = findAs(root, '[data-token-form]', HTMLFormElement);
    this.#fresh = find(root, '[data-new-token]');
    this.#fault = find(root, '[data-token-fault]');
    const administer = find(this.#form, '[data-token-scope][value="admin"]').closest('label');
    if (administer) administer.hidden = !admin;
    find(this.#form, '[data-token-limited]').addEventListener('change', () => this.#showScopes());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#create();
    });
    const copy = find(this.#fresh, '[data-token-copy]');
    copy.addEventListener(
      'click',
      () => void copyWithFeedback(copy, find(this.#fresh, '[data-token-value]').textContent ?? ''),
    );
    delegate(root, 'click', '[data-token-delete]', (button) =>
      void this.#revoke(button).catch(toastError),
    );
    root.closest('dialog')?.addEventListener('close', () => this.#showSecret(''));
  }

  async load() {
    try {
      const { items } = await this.#api.get('/api/auth/tokens');
      find(this.#root, '[data-tokens]').replaceChildren(...items.map(row));
      showText(this.#fault, '');
    } catch (error) {
      showText(this.#fault, error instanceof Error ? error.message : String(error));
    }
  }

  async #create() {
    const name = findAs(this.#form, '[data-token-name]', HTMLInputElement);
    const days = Number(findAs(this.#form, '[data-token-days]', HTMLSelectElement).value);
    const scopes = this.#scopes();
    if (scopes && !scopes.length) {
      showText(this.#fault, t('settings.token.scopes.none'));
      return;
    }
    const until = days ? { expires_at: new Date(Date.now() + days * DAY_MS).toISOString() } : {};
    const body = { name: name.value.trim(), ...until, ...(scopes ? { scopes } : {}) };
    try {
      const made = await this.#api.post('/api/auth/tokens', body);
      this.#form.reset();
      this.#showScopes();
      await this.load();
      this.#showSecret(made.token);
      // The token is shown only once, so scroll to it.
      this.#fresh.scrollIntoView({ block: 'nearest' });
    } catch (error) {
      showText(this.#fault, error instanceof Error ? error.message : String(error));
    }
  }

  /** @returns {string[]|null} null: all */
  #scopes() {
    if (!findAs(this.#form, '[data-token-limited]', HTMLSelectElement).value) return null;
    return [...this.#form.querySelectorAll('[data-token-scope]:checked')].map(
      (box) => /** @type {HTMLInputElement} */ (box).value,
    );
  }

  #showScopes() {
    find(this.#form, '[data-token-scopes]').hidden = this.#scopes() === null;
    showText(this.#fault, '');
  }

  /** @param {string} secret */
  #showSecret(secret) {
    this.#fresh.hidden = !secret;
    find(this.#fresh, '[data-token-value]').textContent = secret;
  }

  /** @param {HTMLElement} button */
  async #revoke(button) {
    const { tokenDelete: id, name = '' } = button.dataset;
    if (!(await confirm(t('settings.token.ask', { name }), t('settings.token.revoke')))) return;
    await this.#api.delete(`/api/auth/tokens/${id}`);
    await this.load();
    find(this.#root, '#tokens-title').focus();
  }
}

/** @param {Token} token @returns {HTMLElement} */
function row(token) {
  const name = token.kind === 'terminal' ? t('settings.token.terminal') : token.name;
  const made = fill(clone('token'), { name, note: note(token) });
  const button = find(made, '[data-token-delete]');
  button.dataset.tokenDelete = token.id;
  button.dataset.name = name;
  button.ariaLabel = t('settings.token.revoke_name', { name });
  return made;
}

/** @param {Token} token @returns {string} */
function note({ scopes, used_at: used, expires_at: ends }) {
  const over = ends !== null && new Date(ends) <= new Date();
  return [
    ...(scopes ?? []).map((scope) => t(`settings.token.scope.${scope}`)),
    used ? t('settings.token.used', { date: day(used) }) : t('settings.token.unused'),
    ends ? t(over ? 'settings.token.ended' : 'share.until', { date: day(ends) }) : '',
  ]
    .filter(Boolean)
    .join(' · ');
}
