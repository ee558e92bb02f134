/**
 * One file: its facts and its passages in reading order.
 */
import { fromRoot } from '../core/address.js';
import { clone, fill, find, showText } from '../core/dom.js';
import { day, place } from '../core/format.js';
import { t } from '../core/i18n.js';
import { pageViewIn } from '../chat/pages-lazily.js';
import { passageNodes } from '../chat/passage.js';
import { canWrite } from '../core/permission.js';
import { confirm } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';
import { facts, leftOut } from './file-facts.js';
import { isUnrecognised, isWaiting, stateOf } from './file-state.js';
import { canSplitAgain } from './splitting.js';
import { canFetch, kept, showAddress } from './web-page.js';

/** @typedef {import('../types.js').Base} Base */
/** @typedef {import('../types.js').Chunk} Chunk */
/** @typedef {import('../types.js').Source} Source */
/** @typedef {import('../types.js').StoredFile} StoredFile */

const PAGE = 50;
const FOUND = ['ready', 'embedding', 'recognising'];

export class FileView {
  #root;
  #api;
  #changed;
  #back;
  /** @type {(() => void)|null} */ #from = null;
  /** @type {Base|null} */ #base = null;
  #id = '';
  /** @type {StoredFile|null} */ #file = null;
  /** @type {string|null} the cursor; null at the end */ #next = '';
  /** @type {Source|null} */ #at = null;
  #visit = 0;
  #pages;

  /**
   * @param {HTMLElement} root
   * @param {{api: import('../net/api.js').Api, back: () => void, changed: () => void}} deps
   */
  constructor(root, { api, back, changed }) {
    this.#root = root;
    this.#api = api;
    this.#back = back;
    this.#changed = changed;
    this.#pages = pageViewIn(root, find(root, '[data-file-text]'));
    const on = (/** @type {string} */ hook, /** @type {() => unknown} */ run) =>
      find(root, hook).addEventListener('click', () => void run());
    on('[data-file-back]', () => (this.#from ?? this.#back)());
    on('[data-chunks-more]', () => this.#more());
    on('[data-this-delete]', () => this.#delete());
    on('[data-this-retry]', () => this.#again('retry'));
    on('[data-this-fetch]', () => this.#again('fetch'));
  }

  /**
   * @param {Base} base
   * @param {string} id
   * @param {{at?: Source, from: (() => void)|null}} options at: the passage to go to; from: where
   *   Back leads
   */
  enter(base, id, { at, from }) {
    this.#visit += 1;
    this.#base = base;
    this.#id = id;
    this.#from = from;
    this.#file = null;
    this.#next = '';
    this.#at = at ?? null;
    this.#pages(null);
    find(this.#root, '[data-chunks]').replaceChildren();
    find(this.#root, '[data-this-name]').textContent = at?.name ?? '';
    find(this.#root, '[data-this-facts]').textContent = '';
    find(this.#root, '[data-this-address]').hidden = true;
    find(this.#root, '[data-this-fetch]').hidden = true;
    find(this.#root, '[data-chunks-more]').hidden = true;
    find(this.#root, '[data-this-download]').setAttribute(
      'href',
      fromRoot(`${this.#address()}/content`),
    );
    void this.refresh().then(() =>
      find(this.#root, '[data-this-name]').focus({ preventScroll: Boolean(at) }),
    );
  }

  /** Whether the page that is shown is being fetched again. */
  get busy() {
    return this.#file?.web_page?.again === 'fetching';
  }

  /** Read the file's state, and its first passages once there are any. */
  async refresh() {
    const visit = this.#visit;
    try {
      const file = await this.#api.get(this.#address());
      if (visit !== this.#visit) return;
      const replaced = this.#file?.md5 && file.md5 !== this.#file.md5;
      this.#file = file;
      this.#draw(file);
      if (replaced) {
        find(this.#root, '[data-chunks]').replaceChildren();
        this.#next = '';
      }
      if (this.#next === '' && FOUND.includes(file.status)) {
        this.#pages({ path: this.#address(), name: file.name, at: this.#at });
        await this.#more();
      }
    } catch (error) {
      if (visit !== this.#visit) return;
      toastError(error);
      this.#back();
    }
  }

  #address() {
    return `/api/knowledge/${this.#base?.id}/files/${this.#id}`;
  }

  /** @param {StoredFile} file */
  #draw(file) {
    const { text, bad } = stateOf(file);
    const readOnly = !canWrite(this.#base);
    find(this.#root, '[data-this-name]').textContent = file.name;
    find(this.#root, '[data-this-facts]').textContent = [
      facts(file, this.#base),
      day(file.created_at),
      bad || file.status === 'ready' ? '' : text,
    ]
      .filter(Boolean)
      .join(' · ');
    showText(
      find(this.#root, '[data-this-reason]'),
      bad ? text : kept(file) || leftOut(file),
    );
    showAddress(find(this.#root, '[data-this-address]'), file);
    find(this.#root, '[data-this-fetch]').hidden = readOnly || !canFetch(file);
    find(this.#root, '[data-this-retry]').hidden =
      readOnly ||
      !(
        bad ||
        isWaiting(file) ||
        isUnrecognised(file) ||
        canSplitAgain(file, this.#base)
      );
    find(this.#root, '[data-this-delete]').hidden = readOnly;
    find(this.#root, '[data-chunks-empty]').hidden = FOUND.includes(file.status) || bad;
  }

  /** Load the next passages, up to the one to show if there is one. */
  async #more() {
    const visit = this.#visit;
    const list = find(this.#root, '[data-chunks]');
    /** @type {HTMLElement|null} */
    let found = null;
    do {
      const cursor = this.#next && `&after=${encodeURIComponent(this.#next)}`;
      const page = await this.#api.get(`${this.#address()}/chunks?limit=${PAGE}${cursor}`);
      if (visit !== this.#visit) return;
      this.#next = page.next ?? null;
      for (const chunk of page.items) {
        const here =
          this.#at !== null && chunk.start <= this.#at.start && this.#at.start < chunk.end;
        const row = chunkRow(chunk, here ? this.#at : null);
        list.append(row);
        if (here) found ??= row;
      }
    } while (this.#at && !found && this.#next);
    this.#at = null;
    find(this.#root, '[data-chunks-more]').hidden = this.#next === null;
    (found?.querySelector('mark') ?? found)?.scrollIntoView({ block: 'center' });
  }

  async #delete() {
    if (
      !this.#file ||
      !(await confirm(
        t('knowledge.file.delete.ask', { name: this.#file.name }),
        t('knowledge.file.delete'),
      ))
    ) {
      return;
    }
    try {
      await this.#api.delete(this.#address());
      this.#back();
      this.#changed();
    } catch (error) {
      toastError(error);
    }
  }

  /** @param {'retry'|'fetch'} how */
  async #again(how) {
    try {
      this.#file = await this.#api.post(`${this.#address()}/${how}`);
      if (this.#file) this.#draw(this.#file);
      this.#changed();
    } catch (error) {
      toastError(error);
    }
  }
}

/** @param {Chunk} chunk @param {Source|null} at the search hit in this chunk */
function chunkRow(chunk, at) {
  const row = fill(clone('chunk'), { n: String(chunk.ordinal + 1), place: place(chunk) });
  row.toggleAttribute('data-found', at !== null);
  find(row, '[data-chunk-text]').replaceChildren(
    ...passageNodes(chunk.text, at?.quote ? [at.quote] : []),
  );
  return row;
}
