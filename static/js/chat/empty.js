/**
 * The page of a chat without messages. Before there are documents: what the product does, and
 * questions to the manual. After that: questions about the user's own documents, and the knowledge
 * bases that were used last.
 */
import { clone, delegate, fill, find } from '../core/dom.js';
import { Rows } from '../ui/rows.js';
import { toastError } from '../ui/toast.js';
import { recentBases, withDocuments } from './recent-bases.js';

/** @typedef {{question: string, knowledge_base_id: string, name: string}} Suggestion */
/** @typedef {import('../types.js').Base} Base */

const BASES = 4;
/** The chats that say which bases were used last. */
const CHATS = 30;

export class EmptyPage {
  #root;
  #deps;
  #bases;
  /** What the suggestions are about; they are read anew when it changes. */ #about = '';
  #reading = false;
  /** @type {Suggestion[]} */ #suggestions = [];

  /**
   * @param {HTMLElement} root
   * @param {{api: import('../net/api.js').Api, library: import('./library.js').Library,
   *   sessions: Pick<import('../sessions/list.js').SessionList, 'recent'>, mayConnect: boolean,
   *   ask: (text: string) => void}} deps
   */
  constructor(root, deps) {
    this.#root = root;
    this.#deps = deps;
    this.#bases = new Rows(find(root, '[data-recent-bases]'), {
      key: (/** @type {Base} */ { id }) => id,
      make: () => clone('recent-base'),
      update: (row, base) => this.#updateBase(row, base),
    });
    delegate(root, 'click', '[data-suggestion]', (button) => void this.#ask(button));
    delegate(root, 'click', '[data-recent-base]', (button) =>
      this.#choose(button.dataset.recentBase ?? null).catch(toastError),
    );
    const { bases, choice, models } = deps.library;
    for (const value of [bases, choice, models]) value.subscribe(() => this.#draw());
  }

  /** @param {boolean} shown */
  show(shown) {
    const appears = shown && this.#root.hidden;
    this.#root.hidden = !shown;
    if (appears) this.#draw();
  }

  #draw() {
    if (this.#root.hidden) return;
    const { library, mayConnect } = this.#deps;
    const root = this.#root;
    const own = withDocuments(library.bases.get());
    const connected = library.models.get().some((model) => !model.builtin);
    find(root, '[data-empty-connect]').hidden = !mayConnect || connected;
    find(root, '[data-empty-add]').classList.toggle('button-primary', !own.length);
    find(root, '[data-recent-bases]').hidden = !own.length;
    this.#bases.show(
      recentBases(library.bases.get(), this.#deps.sessions.recent(CHATS), BASES),
    );
    void this.#load(own);
    this.#drawSuggestions();
  }

  #drawSuggestions() {
    const { library } = this.#deps;
    const own = withDocuments(library.bases.get()).length > 0;
    const about = own && (this.#suggestions.length > 0 || this.#reading);
    find(this.#root, '[data-own-suggestions]').hidden = !about;
    const chosen = library.base(library.choice.get().base);
    find(this.#root, '[data-suggestions]').hidden = about || !chosen?.bundled;
  }

  /** Read suggestions about the chosen base, or about all. @param {Base[]} own */
  async #load(own) {
    const { base } = this.#deps.library.choice.get();
    const chosen = own.find(({ id }) => id === base);
    const about = [chosen?.id ?? '', ...own.map(({ id, chunks }) => `${id}:${chunks}`)].join(' ');
    if (about === this.#about) return;
    this.#about = about;
    this.#reading = own.length > 0;
    this.#drawSuggestions();
    const query = chosen ? `?knowledge_base_id=${chosen.id}` : '';
    const items = own.length
      ? await this.#deps.api.get(`/api/suggestions${query}`).then(
          (answer) => answer.items,
          () => [], // the page is complete without them
        )
      : [];
    if (about !== this.#about) return;
    this.#reading = false;
    this.#suggestions = items;
    find(this.#root, '[data-own-list]').replaceChildren(...items.map(suggestionElement));
    this.#drawSuggestions();
  }

  /** @param {HTMLElement} button */
  async #ask(button) {
    const { suggestion: base } = button.dataset;
    try {
      if (base) await this.#choose(base);
      this.#deps.ask(find(button, 'span').textContent?.trim() ?? '');
    } catch (error) {
      toastError(error);
    }
  }

  /** @param {string|null} base */
  async #choose(base) {
    const { library } = this.#deps;
    if (base !== library.choice.get().base) await library.chooseBase(base);
  }

  /** @param {HTMLElement} row @param {Base} base */
  #updateBase(row, base) {
    fill(row, { name: base.name });
    row.dataset.recentBase = base.id;
    row.title = base.name;
    row.setAttribute('aria-pressed', String(this.#deps.library.choice.get().base === base.id));
  }
}

/** @param {Suggestion} suggestion */
function suggestionElement({ question, knowledge_base_id: base, name }) {
  const element = fill(clone('suggestion'), { question, name });
  element.dataset.suggestion = base;
  return element;
}
