/** Settings, People: all accounts, and what an administrator can do with each. */
import { clone, delegate, fill, find, showText } from '../core/dom.js';
import { day, moment } from '../core/format.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { confirm, dialog } from '../ui/dialog.js';
import { closeMenu, openMenu, wireMenu } from '../ui/menu.js';
import { Rows } from '../ui/rows.js';
import { InviteDialog } from './invite.js';
import { RemoveDialog } from './remove-person.js';

/** @typedef {import('../types.js').Account} Account */

export class People {
  #root;
  #api;
  #me;
  #menu = clone('person-menu');
  #invite;
  #remove;
  /** @type {Rows<Account>} */ #rows;
  /** @type {Account[]} */ #accounts = [];
  /** @type {Account|null} whose menu is or was open */ #chosen = null;

  /**
   * @param {HTMLElement} root
   * @param {{api: import('../net/api.js').Api, user: import('../types.js').User}} deps
   */
  constructor(root, { api, user }) {
    this.#root = root;
    this.#api = api;
    this.#me = user.id;
    this.#invite = new InviteDialog({ api, made: () => void this.load() });
    this.#remove = new RemoveDialog({ api });
    this.#rows = new Rows(find(root, '[data-people]'), {
      key: ({ id }) => id,
      make: () => clone('person'),
      update: (row, account) => this.#update(row, account),
    });
    wireMenu(this.#menu);
    dialog('settings').append(this.#menu);
    delegate(root, 'click', '[data-person-menu]', (button) => this.#openMenu(button));
    delegate(root, 'click', '[data-invite]', () => this.#invite.open());
    delegate(root, 'click', '[data-people-again]', () => void this.load());
    this.#mountActions();
  }

  async load() {
    try {
      this.#accounts = (await this.#api.get('/api/users')).items;
      this.#fault(null);
    } catch (error) {
      this.#fault(error);
      return;
    }
    this.#rows.show(this.#accounts);
    find(this.#root, '[data-people-none]').hidden = this.#accounts.length > 1;
  }

  #mountActions() {
    /** @type {Record<string, (account: Account) => Promise<void>>} */
    const actions = {
      '[data-person-change-role]': (account) =>
        this.#change(account, { role: account.role === 'admin' ? 'user' : 'admin' }),
      '[data-person-reset]': (account) => this.#reset(account),
      '[data-person-disable]': (account) => this.#disable(account),
      '[data-person-delete]': (account) => this.#delete(account),
    };
    for (const [selector, run] of Object.entries(actions)) {
      find(this.#menu, selector).addEventListener('click', () => {
        if (this.#chosen) void run(this.#chosen).catch((error) => this.#fault(error));
      });
    }
  }

  /** @param {HTMLElement} button */
  #openMenu(button) {
    if (button.getAttribute('aria-expanded') === 'true') return closeMenu();
    const account = this.#accounts.find(({ id }) => id === button.dataset.personMenu);
    if (!account) return;
    this.#chosen = account;
    fill(this.#menu, {
      role: t(account.role === 'admin' ? 'people.make_member' : 'people.make_admin'),
      reset: t(account.status === 'invited' ? 'people.new_link' : 'people.reset'),
      disable: t(account.disabled ? 'people.enable' : 'people.disable'),
    });
    find(this.#menu, '[data-person-reset]').hidden = account.disabled;
    openMenu(button, this.#menu);
  }

  /** @param {Account} account @param {Partial<Account>} change */
  async #change({ id }, change) {
    const changed = await this.#api.patch(`/api/users/${id}`, change);
    announce(`${nameOf(changed)}: ${factsOf(changed)}`);
    await this.load();
  }

  /** @param {Account} account */
  async #disable(account) {
    const name = nameOf(account);
    if (
      account.disabled ||
      (await confirm(t('people.disable.ask', { name }), t('people.disable')))
    ) {
      await this.#change(account, { disabled: !account.disabled });
    }
  }

  /** @param {Account} account */
  async #reset(account) {
    const name = nameOf(account);
    if (
      account.status === 'invited' ||
      (await confirm(t('people.reset.ask', { name }), t('people.reset.yes')))
    ) {
      const days = account.status === 'invited' ? { days: 7 } : {};
      this.#invite.show(await this.#api.post(`/api/users/${account.id}/reset`, days));
      await this.load();
    }
  }

  /** @param {Account} account */
  async #delete(account) {
    if (!(await this.#remove.ask(account))) return;
    announce(t('people.deleted', { name: nameOf(account) }));
    await this.load();
    if (document.activeElement === document.body) find(this.#root, '[data-invite]').focus();
  }

  /** @param {HTMLElement} row @param {Account} account */
  #update(row, account) {
    const own = account.id === this.#me;
    fill(row, { name: nameOf(account), note: factsOf(account) });
    row.dataset.person = account.id;
    row.dataset.status = account.status;
    row.toggleAttribute('data-unnamed', account.name === null);
    showText(
      find(row, '[data-person-role]'),
      [roleOf(account), own ? t('people.you') : ''].filter(Boolean).join(' · '),
    );
    const button = find(row, '[data-person-menu]');
    button.dataset.personMenu = account.id;
    button.hidden = own;
    button.ariaLabel = button.title = t('people.menu_name', { name: nameOf(account) });
  }

  /** @param {unknown} error */
  #fault(error) {
    const text = error instanceof Error ? error.message : String(error ?? '');
    showText(find(this.#root, '[data-people-fault]'), text);
    find(this.#root, '[data-people-again-row]').hidden = !error;
  }
}

/** @param {Account} account @returns {string} */
export const nameOf = ({ name }) => name ?? t('people.unnamed');

/** @param {Account} account @returns {string} */
const roleOf = ({ role }) => t(role === 'admin' ? 'people.admin' : 'people.member');

/** @param {Account} account @returns {string} status, and when they were last seen */
function factsOf({ status, seen_at: seen, link_expires_at: ends }) {
  const last = seen ? t('people.seen', { when: moment(seen, new Date()) }) : t('people.never');
  if (status === 'disabled') return `${t('people.disabled')} · ${last}`;
  if (status === 'active') return last;
  return ends && new Date(ends) > new Date()
    ? t('people.invited', { date: day(ends) })
    : t('people.invitation_ended');
}
