/**
 * The palette: one field over chats, knowledge bases and actions. A combobox with a list box: the
 * focus stays in the field, `aria-activedescendant` names the option that Enter takes.
 *
 * @typedef {import('./matching.js').Mark} Mark
 * @typedef {{key: string, label: string, icon: string, marks?: Mark[], note?: string,
 *   noteMarks?: Mark[], aside?: string, keys?: string[], href?: string, run: () => void}} Option
 * @typedef {{name: string, options: Option[]}} Group
 */
import { fromRoot } from '../core/address.js';
import { betweenClicks, clone, delegate, find, findAs, isComposing } from '../core/dom.js';
import { moment } from '../core/format.js';
import { count, t } from '../core/i18n.js';
import { briefNote } from '../core/permission.js';
import { ChatSearch, MOST_CHATS } from './chat-search.js';
import { commands } from './commands.js';
import { keyCaps } from './keys.js';
import { beginsWith, marksIn, matches, parts, wordsOf } from './matching.js';

const MOST_RECENT = 6;
const MOST_BASES = 5;

export class Palette {
  #root;
  #deps;
  #field;
  #list;
  #search;
  /** @type {Option[]} */ #options = [];
  /** @type {string|null} the key of the option that Enter takes */ #active = null;
  /** The user has moved to an option: results that arrive do not take it away. */
  #moved = false;
  /** Enter was pressed before the chats were found. */
  #waits = false;

  /** @param {HTMLDialogElement} root @param {import('./open.js').Deps} deps */
  constructor(root, deps) {
    this.#root = root;
    this.#deps = deps;
    this.#field = findAs(root, '[data-find-field]', HTMLInputElement);
    this.#list = find(root, '[data-find-list]');
    const show = betweenClicks(this.#list);
    this.#search = new ChatSearch(deps.api.get, () => show(() => this.#arrived()));
    this.#field.addEventListener('input', (event) => {
      if (!(event instanceof InputEvent && event.isComposing)) this.#typed();
    });
    this.#field.addEventListener('compositionend', () => this.#typed());
    this.#field.addEventListener('keydown', (event) => this.#key(event));
    find(root, '[data-find-again]').addEventListener('click', () => {
      this.#field.focus();
      this.#typed();
    });
    delegate(this.#list, 'click', '[data-option]', (option, event) =>
      this.#clicked(option, /** @type {MouseEvent} */ (event)),
    );
    delegate(this.#list, 'pointermove', '[data-option]', (option) => {
      this.#moved = true;
      this.#mark(option.dataset.option ?? null);
    });
    root.addEventListener('close', () => {
      this.#field.value = '';
      this.#search.clear();
    });
  }

  /** The dialog has been opened; something may have been typed already. */
  enter() {
    this.#typed();
  }

  get #query() {
    return this.#field.value.trim();
  }

  #typed() {
    this.#moved = false;
    this.#waits = false;
    this.#search.ask(this.#query);
    this.#draw();
    this.#list.scrollTop = 0;
  }

  #arrived() {
    this.#draw();
    if (this.#waits) this.#take();
  }

  #draw() {
    const groups = this.#query ? this.#found() : this.#offered();
    this.#options = groups.flatMap(({ options }) => options);
    this.#list.replaceChildren(...groups.map((group, n) => groupElement(group, n)));
    const kept = this.#moved && this.#options.some(({ key }) => key === this.#active);
    this.#mark(kept ? this.#active : (this.#options[0]?.key ?? null));
    this.#say();
  }

  /** @returns {Group[]} for an empty field */
  #offered() {
    const chats = this.#deps.recent(MOST_RECENT).map((session) => ({
      ...this.#chat(session, null),
      aside: moment(session.updated_at, new Date()),
    }));
    return present([
      { name: t('find.recent'), options: chats },
      { name: t('find.actions'), options: commands(this.#deps.current()) },
    ]);
  }

  /** @returns {Group[]} */
  #found() {
    const words = wordsOf(this.#query);
    const actions = commands(this.#deps.current())
      .filter(({ label }) => matches(label, words))
      .map((command) => ({ ...command, marks: marksIn(command.label, words) }));
    const named = actions.filter(({ label }) => beginsWith(label, words));
    const { chats } = this.#search.state;
    return present([
      { name: t('find.actions'), options: named },
      {
        name: t('sidebar.chats'),
        options: chats.slice(0, MOST_CHATS).map((found) => ({
          ...this.#chat(found, found.message_id),
          marks: found.title_marks,
          aside: moment(found.updated_at, new Date()),
          ...(found.message_id && { note: found.snippet, noteMarks: found.snippet_marks }),
        })),
      },
      { name: t('knowledge.title'), options: this.#bases(words) },
      {
        name: t('find.actions.more'),
        options: actions.filter((action) => !named.includes(action)),
      },
    ]);
  }

  /** @param {import('../types.js').Session} session @param {string|null} message */
  #chat({ id, title }, message) {
    return {
      key: `chat ${id}`,
      label: title || t('session.untitled'),
      icon: 'chat',
      href: fromRoot(`/c/${id}${message ? `#${message}` : ''}`),
      run: () => this.#deps.goTo(id, message),
    };
  }

  /** @param {string[]} words @returns {Option[]} */
  #bases(words) {
    return this.#deps
      .bases()
      .filter(({ name, description = '' }) => matches(`${name} ${description}`, words))
      .slice(0, MOST_BASES)
      .map((base) => ({
        key: `base ${base.id}`,
        label: base.name,
        marks: marksIn(base.name, words),
        icon: 'book',
        aside: briefNote(base),
        run: () => this.#deps.openBase(base.id),
      }));
  }

  /** Show and announce what was found, or why nothing is shown. */
  #say() {
    const { busy, error, chats } = this.#search.state;
    const query = this.#query;
    const shown = this.#options.length;
    const searching = Boolean(query) && busy;
    let text = '';
    if (error) text = t('find.failed', { reason: error.message });
    else if (searching && !shown) text = t('find.searching');
    else if (query && !busy && !shown) text = t('find.nothing', { query });
    else if (query && !busy && chats.length > MOST_CHATS) text = count('find.most', MOST_CHATS);
    const note = find(this.#root, '[data-find-note]');
    if (note.textContent !== text) note.textContent = text;
    find(this.#root, '[data-find-foot-note]').hidden = !text;
    find(this.#root, '[data-find-again]').hidden = !error;
    this.#list.hidden = !shown;
    this.#field.setAttribute('aria-expanded', String(shown > 0));
    this.#root.dataset.findState = error ? 'failed' : searching ? 'searching' : 'found';
    if (!searching) {
      find(this.#root, '[data-find-count]').textContent =
        query && shown ? count('find.count', shown) : '';
    }
  }

  /** @param {string|null} key */
  #mark(key) {
    this.#active = key;
    for (const option of this.#list.querySelectorAll('[data-option]')) {
      const active = option instanceof HTMLElement && option.dataset.option === key;
      option.setAttribute('aria-selected', String(active));
      if (active) this.#field.setAttribute('aria-activedescendant', option.id);
    }
    if (key === null) this.#field.removeAttribute('aria-activedescendant');
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (isComposing(event)) return;
    const at = this.#options.findIndex(({ key }) => key === this.#active);
    const last = this.#options.length - 1;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowDown: at < last ? at + 1 : 0,
      ArrowUp: at > 0 ? at - 1 : last,
      PageDown: Math.min(at + 5, last),
      PageUp: Math.max(at - 5, 0),
    };
    if (event.key === 'Enter') {
      event.preventDefault();
      this.#enter(event.ctrlKey || event.metaKey);
    } else if (event.key in targets && last >= 0) {
      event.preventDefault();
      this.#moved = true;
      this.#mark(this.#options[targets[event.key]].key);
      this.#list.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
    }
  }

  /** @param {boolean} apart in a tab of its own */
  #enter(apart) {
    const href = this.#options.find(({ key }) => key === this.#active)?.href;
    if (apart && href) window.open(href, '_blank', 'noopener');
    else if (this.#search.state.busy && !this.#moved) this.#waits = true;
    else this.#take();
  }

  /** Do what the active option says. */
  #take() {
    this.#waits = false;
    const option = this.#options.find(({ key }) => key === this.#active);
    if (!option) return;
    this.#root.close();
    option.run();
  }

  /** @param {HTMLElement} option @param {MouseEvent} event */
  #clicked(option, event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.#mark(option.dataset.option ?? null);
    this.#take();
  }
}

