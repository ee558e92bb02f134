/**
 * The side bar's list of chats: grouped by date, loaded as it is scrolled; rename in place, pin,
 * delete with undo. All rows share one menu, and a refresh draws only what has changed.
 */
import { fromRoot } from '../core/address.js';
import { clone, delegate, fill, find, isComposing } from '../core/dom.js';
import { dateGroup } from '../core/format.js';
import { t } from '../core/i18n.js';
import { closeMenu, openMenu, wireMenu } from '../ui/menu.js';
import { Rows } from '../ui/rows.js';
import { toast, toastError } from '../ui/toast.js';
import { ordered, refreshed, without } from './order.js';

/** @typedef {import('../types.js').Session} Session */
/** @typedef {{key: string, heading?: string, session?: Session}} Item a heading or a chat */

const PAGE = 50;
/** The next page is loaded when the end of the list is this near. */
const NEAR = '600px';

export class SessionList {
  #root;
  #api;
  #go;
  /** @type {Rows<Item>} */ #rows;
  #more;
  #menu = clone('session-menu');
  /** @type {{sessions: Session[], next: string|null}} */ #loaded = { sessions: [], next: null };
  /** @type {string|null} */ #current = null;
  /** @type {Session|null} the chat whose menu is or was open */ #chosen = null;
  /** @type {Map<HTMLElement, Session>} as each row shows it */ #drawn = new Map();
  /** @type {Set<string>} the headings, in order */ #headings = new Set();
  /** @type {Map<string, () => void>} deletions that can still be undone */
  #leaving = new Map();
  /** A title is being edited or the menu is open: nothing moves. */
  #inUse = false;
  /** @type {Promise<void>|null} */ #loadingMore = null;
  #asked = 0;
  #answered = 0;

