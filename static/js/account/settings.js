/**
 * Settings: language and theme; and the account menu. Other sections have modules of their own;
 * those about accounts load when the settings are opened.
 */
import { fromRoot } from '../core/address.js';
import { delegate, find, findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { loadStyle, once } from '../core/lazy.js';
import { setCookie } from '../core/storage.js';
import { dialog, open } from '../ui/dialog.js';
import { mountMenu } from '../ui/menu.js';
import { toastError } from '../ui/toast.js';
import { mountDefaults } from './defaults.js';
import { mountReports } from './reports.js';
import { mountStoredData } from './stored-data.js';
import { mountTransfer } from './transfer.js';

/** @typedef {import('../types.js').User} User */
/** @typedef {import('../types.js').Defaults} Defaults */
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
 * @typedef {object} Deps
 * @property {Api} api
 * @property {User} user
 * @property {Defaults} defaults
 * @property {boolean} accounts whether there are any
 * @property {import('../types.js').SignedInBy} signedInBy
 * @property {() => void} imported chats were added
 */

/** @param {Deps} deps */
export function mountAccount({ signedInBy, ...deps }) {
  const { api, user, accounts } = deps;
  const root = find(document, '[data-account-menu]');
  mountMenu(find(root, '[data-account]'), find(root, '[role="menu"]'));
  find(root, '[data-account-name]').textContent = (accounts && user.name) || t('account.title');
  const signOut = find(root, '[data-sign-out]');
  signOut.hidden = !signsOut(signedInBy);
  signOut.addEventListener(
    'click',
    () =>
      void api
        .post('/api/auth/logout')
        .then((out) => location.assign(out?.end_session_url ?? fromRoot('/sign-in')), toastError),
  );
  mountSettings({ signedInBy, ...deps });
}

/** @param {import('../types.js').SignedInBy} by a proxy would sign in again at once */
const signsOut = (by) => by === 'login' || by === 'provider';

/** @param {Deps} deps */
function mountSettings({ api, user, defaults, accounts, signedInBy, imported }) {
  const root = dialog('settings');
  const language = findAs(root, '[data-language]', HTMLSelectElement);
  language.addEventListener('change', () => setLanguage(language.value));
  delegate(root, 'change', '[name="theme"]', (input) =>
    setTheme(/** @type {HTMLInputElement} */ (input).value),
  );
  find(root, '[data-admin-only]').hidden = user.role !== 'admin';
  delegate(root, 'click', '[data-connect]', () => root.close());
  const showDefaults = mountDefaults(root, { api, defaults });
  const showData = mountStoredData(root, { api, accounts });
  mountReports(root, { api, isAdmin: user.role === 'admin', accounts });
  mountTransfer(root, {
    imported: () => {
      imported();
      void showData().catch(toastError);
    },
  });
  const panels = once(async () => {
    const [{ mountPanels }] = await Promise.all([import('./panels.js'), loadStyle('account')]);
    return mountPanels(root, { api, user, signedInBy });
  });
  delegate(document, 'click', '[data-open-settings]', () => {
    open(root);
    void api
      .get('/api/auth/me')
      .then((me) => showDefaults(me.defaults))
      .catch(toastError);
    void showData().catch(toastError);
    if (accounts) void panels().then((show) => show(), toastError);
  });
}