/** @param {Group[]} groups @returns {Group[]} those that are not empty */
const present = (groups) => groups.filter(({ options }) => options.length);

/** @param {Group} group @param {number} number @returns {HTMLElement} */
function groupElement({ name, options }, number) {
  const element = clone('find-group');
  const heading = find(element, '[data-find-heading]');
  heading.textContent = name;
  heading.id = `find-group-${number}`;
  element.setAttribute('aria-labelledby', heading.id);
  element.append(...options.map((option, n) => optionElement(option, `find-${number}-${n}`)));
  return element;
}

/** @param {Option} option @param {string} id @returns {HTMLElement} */
function optionElement({ key, label, marks = [], note, noteMarks = [], aside, keys, ...rest }, id) {
  const element = clone('find-option');
  element.id = id;
  element.dataset.option = key;
  if (rest.href) element.setAttribute('href', rest.href);
  element.querySelector('use')?.setAttribute('href', `#i-${rest.icon}`);
  find(element, '[data-find-label]').append(...marked(label, marks));
  const lower = find(element, '[data-find-snippet]');
  lower.hidden = !note;
  if (note) lower.append(...marked(note, noteMarks));
  const side = find(element, '[data-find-aside]');
  if (keys) side.append(keyCaps(keys));
  else if (aside) side.textContent = aside;
  else side.hidden = true;
  return element;
}

/** @param {string} text @param {Mark[]} marks @returns {(HTMLElement|Text)[]} */
const marked = (text, marks) =>
  parts(text, marks).map((part) => {
    if (!part.marked) return document.createTextNode(part.text);
    const element = document.createElement('mark');
    element.textContent = part.text;
    return element;
  });
