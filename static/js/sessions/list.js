/**
 * The side bar's list of chats: grouped by date, rename in place, pin, delete with undo.
 */
import { fromRoot } from '../core/address.js';
import { clone, delegate, fill, find, isComposing } from '../core/dom.js';
import { dateGroup } from '../core/format.js';
import { t } from '../core/i18n.js';
import { mountMenu } from '../ui/menu.js';
import { toast, toastError } from '../ui/toast.js';

/** @typedef {import('../types.js').Session} Session */

const PAGE = 50;
const LATER_MS = 1000;

export class SessionList {
  #root;
  #api;
  #go;
  #code;
  #timer = 0;
  /** @type {Session[]} */ #sessions = [];
  /** @type {string|null} */ #next = null;
  /** @type {string|null} */ #current = null;
  /** @type {Map<string, () => void>} deletions that can still be undone */
  #leaving = new Map();

  /**
   * @param {HTMLElement} root
   * @param {{api: import('../net/api.js').Api, go: (id: string|null) => void,
   *   code: (id: string) => void}} deps
   */
  constructor(root, { api, go, code }) {
    this.#root = root;
    this.#api = api;
    this.#go = go;
    this.#code = code;
    delegate(root, 'click', '[data-session-open]', (link, event) =>
      this.#follow(link, /** @type {MouseEvent} */ (event)),
    );
    window.addEventListener('pagehide', () => this.#leaving.forEach((leave) => leave()));
  }

  /** @param {{background?: boolean}} [options] @returns {Promise<void>} */
  async load(options) {
    const page = await this.#api.get(`/api/sessions?limit=${PAGE}`, options);
    this.#sessions = page.items;
    this.#next = page.next ?? null;
    this.#draw();
  }

  /** @param {string|null} id */
  setCurrent(id) {
    this.#current = id;
    for (const row of this.#root.querySelectorAll('[data-session]')) markCurrent(row, id);
  }

  /** @param {string} id @returns {Session|null} */
  get(id) {
    return this.#sessions.find((session) => session.id === id) ?? null;
  }

  async #more() {
    const page = await this.#api.get(
      `/api/sessions?limit=${PAGE}&after=${encodeURIComponent(this.#next ?? '')}`,
    );
    this.#sessions.push(...page.items);
    this.#next = page.next ?? null;
    this.#draw();
  }

  #draw() {
    if (this.#isInUse()) return this.#drawLater();
    const now = new Date();
    /** @type {Map<string, Session[]>} */
    const groups = new Map();
    const shown = this.#sessions.filter((session) => !this.#leaving.has(session.id));
    for (const session of [...shown].sort(
      (a, b) => Number(b.pinned ?? false) - Number(a.pinned ?? false),
    )) {
      const name = session.pinned ? t('date.pinned') : dateGroup(session.updated_at, now);
      groups.set(name, [...(groups.get(name) ?? []), session]);
    }
    this.#root.replaceChildren(
      ...[...groups].map(([name, sessions]) => this.#group(name, sessions)),
    );
    if (this.#next) this.#root.append(this.#moreButton());
    if (!groups.size) this.#root.append(emptyLine());
  }

  /** A title is being edited or a menu is open: do not redraw. */
  #isInUse() {
    return this.#root.querySelector('[data-rename-field], [aria-expanded="true"]') !== null;
  }

  #drawLater() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#draw(), LATER_MS);
  }

  #moreButton() {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'link-button sessions-more';
    button.textContent = t('sidebar.more');
    button.addEventListener('click', () => void this.#more().catch(toastError));
    return button;
  }

  /** @param {string} name @param {Session[]} sessions */
  #group(name, sessions) {
    const group = fill(clone('session-group'), { name });
    find(group, 'ul').append(...sessions.map((session) => this.#row(session)));
    return group;
  }

  /** @param {Session} session */
  #row(session) {
    const row = fill(clone('session'), {
      pin: t(session.pinned ? 'session.unpin' : 'session.pin'),
    });
    row.dataset.session = session.id;
    const link = find(row, '[data-session-open]');
    link.textContent = session.title || t('session.untitled');
    link.setAttribute('href', fromRoot(`/c/${session.id}`));
    link.title = link.textContent;
    markCurrent(row, this.#current);
    const menu = find(row, '[data-session-menu]');
    menu.ariaLabel = t('session.menu_of', { title: link.textContent });
    mountMenu(menu, find(row, '[role="menu"]'));
    find(row, '[data-rename]').addEventListener('click', () => this.#rename(session, row));
    find(row, '[data-pin]').addEventListener(
      'click',
      () => void this.#change(session, { pinned: !session.pinned }),
    );
    find(row, '[data-session-code]').addEventListener('click', () => this.#code(session.id));
    find(row, '[data-delete]').addEventListener('click', () => this.#delete(session));
    return row;
  }

  /** @param {HTMLElement} link @param {MouseEvent} event */
  #follow(link, event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const row = link.closest('[data-session]');
    if (row instanceof HTMLElement && row.dataset.session) this.#go(row.dataset.session);
  }

  /** @param {Session} session @param {Partial<Session>} change */
  async #change(session, change) {
    try {
      Object.assign(session, await this.#api.patch(`/api/sessions/${session.id}`, change));
    } catch (error) {
      toastError(error);
    }
    this.#draw();
  }

  /** @param {Session} session @param {HTMLElement} row */
  #rename(session, row) {
    const link = find(row, '[data-session-open]');
    const field = document.createElement('input');
    field.className = 'field session-field';
    field.dataset.renameField = '';
    field.value = session.title;
    field.maxLength = 200;
    field.setAttribute('aria-label', t('session.rename'));
    let over = false;
    const end = (/** @type {boolean} */ keep) => {
      if (over) return;
      over = true;
      field.remove();
      const title = field.value.trim();
      if (keep && title && title !== session.title) void this.#change(session, { title });
      else this.#draw();
    };
    field.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.preventDefault();
        end(false);
      }
      if (event.key === 'Enter' && !isComposing(event)) end(true);
    });
    field.addEventListener('blur', () => end(true));
    link.replaceWith(field);
    field.focus();
    field.select();
  }

  /** Hide the chat now and delete it unless the user undoes it. @param {Session} session */
  #delete(session) {
    const leave = () => {
      this.#leaving.delete(session.id);
      this.#sessions = this.#sessions.filter((other) => other !== session);
      this.#api.delete(`/api/sessions/${session.id}`, { keepalive: true }).catch(toastError);
    };
    this.#leaving.set(session.id, leave);
    this.#draw();
    if (session.id === this.#current) this.#go(null);
    const undo = () => {
      this.#leaving.delete(session.id);
      this.#draw();
    };
    toast(t('session.deleted'), { action: t('app.undo'), run: undo, gone: leave });
  }
}

/** @param {Element} row @param {string|null} current */
function markCurrent(row, current) {
  const link = row.querySelector('[data-session-open]');
  if (row instanceof HTMLElement && row.dataset.session === current) {
    link?.setAttribute('aria-current', 'page');
  } else link?.removeAttribute('aria-current');
}

function emptyLine() {
  const line = document.createElement('p');
  line.className = 'sessions-empty';
  line.textContent = t('sidebar.empty');
  return line;
}
