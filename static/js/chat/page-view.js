/**
 * The pages of a PDF or picture as they look, with a passage marked, beside its text. Loaded when a
 * source or document is first opened.
 */
import { fromRoot } from '../core/address.js';
import { clone, find, findAs, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { readStored, store } from '../core/storage.js';
import { ApiError, refusal } from '../net/api.js';
import { quoteRange } from './quote.js';

/** @typedef {import('../types.js').Source} Source */
/** @typedef {'page'|'text'} Kind */
/** @typedef {{page: number, width: number, height: number, boxes: number[][]}} MarkedPage */
/** @typedef {{count: number, pages: MarkedPage[]}} Marks */
/** @typedef {{path: string, name: string, at: Source|null}} Shown path: of the file in the API */

const ZOOMS = [1, 1.5, 2, 3];
const ATTEMPTS = 5;
const RETRY_SECONDS = 3;
const STORED = 'sourceView';

export class PageView {
  #root;
  #text;
  #sheets;
  #note;
  /** @type {Shown|null} */ #shown = null;
  #count = 0;
  /** @type {number[]} */ #pages = [];
  /** @type {Map<number, {page: MarkedPage, kind: 'passage'|'quote'}[]>} */ #marks = new Map();
  #zoom = 0;
  #visit = 0;

  /**
   * @param {HTMLElement} root filled by this view
   * @param {HTMLElement} text shown instead of the pages where these are not wanted or not there
   */
  constructor(root, text) {
    this.#root = root;
    this.#text = text;
    root.replaceChildren(...clone('page-view').childNodes);
    this.#sheets = find(root, '[data-page-sheets]');
    this.#note = find(root, '[data-page-note]');
    const on = (/** @type {string} */ hook, /** @type {() => void} */ run) =>
      find(root, hook).addEventListener('click', run);
    for (const kind of /** @type {Kind[]} */ (['page', 'text'])) {
      on(`[data-view-kind="${kind}"]`, () => this.#choose(kind));
    }
    on('[data-page-previous]', () => this.#turn(this.#pages[0] - 1));
    on('[data-page-next]', () => this.#turn((this.#pages.at(-1) ?? 0) + 1));
    on('[data-zoom-out]', () => this.#scale(this.#zoom - 1));
    on('[data-zoom-in]', () => this.#scale(this.#zoom + 1));
    this.#sheets.addEventListener('keydown', (event) => this.#key(event));
  }

  /**
   * Show a file's pages at a passage, or its text where it has no pages.
   * @param {Shown|null} shown
   */
  async show(shown) {
    this.#visit += 1;
    const visit = this.#visit;
    this.#shown = shown;
    this.#count = 0;
    this.#marks = new Map();
    this.#pages = [];
    this.#sheets.replaceChildren();
    this.#display('text');
    this.#root.hidden = true;
    if (!shown) return;
    try {
      const { count } = await this.#ask('');
      if (visit !== this.#visit || !count) return;
      this.#count = count;
      this.#root.hidden = false;
      this.#display(readStored(STORED) === 'text' ? 'text' : 'page');
    } catch {
      // The file was deleted, or is not there for now: its text is shown.
    }
  }

  /** @param {Kind} kind */
  #choose(kind) {
    store(STORED, kind);
    this.#display(kind);
    if (kind === 'text') this.#text.querySelector('mark')?.scrollIntoView({ block: 'center' });
  }

  /** @param {Kind} kind */
  #display(kind) {
    this.#root.dataset.view = kind;
    this.#root.parentElement?.setAttribute('data-view', kind);
    for (const button of this.#root.querySelectorAll('[data-view-kind]')) {
      const pressed = button.getAttribute('data-view-kind') === kind;
      button.setAttribute('aria-pressed', String(pressed));
    }
    find(this.#root, '[data-page-tools]').hidden = kind === 'text';
    this.#sheets.hidden = kind === 'text';
    this.#text.hidden = kind === 'page';
    showText(this.#note, '');
    if (kind === 'text') return;
    if (this.#pages.length) this.#scrollToMark();
    else void this.#begin();
  }

  /** Show the first page of the passage at once, and its marks and other pages when they come. */
  async #begin() {
    const visit = this.#visit;
    const at = this.#shown?.at ?? null;
    const first = Math.min(at?.page ?? 1, this.#count);
    this.#turn(first);
    if (!at) return;
    try {
      const [passage, quote] = await Promise.all(
        rangesOf(at).map((range) => this.#ask(range && `?start=${range[0]}&end=${range[1]}`)),
      );
      if (visit !== this.#visit) return;
      for (const page of passage.pages) this.#mark(page, 'passage');
      for (const page of quote.pages) this.#mark(page, 'quote');
      const pages = passage.pages.map(({ page }) => page);
      const turned = this.#pages[0] !== first; // meanwhile, by hand
      this.#place(pages.length && !turned ? pages : this.#pages);
      const found = [...this.#marks.values()].flat().some(({ page }) => page.boxes.length);
      if (!found) showText(this.#note, t('pages.unmarked'));
    } catch (error) {
      if (visit === this.#visit) this.#fail(error);
    }
  }

  /** @param {MarkedPage} page @param {'passage'|'quote'} kind */
  #mark(page, kind) {
    this.#marks.set(page.page, [...(this.#marks.get(page.page) ?? []), { page, kind }]);
  }

  /** Go to a page. @param {number} page */
  #turn(page) {
    if (page < 1 || page > this.#count) return;
    showText(this.#note, '');
    this.#place([page]);
  }

  /** @param {number[]} pages */
  #place(pages) {
    const before = new Map(
      [...this.#sheets.children].map((sheet) => [sheet.getAttribute('data-page'), sheet]),
    );
    this.#pages = pages;
    this.#sheets.replaceChildren(
      ...pages.map((page) => before.get(String(page)) ?? this.#sheet(page)),
    );
    for (const page of pages) this.#drawMarks(page);
    const [first, last] = [pages[0], pages[pages.length - 1]];
    const page = first === last ? String(first) : `${first}–${last}`;
    find(this.#root, '[data-page-place]').textContent = t('pages.of', { page, count: this.#count });
    find(this.#root, '[data-page-numbers]').textContent = `${page} / ${this.#count}`;
    findAs(this.#root, '[data-page-previous]', HTMLButtonElement).disabled = first <= 1;
    findAs(this.#root, '[data-page-next]', HTMLButtonElement).disabled = last >= this.#count;
    this.#scale(this.#zoom);
  }

  /** @param {number} page */
  #sheet(page) {
    const sheet = clone('page-sheet');
    sheet.dataset.page = String(page);
    const image = findAs(sheet, 'img', HTMLImageElement);
    image.alt = t('pages.alt', { page, name: this.#shown?.name ?? '' });
    image.addEventListener('load', () => {
      delete sheet.dataset.loading;
      if (this.#sheets.contains(sheet)) this.#scrollToMark();
    });
    void this.#load(image, `${this.#shown?.path}/pages/${page}`);
    return sheet;
  }

  /**
   * Load an image, again while the server is busy.
   * @param {HTMLImageElement} image @param {string} path
   */
  async #load(image, path) {
    const visit = this.#visit;
    try {
      for (let attempt = 1; ; attempt += 1) {
        const loaded = new Promise((resolve) => {
          image.addEventListener('load', () => resolve(true), { once: true });
          image.addEventListener('error', () => resolve(false), { once: true });
        });
        image.src = fromRoot(path);
        if (await loaded) return;
        const wanted = () => visit === this.#visit && image.isConnected;
        if (wanted()) await this.#explain(path, attempt);
        if (!wanted()) return;
      }
    } catch (error) {
      if (visit === this.#visit && image.isConnected) this.#fail(error);
    }
  }

  /** Ask why an image failed: wait if it is worth another attempt, else throw the reason. */
  async #explain(/** @type {string} */ path, /** @type {number} */ attempt) {
    const response = await get(path);
    if (!response.ok) await pauseFor(await refusal(response), attempt);
    else if (attempt >= ATTEMPTS) throw new ApiError('unexpected', t('pages.broken'));
  }

  /** @param {string} query @returns {Promise<Marks>} */
  async #ask(query) {
    for (let attempt = 1; ; attempt += 1) {
      const response = await get(`${this.#shown?.path}/marks${query}`);
      if (response.ok) return response.json();
      await pauseFor(await refusal(response), attempt);
    }
  }

  /** Show the text instead, and why. @param {unknown} error */
  #fail(error) {
    this.#pages = [];
    this.#sheets.replaceChildren();
    this.#display('text');
    showText(this.#note, error instanceof Error ? error.message : String(error));
  }

  /** @param {number} page */
  #drawMarks(page) {
    const sheet = this.#sheets.querySelector(`[data-page="${page}"]`);
    if (!(sheet instanceof HTMLElement)) return;
    const list = find(sheet, '[data-page-marks]');
    const marks = this.#marks.get(page) ?? [];
    const { width = 0, height = 0 } = marks[0]?.page ?? {};
    if (height) sheet.style.aspectRatio = `${width} / ${height}`;
    list.replaceChildren(...marks.flatMap(({ page: { boxes }, kind }) => boxes.map(box(kind))));
    const first = list.querySelector('[data-mark="quote"]') ?? list.firstElementChild;
    list.hidden = !first;
    if (!(first instanceof HTMLElement)) return;
    first.tabIndex = 0;
    first.setAttribute('role', 'img');
    first.setAttribute('aria-label', t('pages.mark', { page }));
  }

  /** @param {number} zoom index of the zoom */
  #scale(zoom) {
    this.#zoom = Math.max(0, Math.min(zoom, ZOOMS.length - 1));
    this.#sheets.style.setProperty('--zoom', String(ZOOMS[this.#zoom]));
    findAs(this.#root, '[data-zoom-out]', HTMLButtonElement).disabled = this.#zoom === 0;
    findAs(this.#root, '[data-zoom-in]', HTMLButtonElement).disabled =
      this.#zoom === ZOOMS.length - 1;
    this.#scrollToMark();
  }

  #scrollToMark() {
    const mark =
      this.#sheets.querySelector('[data-mark="quote"]') ??
      this.#sheets.querySelector('[data-mark]');
    if (mark) mark.scrollIntoView({ block: 'center', inline: 'center' });
    else this.#sheets.scrollTop = 0;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { '+': 1, '=': 1, '-': -1 }[event.key];
    if (step) this.#scale(this.#zoom + step);
    else if (event.key === 'PageDown') this.#turn((this.#pages.at(-1) ?? 0) + 1);
    else if (event.key === 'PageUp') this.#turn(this.#pages[0] - 1);
    else return;
    event.preventDefault();
  }
}

/**
 * The ranges of a passage and of its quoted sentence in the document's text, in code points.
 * @param {Source} source @returns {([number, number]|'')[]}
 */
function rangesOf({ start, end, text, quote }) {
  const found = text && quote ? quoteRange(text, quote) : null;
  if (!text || !found) return [[start, end], ''];
  const [first, last] = found.map((at) => start + [...text.slice(0, at)].length);
  return [
    [start, end],
    [first, last],
  ];
}

/** @param {'passage'|'quote'} kind @returns {(box: number[]) => HTMLElement} */
const box = (kind) => ([left, top, width, height]) => {
  const mark = document.createElement('div');
  mark.dataset.mark = kind;
  const sides = Object.entries({ left, top, width, height });
  for (const [side, share] of sides) mark.style.setProperty(side, `${share * 100}%`);
  return mark;
};

/** @param {string} path @returns {Promise<Response>} */
const get = (path) =>
  fetch(fromRoot(path)).catch(() => {
    throw new ApiError('offline', t('net.unreachable'));
  });

/**
 * Wait before another attempt while the server is busy; else throw the error.
 * @param {ApiError} error @param {number} attempt
 */
async function pauseFor(error, attempt) {
  if (error.status !== 503 || attempt >= ATTEMPTS) throw error;
  const seconds = error.retryAfter ?? RETRY_SECONDS;
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
}
