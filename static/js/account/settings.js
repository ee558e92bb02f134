/**
 * Settings: language, theme, password and personal tokens; and the account menu. Other sections
 * have modules of their own.
 */
import { fromRoot } from '../core/address.js';
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { day } from '../core/format.js';
import { t } from '../core/i18n.js';
import { setCookie } from '../core/storage.js';
import { copyWithFeedback } from '../ui/copy-button.js';
import { confirm, dialog, open } from '../ui/dialog.js';
import { mountMenu } from '../ui/menu.js';
import { toastError } from '../ui/toast.js';
import { mountDefaults } from './defaults.js';
import { mountStoredData } from './stored-data.js';
import { mountTransfer } from './transfer.js';

/** @typedef {import('../types.js').User} User */
/** @typedef {import('../types.js').Defaults} Defaults */
/** @typedef {import('../types.js').Token} Token */
/** @typedef {import('../net/api.js').Api} Api */

/** @param {string} language reloads the page; a running answer continues */
export function setLanguage(language) {
  setCookie('chatapp_language', language);
  location.reload();
}

/** @param {string} theme light, dark, or empty for the system's */
function setTheme(theme) {
  setCookie('chatapp_theme', theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/**
 * @param {{api: Api, user: User, defaults: Defaults, accounts: boolean, imported: () => void}} deps
 *   imported: chats were added
 */
export function mountAccount({ api, user, defaults, accounts, imported }) {
  const root = find(document, '[data-account-menu]');
  mountMenu(find(root, '[data-account]'), find(root, '[role="menu"]'));
  find(root, '[data-account-name]').textContent = accounts ? user.name : t('account.title');
  const signOut = find(root, '[data-sign-out]');
  signOut.hidden = !accounts;
  signOut.addEventListener(
    'click',
    () =>
      void api
        .post('/api/auth/logout')
        .then(() => location.assign(fromRoot('/sign-in')), toastError),
  );
  mountSettings({ api, user, defaults, accounts, imported });
}

/**
 * @param {{api: Api, user: User, defaults: Defaults, accounts: boolean, imported: () => void}} deps
 */
function mountSettings({ api, user, defaults, accounts, imported }) {
  const root = dialog('settings');
  const language = findAs(root, '[data-language]', HTMLSelectElement);
  language.addEventListener('change', () => setLanguage(language.value));
  delegate(root, 'change', '[name="theme"]', (input) =>
    setTheme(/** @type {HTMLInputElement} */ (input).value),
  );
  for (const section of root.querySelectorAll('[data-account-only]')) {
    if (section instanceof HTMLElement) section.hidden = !accounts;
  }
  find(root, '[data-admin-only]').hidden = user.role !== 'admin';
  delegate(root, 'click', '[data-connect]', () => root.close());
  const showDefaults = mountDefaults(root, { api, defaults });
  const showData = mountStoredData(root, { api, accounts });
  mountTransfer(root, {
    imported: () => {
      imported();
      void showData().catch(toastError);
    },
  });
  if (accounts) {
    mountPassword(root, api, user);
    mountTokens(root, api);
  }
  delegate(document, 'click', '[data-open-settings]', () => {
    open(root);
    void api
      .get('/api/auth/me')
      .then((me) => showDefaults(me.defaults))
      .catch(toastError);
    void showData().catch(toastError);
    if (accounts) void showTokens(root, api).catch(toastError);
  });
}

/** @param {HTMLElement} root @param {Api} api @param {User} user */
function mountPassword(root, api, user) {
  const form = findAs(root, '[data-password-form]', HTMLFormElement);
  const current = findAs(form, '[data-current]', HTMLInputElement);
  const password = findAs(form, '[data-password]', HTMLInputElement);
  const result = find(form, '[data-password-result]');
  findAs(form, '[data-username]', HTMLInputElement).value = user.name;
  find(form, '[data-current-row]').hidden = !user.has_password;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const known = user.has_password ? { current: current.value } : {};
    const problem = await api
      .put('/api/auth/password', { ...known, password: password.value })
      .then(
        () => null,
        (error) => error,
      );
    result.dataset.passwordResult = problem ? 'failed' : 'ok';
    showText(result, problem ? problem.message : t('settings.password.saved'));
    if (problem) return;
    form.reset();
    user.has_password = true;
    find(form, '[data-current-row]').hidden = false;
  });
}

/** @param {HTMLElement} root @param {Api} api */
function mountTokens(root, api) {
  const name = findAs(root, '[data-token-name]', HTMLInputElement);
  const fresh = find(root, '[data-new-token]');
  find(root, '[data-token-form]').addEventListener('submit', (event) => {
    event.preventDefault();
    void api
      .post('/api/auth/tokens', { name: name.value.trim() })
      .then((made) => {
        fresh.hidden = false;
        find(fresh, '[data-token-value]').textContent = made.token;
        name.value = '';
        // The token is shown only once, so scroll to it.
        return showTokens(root, api).then(() => fresh.scrollIntoView({ block: 'nearest' }));
      })
      .catch(toastError);
  });
  const copy = find(fresh, '[data-token-copy]');
  copy.addEventListener(
    'click',
    () => void copyWithFeedback(copy, find(fresh, '[data-token-value]').textContent ?? ''),
  );
  delegate(
    root,
    'click',
    '[data-token-delete]',
    (button) => void revoke(root, api, button).catch(toastError),
  );
  dialog('settings').addEventListener('close', () => {
    fresh.hidden = true;
    find(fresh, '[data-token-value]').textContent = '';
  });
}

/** @param {HTMLElement} root @param {Api} api @param {HTMLElement} button */
async function revoke(root, api, button) {
  const { tokenDelete: id, tokenName: name = '' } = button.dataset;
  if (!(await confirm(t('settings.token.ask', { name }), t('settings.token.revoke')))) return;
  await api.delete(`/api/auth/tokens/${id}`);
  await showTokens(root, api);
}

/** @param {HTMLElement} root @param {Api} api */
async function showTokens(root, api) {
  const { items } = await api.get('/api/auth/tokens');
  find(root, '[data-tokens]').replaceChildren(
    ...items.map((/** @type {Token} */ token) => {
      const used = token.used_at
        ? t('settings.token.used', { date: day(token.used_at) })
        : t('settings.token.unused');
      const name = token.kind === 'terminal' ? t('settings.token.terminal') : token.name;
      const row = fill(clone('token'), { name, note: used });
      const button = find(row, '[data-token-delete]');
      button.dataset.tokenDelete = token.id;
      button.dataset.tokenName = name;
      button.ariaLabel = t('settings.token.revoke_name', { name });
      return row;
    }),
  );
}
