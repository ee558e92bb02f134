/** Settings, Account: one's own name and password. */
import { find, findAs, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';

/** @typedef {{api: import('../net/api.js').Api, user: import('../types.js').User}} Deps */

/** @param {HTMLElement} root @param {Deps} deps */
export function mountName(root, { api, user }) {
  const form = findAs(root, '[data-name-form]', HTMLFormElement);
  const name = findAs(form, '[data-own-name]', HTMLInputElement);
  const result = find(form, '[data-name-result]');
  name.value = user.name ?? '';
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      const me = await api.patch('/api/auth/me', { name: name.value });
      user.name = name.value = me.user.name;
      find(document, '[data-account-name]').textContent = me.user.name;
      findAs(root, '[data-username]', HTMLInputElement).value = me.user.name;
      tell(result, null, t('settings.name.saved'));
    } catch (error) {
      tell(result, error, '');
    }
  });
}

/** @param {HTMLElement} root @param {Deps & {changed: () => void}} deps changed: others ended */
export function mountPassword(root, { api, user, changed }) {
  const form = findAs(root, '[data-password-form]', HTMLFormElement);
  const current = findAs(form, '[data-current]', HTMLInputElement);
  const password = findAs(form, '[data-password]', HTMLInputElement);
  const ends = findAs(form, '[data-end-tokens]', HTMLInputElement);
  const result = find(form, '[data-password-result]');
  findAs(form, '[data-username]', HTMLInputElement).value = user.name ?? '';
  find(form, '[data-current-row]').hidden = !user.has_password;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const known = user.has_password ? { current: current.value } : {};
    const body = { ...known, password: password.value, end_tokens: ends.checked };
    try {
      await api.put('/api/auth/password', body);
    } catch (error) {
      tell(result, error, '');
      return;
    }
    tell(result, null, t('settings.password.saved'));
    form.reset();
    findAs(form, '[data-username]', HTMLInputElement).value = user.name ?? '';
    user.has_password = true;
    find(form, '[data-current-row]').hidden = false;
    changed();
  });
}

/** @param {HTMLElement} result @param {unknown} error @param {string} done */
function tell(result, error, done) {
  result.dataset.result = error ? 'failed' : 'ok';
  showText(result, error ? (error instanceof Error ? error.message : String(error)) : done);
}
