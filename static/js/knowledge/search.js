/** Search a base: the passages found for a question, with their scores. */
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { place, score as format } from '../core/format.js';
import { count, t } from '../core/i18n.js';
import { passageNodes } from '../chat/passage.js';

/** @typedef {import('../types.js').Base} Base */
/** @typedef {import('../types.js').Source} Source */

export class Search {
  #root;
  #api;
  #query;
  #k;
  /** @type {Base|null} */ #base = null;
  /** @type {Source[]} */ #found = [];
  #asked = 0;

  /**
   * @param {HTMLElement} root
   * @param {{api: import('../net/api.js').Api, open: (file: string, at: Source) => void}} deps
   */
  constructor(root, { api, open }) {
    this.#root = root;
    this.#api = api;
    this.#query = findAs(root, '[data-search-query]', HTMLInputElement);
    this.#k = findAs(root, '[data-search-k]', HTMLSelectElement);
    find(root, '[data-search-form]').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#search();
    });
    this.#k.addEventListener('change', () => this.#found.length && void this.#search());
    delegate(root, 'click', '[data-hit-open]', (button) => {
      const passage = this.#found.find(
        (one) => String(one.n) === button.closest('[data-hit]')?.getAttribute('data-hit'),
      );
      if (passage) open(passage.file_id, passage);
    });
    delegate(root, 'click', '[data-hit-more]', (button) => {
      button.closest('[data-hit]')?.toggleAttribute('data-open');
      const open = button.closest('[data-hit]')?.hasAttribute('data-open') ?? false;
      button.setAttribute('aria-expanded', String(open));
      button.textContent = t(open ? 'knowledge.search.less' : 'knowledge.search.more');
    });
  }

  /** @param {Base} base */
  enter(base) {
    if (base.id === this.#base?.id) return;
    this.#base = base;
    this.#asked += 1;
    this.#show([], t('knowledge.search.lead'), '');
  }

  async #search() {
    const query = this.#query.value.trim();
    if (!query || !this.#base) return this.#query.focus();
    this.#asked += 1;
    const asked = this.#asked;
    this.#root.ariaBusy = 'true';
    find(this.#root, '[data-search-note]').textContent = t('phase.searching');
    try {
      const { items } = await this.#api.post(`/api/knowledge/${this.#base.id}/search`, {
        query,
        k: Number(this.#k.value),
      });
      if (asked !== this.#asked) return;
      this.#show(
        items,
        items.length
          ? count('knowledge.search.found', items.length)
          : t('knowledge.search.nothing'),
        items.length ? '' : 'nothing',
      );
    } catch (error) {
      if (asked === this.#asked) {
        this.#show([], error instanceof Error ? error.message : String(error), 'failed');
      }
    }
    this.#root.ariaBusy = 'false';
  }

  /** @param {Source[]} items @param {string} note @param {string} kind */
  #show(items, note, kind) {
    const element = find(this.#root, '[data-search-note]');
    this.#found = items;
    showText(element, note);
    element.dataset.searchNote = kind;
    const best = Math.max(...items.map((item) => item.score ?? 0), Number.MIN_VALUE);
    const list = find(this.#root, '[data-hits]');
    const meaning = items.some((item) => typeof item.by?.vectors === 'number');
    list.replaceChildren(...items.map((item) => foundRow(item, best, meaning)));
    for (const row of list.children) {
      const text = find(row, '[data-hit-text]');
      const clipped = text.scrollHeight > text.clientHeight + 1;
      row.toggleAttribute('data-clipped', clipped);
      find(row, '[data-hit-more]').hidden = !clipped;
    }
  }
}

/**
 * @param {Source} passage
 * @param {number} best the highest score
 * @param {boolean} meaning whether any was found by vectors
 */
function foundRow(passage, best, meaning) {
  const { n, name, score = 0, by } = passage;
  const row = fill(clone('hit'), {
    n: String(n),
    name,
    place: place(passage),
    score: format(score),
  });
  row.dataset.hit = String(n);
  find(row, '[data-score-bar]').style.inlineSize =
    `${Math.round(Math.max(0, Math.min(1, score / best)) * 100)}%`;
  showBy(
    find(row, '[data-by-words]'),
    by?.words,
    (share) => t('knowledge.search.by_words', { score: share }),
    t('knowledge.search.by_words.not'),
  );
  showBy(
    find(row, '[data-by-vectors]'),
    meaning ? by?.vectors : undefined,
    (share) => t('knowledge.search.by_vectors', { score: share }),
    t('knowledge.search.by_vectors.not'),
  );
  showBy(
    find(row, '[data-by-rerank]'),
    by?.rerank,
    (share) => t('knowledge.search.by_rerank', { score: share }),
    t('knowledge.search.by_rerank.not'),
  );
  find(row, '[data-hit-text]').replaceChildren(
    ...passageNodes(passage.text ?? passage.quote ?? '', [passage.quote ?? '']),
  );
  return row;
}

/**
 * @param {HTMLElement} element
 * @param {number|null|undefined} share null: not found by it; undefined: unknown
 * @param {(share: string) => string} words @param {string} otherwise
 */
function showBy(element, share, words, otherwise) {
  element.hidden = share === undefined;
  element.toggleAttribute('data-not', share === null);
  element.textContent = typeof share === 'number' ? words(format(share)) : otherwise;
}
