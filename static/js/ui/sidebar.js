/** The side bar: collapsible on wide screens, a drawer on narrow ones. */
import { delegate, find } from '../core/dom.js';
import { readStored, store } from '../core/storage.js';
import { closeOnBack } from './close-on-back.js';

/** Also matches a phone in landscape. */
const NARROW = '(max-width: 52rem), (max-width: 60rem) and (max-height: 31rem)';

export class Sidebar {
  #narrow = matchMedia(NARROW);
  #side = find(document, '[data-sidebar]');
  #scrim = find(document, '[data-scrim]');
  #main = find(document, 'main');
  #open = false;
  #endBack = () => {};

  constructor() {
    delegate(document, 'click', '[data-toggle-sidebar]', () => this.#set(!this.#open));
    delegate(
      this.#side,
      'click',
      '[data-find], [data-open-knowledge], [data-open-settings], [data-open-keys], [data-connect]',
      () => this.leave(),
    );
    this.#scrim.addEventListener('click', () => this.#set(false));
    this.#side.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.#narrow.matches) return;
      event.preventDefault();
      this.#set(false);
    });
    this.#narrow.addEventListener('change', () => this.#start());
    this.#start();
  }

  /** Close the drawer after a choice. */
  leave() {
    if (this.#narrow.matches) this.#set(false, true);
  }

  #start() {
    this.#set(!this.#narrow.matches && readStored('sidebar') !== false, true);
  }

  /** @param {boolean} open @param {boolean} [keepFocus] */
  #set(open, keepFocus = false) {
    this.#open = open;
    const drawer = this.#narrow.matches;
    document.body.dataset.sidebar = open ? 'open' : 'closed';
    this.#side.inert = !open;
    this.#scrim.hidden = !(open && drawer);
    this.#main.inert = open && drawer;
    this.#endBack();
    this.#endBack = open && drawer ? closeOnBack(() => this.#set(false)) : () => {};
    for (const button of document.querySelectorAll('[data-toggle-sidebar]')) {
      button.setAttribute('aria-expanded', String(open));
    }
    if (keepFocus) return;
    if (!drawer) store('sidebar', open);
    const target = open ? '[data-sidebar] [data-toggle-sidebar]' : '.topbar [data-toggle-sidebar]';
    find(document, target).focus();
  }
}
