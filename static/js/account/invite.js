/** The dialog that invites a person, and shows the link that signs somebody in once. */
import { find, findAs, showText } from '../core/dom.js';
import { day } from '../core/format.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { copyWithFeedback } from '../ui/copy-button.js';
import { dialog, open } from '../ui/dialog.js';

/**
 * @typedef {{user: import('../types.js').Account, path: string, expires_at: string}} SignInLink
 */

export class InviteDialog {
  #api;
  #made;
  #root = dialog('invite');
  #form = findAs(this.#root, 'form', HTMLFormElement);
  #name = findAs(this.#root, '[data-invite-name]', HTMLInputElement);
  #link = findAs(this.#root, '[data-invite-link]', HTMLInputElement);
  #fault = find(this.#root, '[data-invite-fault]');

  /** @param {{api: import('../net/api.js').Api, made: () => void}} deps made: an account is new */
  constructor({ api, made }) {
    this.#api = api;
    this.#made = made;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (find(this.#root, '[data-invite-made]').hidden) void this.#create();
    });
    const copy = find(this.#root, '[data-invite-copy]');
    copy.addEventListener('click', () => void copyWithFeedback(copy, this.#link.value));
    this.#root.addEventListener('close', () => (this.#link.value = ''));
  }

  open() {
    this.#form.reset();
    showText(this.#fault, '');
    this.#step('fields', t('invite.title'));
    open(this.#root);
    this.#name.focus();
  }

  /** @param {SignInLink} made */
  show({ user, path, expires_at: ends }) {
    const name = user.name ?? t('invite.person');
    this.#step('made', user.name ? t('invite.link_for', { name }) : t('invite.link'));
    find(this.#root, '[data-invite-lead]').textContent = t('invite.made', {
      name,
      date: day(ends),
    });
    this.#link.value = location.origin + path;
    open(this.#root);
    this.#link.focus();
    this.#link.select();
    announce(t('invite.ready'));
  }

  async #create() {
    const name = this.#name.value.trim();
    const role = findAs(this.#root, '[data-invite-role]', HTMLSelectElement).value;
    const days = Number(findAs(this.#root, '[data-invite-days]', HTMLSelectElement).value);
    try {
      this.show(await this.#api.post('/api/users', { ...(name ? { name } : {}), role, days }));
      this.#made();
    } catch (error) {
      showText(this.#fault, error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {'fields'|'made'} name @param {string} title */
  #step(name, title) {
    find(this.#root, '[data-invite-title]').textContent = title;
    find(this.#root, '[data-invite-fields]').hidden = name !== 'fields';
    find(this.#root, '[data-invite-made]').hidden = name !== 'made';
  }
}
