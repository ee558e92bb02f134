/**
 * The file list of one base: paging, filter, retry, delete. Rows are kept while states change.
 */
import { fromRoot } from '../core/address.js';
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { count, currentLanguage, t } from '../core/i18n.js';
import { canWrite } from '../core/permission.js';
import { confirm } from '../ui/dialog.js';
import { Rows } from '../ui/rows.js';
import { announce } from '../ui/announce.js';
import { toastError } from '../ui/toast.js';
import { facts } from './file-facts.js';
import { isUnrecognised, isWaiting, stateOf } from './file-state.js';
import { canSplitAgain } from './splitting.js';
import { canFetch, kept, showAddress } from './web-page.js';

/** @typedef {import('../types.js').Base} Base */
/** @typedef {import('../types.js').StoredFile} StoredFile */

const PAGE = 100;
const PAGE_MOST = 1000;

export class Files {
  #root;
  #api;
  #changed;
  #rows;
  #words;
  #onlyFailed;
  /** @type {Base|null} */ #base = null;
  /** @type {StoredFile[]} */ #files = [];
  /** @type {string|null} */ #next = null;
  #shown = PAGE;
  #visit = 0;
  #loaded = false;
  /** @type {Promise<void>|null} */ #rest = null;

  /**
   * @param {HTMLElement} root
   * @param {{api: import('../net/api.js').Api, open: (id: string) => void, changed: () => void}}
   *   deps changed: called when the base must be loaded again
   */
  constructor(root, { api, open, changed }) {
    this.#root = root;
    this.#api = api;
    this.#changed = changed;
    this.#words = findAs(root, '[data-file-filter]', HTMLInputElement);
    this.#onlyFailed = find(root, '[data-only-failed]');
    this.#rows = new Rows(find(root, '[data-files]'), {
      key: (file) => file.id,
      make: (file) => this.#make(file),
      update: (row, file) => update(row, file, this.#base),
    });
    delegate(root, 'click', '[data-file-open]', (button) => open(idOf(button)));
    delegate(root, 'click', '[data-file-delete]', (button) => void this.#delete(idOf(button)));
    delegate(root, 'click', '[data-file-retry]', (button) => void this.#retry([idOf(button)]));
    delegate(root, 'click', '[data-file-fetch]', (button) =>
      void this.#retry([idOf(button)], 'fetch'));
    find(root, '[data-retry-failed]').addEventListener('click', () => void this.#retryFailed());
    find(root, '[data-files-more]').addEventListener('click', () => void this.#more());
    this.#words.addEventListener('input', () => this.#filter());
    this.#onlyFailed.addEventListener('click', () => {
      this.#onlyFailed.setAttribute('aria-pressed', String(!this.#failedOnly));
      this.#filter();
    });
  }

  get #failedOnly() {
    return this.#onlyFailed.getAttribute('aria-pressed') === 'true';
  }

  get #filtering() {
    return this.#failedOnly || this.#words.value.trim() !== '';
  }

