/** Settings: the tabs of those with an account, each of which loads what it shows. */
import { find } from '../core/dom.js';
import { mountTabs } from '../ui/tabs.js';
import { Logins } from './logins.js';
import { People } from './people.js';
import { mountName, mountPassword } from './profile.js';
import { Tokens } from './tokens.js';

/**
 * @param {HTMLElement} root the settings dialog
 * @param {object} deps
 * @param {import('../net/api.js').Api} deps.api
 * @param {import('../types.js').User} deps.user
 * @param {import('../types.js').SignedInBy} deps.signedInBy
 * @returns {() => void} shows the tabs, the first one selected
 */
export function mountPanels(root, { api, user, signedInBy }) {
  const admin = user.role === 'admin';
  const list = find(root, '[data-settings-tabs]');
  find(list, '[data-tab="people"]').hidden = !admin;
  const account = find(root, '[data-settings-panel="account"]');
  const logins = new Logins(account, { api });
  const tokens = new Tokens(account, { api, admin });
  const people = new People(find(root, '[data-settings-panel="people"]'), { api, user });
  mountName(account, { api, user });
  find(account, '[data-name-form]').hidden = signedInBy === 'proxy';
  const loadAccount = () => {
    void logins.load();
    void tokens.load();
  };
  mountPassword(account, { api, user, changed: loadAccount });
  find(account, '[data-password-form]').hidden = signedInBy !== 'login';

  /** @type {Record<string, () => void>} */
  const load = { account: loadAccount, people: () => void people.load() };
  const { select } = mountTabs(list, (name) => show(name));

  /** @param {string} name */
  const show = (name) => {
    select(name);
    for (const panel of root.querySelectorAll('[data-settings-panel]')) {
      if (panel instanceof HTMLElement) panel.hidden = panel.dataset.settingsPanel !== name;
    }
    root.scrollTop = 0;
    load[name]?.();
  };

  return () => {
    list.hidden = false;
    show('general');
  };
}
