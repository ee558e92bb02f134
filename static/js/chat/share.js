/** The dialog that shares the current branch of a chat, and the list of links that can be ended. */
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { day } from '../core/format.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { copyWithFeedback } from '../ui/copy-button.js';
import { dialog, open } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';

/** @typedef {{id: string, title: string, session_id: string, expires_at: string}} Share */

export class ShareDialog {
  #api;
  #root = dialog('share');
  #days = findAs(this.#root, '[data-share-days]', HTMLSelectElement);
  #made = find(this.#root, '[data-share-made]');
  #link = findAs(this.#root, '[data-share-link]', HTMLInputElement);
  #id = '';

  /** @param {{api: import('../net/api.js').Api}} deps */
  constructor({ api }) {
    this.#api = api;
    find(this.#root, 'form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#create();
    });
    const copy = find(this.#root, '[data-share-copy]');
    copy.addEventListener('click', () => void copyWithFeedback(copy, this.#link.value));
    delegate(this.#root, 'click', '[data-share-revoke]', (button) =>
      void this.#revoke(button.dataset.shareRevoke ?? '').catch(toastError),
    );
  }

  /** @param {string} sessionId */
  async open(sessionId) {
    this.#id = sessionId;
    this.#made.hidden = true;
    this.#link.value = '';
    this.#fault('');
    await this.#list();
    open(this.#root);
  }

  async #create() {
    try {
      const made = await this.#api.post(`/api/sessions/${this.#id}/shares`, {
        days: Number(this.#days.value),
      });
      this.#fault('');
      this.#link.value = location.origin + made.path;
      this.#made.hidden = false;
      this.#link.select();
      announce(t('share.made'));
      await this.#list();
    } catch (error) {
      this.#fault(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} id */
  async #revoke(id) {
    await this.#api.delete(`/api/shares/${id}`);
    this.#made.hidden = true;
    announce(t('share.revoked'));
    await this.#list();
    find(this.#root, 'h2').focus();
  }

  /** All links of the user, those of this chat first. */
  async #list() {
    const { items } = await this.#api.get('/api/shares');
    const here = (/** @type {Share} */ share) => Number(share.session_id === this.#id);
    const rows = items
      .sort((/** @type {Share} */ a, /** @type {Share} */ b) => here(b) - here(a))
      .map((/** @type {Share} */ share) => {
        const row = fill(clone('share'), {
          name: share.title || t('session.untitled'),
          note: t('share.until', { date: day(share.expires_at) }),
        });
        const button = find(row, '[data-share-revoke]');
        button.dataset.shareRevoke = share.id;
        button.ariaLabel = t('share.revoke_name', { title: share.title });
        return row;
      });
    find(this.#root, '[data-shares]').replaceChildren(...rows);
    find(this.#root, '[data-shares-section]').hidden = !rows.length;
  }

  /** @param {string} text */
  #fault(text) {
    showText(find(this.#root, '[data-share-fault]'), text);
  }
}