  /** Whether the server is still processing a file. */
  get busy() {
    return this.#files.some(
      ({ status, web_page: page }) =>
        (status !== 'ready' && status !== 'failed') || page?.again === 'fetching',
    );
  }

  /** Show a base; the same base only updates its numbers. @param {Base} base */
  enter(base) {
    const same = base.id === this.#base?.id;
    const splitting = same && base.splitting !== this.#base?.splitting;
    this.#base = base;
    if (splitting) this.#draw();
    if (same) return;
    this.#visit += 1;
    this.#files = [];
    this.#next = null;
    this.#shown = PAGE;
    this.#loaded = false;
    this.#rest = null;
    this.#words.value = '';
    this.#onlyFailed.setAttribute('aria-pressed', 'false');
    this.#draw();
  }

  /** Load the loaded files again. */
  async refresh() {
    const visit = this.#visit;
    if (!this.#base) return;
    try {
      /** @type {StoredFile[]} */
      const fresh = [];
      let next = '';
      do {
        const page = await this.#page(
          next,
          Math.max(PAGE, Math.min(PAGE_MOST, this.#files.length - fresh.length)),
        );
        if (visit !== this.#visit) return;
        fresh.push(...page.items);
        next = page.next ?? '';
      } while (next && fresh.length < this.#files.length);
      this.#files = fresh;
      this.#next = next || null;
      this.#loaded = true;
      this.#draw();
    } catch (error) {
      if (visit === this.#visit && !this.#loaded) toastError(error);
    }
  }

  /** @param {string} after @param {number} limit */
  #page(after, limit) {
    const cursor = after && `&after=${encodeURIComponent(after)}`;
    return this.#api.get(`/api/knowledge/${this.#base?.id}/files?limit=${limit}${cursor}`);
  }

  async #more() {
    const before = this.#matching().length;
    this.#shown += PAGE;
    if (this.#next && this.#files.length < this.#shown && !this.#filtering) {
      await this.#read(PAGE).catch(toastError);
    }
    this.#draw();
    const first = this.#rows.row(this.#matching()[Math.min(before, this.#shown - PAGE)]?.id ?? '');
    if (first) find(first, '[data-file-open]').focus();
  }

  /** @param {number} limit */
  async #read(limit) {
    const visit = this.#visit;
    const page = await this.#page(this.#next ?? '', limit);
    if (visit !== this.#visit) return;
    const known = new Set(this.#files.map((file) => file.id));
    this.#files.push(...page.items.filter((/** @type {StoredFile} */ file) => !known.has(file.id)));
    this.#next = page.next ?? null;
  }

  /** A filter applies to all files, so load them all. */
  #filter() {
    this.#shown = PAGE;
    this.#draw();
    if (this.#filtering) void this.#readAll().catch(toastError);
  }

  async #readAll() {
    const visit = this.#visit;
    this.#rest ??= (async () => {
      while (this.#next && visit === this.#visit) {
        await this.#read(PAGE_MOST);
        this.#draw();
      }
    })().finally(() => {
      this.#rest = null;
    });
    await this.#rest;
  }

  #matching() {
    const words = this.#words.value.trim().toLocaleLowerCase().split(/\s+/);
    return this.#files.filter((file) => {
      const name = file.name.toLocaleLowerCase();
      return (
        (!this.#failedOnly || file.status === 'failed') &&
        words.every((word) => name.includes(word))
      );
    });
  }

  #draw() {
    const matching = this.#matching();
    const base = this.#base;
    const total = Math.max(base?.files ?? 0, this.#files.length);
    const failed = this.#files.some((file) => file.status === 'failed');
    this.#rows.show(matching.slice(0, this.#shown));
    find(this.#root, '[data-files-tools]').hidden = total < 2 && !failed;
    this.#onlyFailed.hidden = !failed && !this.#failedOnly && !base?.failed;
    find(this.#root, '[data-retry-failed]').hidden =
      !this.#failedOnly || !matching.length || !canWrite(base);
    find(this.#root, '[data-files-empty]').hidden = !this.#loaded || total > 0;
    const partly = this.#filtering || matching.length > this.#shown || this.#next !== null;
    const looking = this.#filtering && this.#next !== null;
    showText(
      find(this.#root, '[data-files-note]'),
      !partly || !this.#loaded
        ? ''
        : looking
          ? t('knowledge.filter.looking', {
              read: number(this.#files.length),
              total: number(total),
            })
          : this.#filtering
            ? count('knowledge.filter.found', matching.length)
            : t('knowledge.files.shown', {
                shown: number(Math.min(this.#shown, matching.length)),
                total: number(total),
              }),
    );
    find(this.#root, '[data-files-more]').hidden = !(
      matching.length > this.#shown ||
      (this.#next !== null && !this.#filtering)
    );
    this.#root.ariaBusy = String(!this.#loaded);
  }

  /** @param {StoredFile} file */
  #make(file) {
    const row = fill(clone('file'), { name: file.name });
    row.dataset.file = file.id;
    find(row, '[data-file-download]').setAttribute(
      'href',
      fromRoot(`/api/knowledge/${this.#base?.id}/files/${file.id}/content`),
    );
    for (const [hook, key] of Object.entries(LABELS)) {
      find(row, hook).setAttribute('aria-label', t(key, { name: file.name }));
    }
    find(row, '[data-progress]').setAttribute('aria-label', file.name);
    return row;
  }

  /** @param {string} id */
  async #delete(id) {
    const file = this.#files.find((one) => one.id === id);
    if (
      !file ||
      !(await confirm(
        t('knowledge.file.delete.ask', { name: file.name }),
        t('knowledge.file.delete'),
      ))
    ) {
      return;
    }
    try {
      await this.#api.delete(`/api/knowledge/${this.#base?.id}/files/${id}`);
      this.#files = this.#files.filter((one) => one.id !== id);
      announce(t('knowledge.file.deleted', { name: file.name }));
      this.#draw();
      this.#changed();
    } catch (error) {
      toastError(error);
    }
  }

  async #retryFailed() {
    await this.#readAll();
    await this.#retry(this.#matching().map((file) => file.id));
  }

  /** Read again the files that are split otherwise than the base says. */
  async splitAgain() {
    await this.#readAll();
    const others = this.#files.filter((file) => canSplitAgain(file, this.#base));
    await this.#retry(others.map((file) => file.id));
  }

  /** @param {string[]} ids @param {'retry'|'fetch'} how */
  async #retry(ids, how = 'retry') {
    const base = this.#base?.id;
    try {
      for (const id of ids) {
        const now = await this.#api.post(`/api/knowledge/${base}/files/${id}/${how}`);
        this.#files = this.#files.map((file) => (file.id === id ? now : file));
      }
      this.#onlyFailed.setAttribute('aria-pressed', 'false');
    } catch (error) {
      toastError(error);
    }
    this.#draw();
    this.#changed();
  }
}

const LABELS = {
  '[data-file-delete]': 'knowledge.file.delete_name',
  '[data-file-retry]': 'knowledge.file.retry_name',
  '[data-file-fetch]': 'page.fetch_name',
  '[data-file-download]': 'knowledge.file.download_name',
};

/** @param {number} value */
const number = (value) => value.toLocaleString(currentLanguage());

/** @param {HTMLElement} element */
const idOf = (element) => element.closest('[data-file]')?.getAttribute('data-file') ?? '';

/** @param {HTMLElement} row @param {StoredFile} file @param {Base|null} base */
function update(row, file, base) {
  const readOnly = !canWrite(base);
  const { text, percent, bad } = stateOf(file);
  const ended = file.status === 'ready' || bad;
  row.dataset.status = file.status;
  const note = [facts(file, base), file.status === 'ready' || bad ? '' : text]
    .filter(Boolean)
    .join(' · ');
  fill(row, { name: file.name, note });
  showText(find(row, '[data-file-reason]'), bad ? text : kept(file));
  showAddress(find(row, '[data-file-address]'), file);
  find(row, '[data-file-fetch]').hidden = readOnly || !canFetch(file);
  const bar = findAs(row, '[data-progress]', HTMLProgressElement);
  bar.hidden = ended || percent === null;
  bar.value = percent ?? 0;
  find(row, '[data-file-delete]').hidden = readOnly;
  find(row, '[data-file-retry]').hidden =
    readOnly || !(bad || isWaiting(file) || isUnrecognised(file));
}