  /**
   * @param {HTMLElement} root
   * @param {{api: import('../net/api.js').Api, go: (id: string|null) => void,
   *   code: (id: string) => void}} deps
   */
  constructor(root, { api, go, code }) {
    this.#root = root;
    this.#api = api;
    this.#go = go;
    this.#more = find(root, '[data-sessions-more]');
    this.#rows = new Rows(find(root, '[data-session-rows]'), {
      key: ({ key }) => key,
      make: ({ heading }) =>
        heading ? fill(clone('session-heading'), { name: heading }) : clone('session'),
      update: (row, { session }) => session && this.#update(row, session),
    });
    delegate(root, 'click', '[data-session-open]', (link, event) =>
      this.#follow(link, /** @type {MouseEvent} */ (event)),
    );
    delegate(root, 'click', '[data-session-menu]', (button) => this.#openMenu(button));
    this.#mountMenu({
      '[data-rename]': (session) => this.#rename(session),
      '[data-pin]': (session) => void this.#change(session, { pinned: !session.pinned }),
      '[data-session-code]': (session) => code(session.id),
      '[data-delete]': (session) => this.#delete(session),
    });
    this.#more.addEventListener('click', () => void this.#loadMore());
    this.#loadWhenNear();
    window.addEventListener('pagehide', () => this.#leaving.forEach((leave) => leave()));
  }

  /** @param {{background?: boolean}} [options] @returns {Promise<void>} */
  async load(options) {
    const turn = ++this.#asked;
    const page = await this.#api.get(`/api/sessions?limit=${PAGE}`, options);
    if (turn < this.#answered) return; // a later request was answered before this one
    this.#answered = turn;
    this.#loaded = refreshed(page, this.#loaded);
    this.#draw();
  }

  /** @param {string|null} id */
  setCurrent(id) {
    for (const key of [this.#current, id]) {
      const row = key === null ? null : this.#rows.row(key);
      if (row) markCurrent(row, key === id);
    }
    this.#current = id;
  }

  /** @param {string} id @returns {Session|null} */
  get(id) {
    return this.#loaded.sessions.find((session) => session.id === id) ?? null;
  }

  /** @param {string} id @returns {Promise<Session>} a temporary chat is not in the list */
  async find(id) {
    return this.get(id) ?? (await this.#api.get(`/api/sessions/${id}`));
  }

  /** @param {number} most @returns {Session[]} the latest chats but the one shown */
  recent(most) {
    return this.#shown()
      .filter(({ id }) => id !== this.#current)
      .sort((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at))
      .slice(0, most);
  }

  #loadMore() {
    this.#loadingMore ??= this.#readMore()
      .catch((error) => {
        this.#more.dataset.failed = ''; // from now on only a click loads more
        toastError(error);
      })
      .finally(() => {
        this.#loadingMore = null;
      });
    return this.#loadingMore;
  }

  async #readMore() {
    const { next } = this.#loaded;
    if (!next) return;
    const page = await this.#api.get(
      `/api/sessions?limit=${PAGE}&after=${encodeURIComponent(next)}`,
    );
    delete this.#more.dataset.failed;
    if (next !== this.#loaded.next) return; // the list has begun anew meanwhile
    const fresh = without(page.items, this.#loaded.sessions);
    const clicked = document.activeElement === this.#more;
    this.#loaded.sessions.push(...fresh);
    this.#loaded.next = page.next ?? null;
    this.#append(fresh);
    if (clicked) this.#focus(fresh[0]);
  }

  #loadWhenNear() {
    const watch = new IntersectionObserver(
      async (changes) => {
        if (!changes.at(-1)?.isIntersecting || 'failed' in this.#more.dataset) return;
        await this.#loadMore();
        watch.unobserve(this.#more);
        watch.observe(this.#more); // reports again whether the end is near
      },
      { root: this.#root, rootMargin: NEAR },
    );
    watch.observe(this.#more);
  }

  #shown() {
    return this.#loaded.sessions.filter(({ id }) => !this.#leaving.has(id));
  }

  #draw() {
    if (this.#inUse) return;
    const shown = this.#shown();
    const items = withHeadings(shown);
    this.#headings = new Set(items.flatMap(({ heading }) => heading ?? []));
    this.#rows.show(items);
    for (const row of this.#drawn.keys()) if (!row.isConnected) this.#drawn.delete(row);
    find(this.#root, '[data-sessions-empty]').hidden = shown.length > 0;
    this.#more.hidden = !this.#loaded.next;
  }

  /** Draw more chats at the end of the list. @param {Session[]} sessions */
  #append(sessions) {
    const items = withHeadings(sessions);
    const last = [...this.#headings].at(-1);
    const begun = items.filter(({ heading }) => heading && this.#headings.has(heading));
    if (this.#inUse || begun.some(({ heading }) => heading !== last)) return this.#draw();
    this.#rows.append(items.filter((item) => !begun.includes(item)));
    for (const { heading } of items) if (heading) this.#headings.add(heading);
    this.#more.hidden = !this.#loaded.next;
  }

  /** @param {HTMLElement} row @param {Session} session */
  #update(row, session) {
    if (this.#drawn.get(row) === session) return;
    this.#drawn.set(row, session);
    row.dataset.session = session.id;
    const link = find(row, '[data-session-open]');
    const title = session.title || t('session.untitled');
    link.textContent = title;
    link.title = title;
    link.setAttribute('href', fromRoot(`/c/${session.id}`));
    find(row, '[data-session-menu]').ariaLabel = t('session.menu_of', { title });
    markCurrent(row, session.id === this.#current);
  }

  /** @param {Record<string, (session: Session) => void>} entries */
  #mountMenu(entries) {
    this.#root.after(this.#menu);
    wireMenu(this.#menu);
    for (const [selector, run] of Object.entries(entries)) {
      find(this.#menu, selector).addEventListener('click', () => this.#chosen && run(this.#chosen));
    }
  }

  /** @param {HTMLElement} button */
  #openMenu(button) {
    if (button.getAttribute('aria-expanded') === 'true') return closeMenu();
    const row = button.closest('[data-session]');
    this.#chosen = row instanceof HTMLElement ? this.get(row.dataset.session ?? '') : null;
    if (!this.#chosen) return;
    fill(this.#menu, { pin: t(this.#chosen.pinned ? 'session.unpin' : 'session.pin') });
    this.#inUse = true;
    openMenu(button, this.#menu, () => this.#free());
  }

  #free() {
    this.#inUse = false;
    this.#draw();
  }

  /** @param {Session|undefined} session */
  #focus(session) {
    const row = session && this.#rows.row(session.id);
    if (row) find(row, '[data-session-open]').focus();
  }

  /** @param {HTMLElement} link @param {MouseEvent} event */
  #follow(link, event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const row = link.closest('[data-session]');
    if (row instanceof HTMLElement && row.dataset.session) this.#go(row.dataset.session);
  }

  /** @param {Session} session @param {Partial<Session>} change */
  async #change({ id }, change) {
    try {
      const changed = await this.#api.patch(`/api/sessions/${id}`, change);
      this.#loaded.sessions = ordered(
        this.#loaded.sessions.map((session) => (session.id === id ? changed : session)),
      );
    } catch (error) {
      toastError(error);
    }
    this.#draw();
  }

  /** @param {Session} session */
  #rename(session) {
    const row = this.#rows.row(session.id);
    if (!row) return;
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
      const focused = document.activeElement === field;
      field.replaceWith(link);
      if (focused) link.focus();
      const title = field.value.trim();
      if (keep && title && title !== session.title) void this.#change(session, { title });
      this.#free();
    };
    field.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        end(false);
      }
      if (event.key === 'Enter' && !isComposing(event)) end(true);
    });
    field.addEventListener('blur', () => end(true));
    this.#inUse = true;
    link.replaceWith(field);
    field.focus();
    field.select();
  }

  /** Focus the chat that has taken the place of a deleted one. @param {number} at */
  #focusAt(at) {
    const session = this.#shown().at(at) ?? this.#shown().at(-1);
    const row = session && this.#rows.row(session.id);
    if (row) find(row, '[data-session-open]').focus();
  }

  /** Hide the chat now and delete it unless the user undoes it. @param {Session} session */
  #delete({ id }) {
    const leave = () => {
      this.#leaving.delete(id);
      this.#loaded.sessions = this.#loaded.sessions.filter((session) => session.id !== id);
      this.#api.delete(`/api/sessions/${id}`, { keepalive: true }).catch(toastError);
    };
    const at = this.#shown().findIndex((session) => session.id === id);
    this.#leaving.set(id, leave);
    this.#draw();
    if (id === this.#current) this.#go(null);
    else this.#focusAt(at);
    const undo = () => {
      this.#leaving.delete(id);
      this.#draw();
    };
    toast(t('session.deleted'), { action: t('app.undo'), run: undo, gone: leave });
  }
}

/** @param {Session[]} sessions @returns {Item[]} */
function withHeadings(sessions) {
  const now = new Date();
  /** @type {Map<string, Item[]>} */
  const groups = new Map();
  for (const session of sessions) {
    const heading = session.pinned ? t('date.pinned') : dateGroup(session.updated_at, now);
    const group = groups.get(heading) ?? [{ key: `heading ${heading}`, heading }];
    groups.set(heading, group);
    group.push({ key: session.id, session });
  }
  return [...groups.values()].flat();
}

/** @param {HTMLElement} row @param {boolean} current */
function markCurrent(row, current) {
  const link = row.querySelector('[data-session-open]');
  if (current) link?.setAttribute('aria-current', 'page');
  else link?.removeAttribute('aria-current');
}
