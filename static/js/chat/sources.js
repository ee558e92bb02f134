/**
 * The sources of an answer: the list below it, and the panel that shows a passage at the quoted
 * sentence.
 */
import { fromRoot, webAddress } from '../core/address.js';
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { fileName, place } from '../core/format.js';
import { count, t } from '../core/i18n.js';
import { loadStyle, once } from '../core/lazy.js';
import { pageViewIn } from './pages-lazily.js';
import { closeOnBack } from '../ui/close-on-back.js';
import { passageNodes } from './passage.js';
import { quotesFor } from './quote.js';

/** @typedef {import('../types.js').Message} Message */
/** @typedef {import('../types.js').Source} Source */

/**
 * Fill the list below an answer: cited sources, then the rest on request.
 * @param {HTMLElement} root
 * @param {Message} message
 */
export function showSources(root, message) {
  const sources = message.sources ?? [];
  const cited = citedBy(message);
  const list = find(root, '[data-source-list]');
  const shown = sources.filter((source) => cited.has(source.n));
  const rest = sources.filter((source) => !cited.has(source.n));
  const more = find(root, '[data-sources-more]');
  find(root, '[data-sources]').hidden = !sources.length;
  find(root, '[data-sources-title]').textContent = shown.length
    ? t('sources.title')
    : t('sources.uncited');
  list.replaceChildren(...shown.map(item));
  showText(
    more,
    rest.length ? count(shown.length ? 'sources.more' : 'sources.show', rest.length) : '',
  );
  more.onclick = () => {
    more.hidden = true;
    list.append(...rest.map(item));
  };
}

/**
 * Citations checked by the server, or those in the text of a broken-off answer.
 * @param {Message} message
 */
function citedBy({ citations, content }) {
  if (citations?.length) return new Set(citations);
  return new Set([...content.matchAll(/\[(\d{1,3})\]/g)].map((match) => Number(match[1])));
}

/** @param {Source} source */
function item(source) {
  const element = fill(clone('source'), {
    n: String(source.n),
    name: fileName(source.name),
    place: place(source, { brief: true }),
  });
  find(element, '[data-source]').dataset.source = String(source.n);
  return element;
}

/** The panel beside the thread. */
export class SourcePanel {
  #root = find(document, '[data-source-panel]');
  /** @type {Source[]} */ #sources = [];
  #answer = '';
  #at = 0;
  /** @type {HTMLElement|null} */ #opener = null;
  #endBack = () => {};
  #pages = pageViewIn(this.#root, find(this.#root, '[data-source-text]'));

  /** @param {(source: Source) => void} show shows a passage in its document */
  constructor(show) {
    const on = (/** @type {string} */ hook, /** @type {() => void} */ run) =>
      find(this.#root, hook).addEventListener('click', run);
    on('[data-source-close]', () => this.close());
    on('[data-source-in-document]', () => this.#sources[this.#at] && show(this.#sources[this.#at]));
    on('[data-source-previous]', () => this.#show(this.#at - 1));
    on('[data-source-next]', () => this.#show(this.#at + 1));
    this.#root.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      this.close();
    });
  }

  /**
   * @param {Message|null} message the answer
   * @param {number} n
   * @param {HTMLElement} opener focused again on close
   */
  open(message, n, opener) {
    const sources = message?.sources ?? [];
    const at = sources.findIndex((source) => source.n === n);
    if (at < 0) return;
    this.#sources = sources;
    this.#answer = message?.content ?? '';
    this.#opener = opener;
    if (this.#root.hidden) this.#endBack = closeOnBack(() => this.close());
    this.#root.hidden = false;
    document.body.dataset.source = 'open';
    this.#show(at);
    this.#root.focus({ preventScroll: true });
  }

  close() {
    if (this.#root.hidden) return;
    this.#root.hidden = true;
    this.#pages(null);
    this.#endBack();
    delete document.body.dataset.source;
    for (const chip of document.querySelectorAll('[data-current]')) {
      chip.removeAttribute('data-current');
    }
    if (this.#opener?.isConnected) this.#opener.focus({ preventScroll: true });
  }

  /** @param {number} at */
  #show(at) {
    const source = this.#sources[at];
    if (!source) return;
    this.#at = at;
    const root = this.#root;
    const path = `/api/knowledge/${source.knowledge_base_id}/files/${source.file_id}`;
    root.dataset.sourcePanel = String(source.n);
    find(root, '[data-source-number]').textContent = String(source.n);
    find(root, '[data-source-name]').textContent = fileName(source.name);
    showText(find(root, '[data-source-place]'), place(source));
    find(root, '[data-source-text]').replaceChildren(...passage(source, this.#answer));
    const original = find(root, '[data-source-original]');
    original.hidden = !source.knowledge_base_id;
    find(root, '[data-source-in-document]').hidden = original.hidden;
    original.setAttribute(
      'href',
      fromRoot(`${path}/content`),
    );
    this.#pages(
      source.knowledge_base_id ? { path, name: fileName(source.name), at: source } : null,
    );
    const address = webAddress(source.url);
    const page = find(root, '[data-source-page]');
    page.hidden = !address;
    page.setAttribute('href', address ?? '');
    page.title = address ?? '';
    find(root, '[data-source-count]').textContent = `${at + 1} / ${this.#sources.length}`;
    findAs(root, '[data-source-previous]', HTMLButtonElement).disabled = at === 0;
    findAs(root, '[data-source-next]', HTMLButtonElement).disabled =
      at === this.#sources.length - 1;
    root.querySelector('mark')?.scrollIntoView({ block: 'center' });
    this.#markChips(source.n);
  }

  /** @param {number} n */
  #markChips(n) {
    const article = this.#opener?.closest('[data-message]');
    for (const chip of document.querySelectorAll('[data-current]')) {
      chip.removeAttribute('data-current');
    }
    for (const chip of article?.querySelectorAll(`.cite[data-n="${n}"], [data-source="${n}"]`) ??
      []) {
      chip.setAttribute('data-current', '');
    }
  }
}

/**
 * The passage, with the sentence that the server names and all literal quotes marked.
 * @param {Source} source
 * @param {string} answer
 */
function passage(source, answer) {
  return passageNodes(source.text ?? source.quote ?? '', [
    source.quote ?? '',
    ...quotesFor(answer, source.n),
  ]);
}

/**
 * @param {HTMLElement} thread
 * @param {(element: HTMLElement) => Message|null} messageOf
 * @param {(source: Source) => void} show
 */
export function mountSources(thread, messageOf, show) {
  const panel = new SourcePanel(show);
  delegate(thread, 'click', '.cite, [data-source]', (button) => {
    const n = Number(button.dataset.n ?? button.dataset.source);
    panel.open(messageOf(button), n, button);
  });
  const card = once(async () => {
    const [{ CitationCard }] = await Promise.all([
      import('./citation-card.js'),
      loadStyle('citation-card'),
    ]);
    return new CitationCard();
  });
  for (const type of ['pointerover', 'focusin']) {
    delegate(thread, type, '.cite', (chip, event) => {
      card().then(
        (shown) => shown.enter(chip, messageOf(chip), event),
        () => {}, // the panel shows the same
      );
    });
  }
  return panel;
}
