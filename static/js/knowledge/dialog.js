/** The knowledge dialog: bases on one side, the files of one of them on the other. */
import { clone, delegate, fill, find, findAs, isComposing } from '../core/dom.js';
import { size } from '../core/format.js';
import { count, t } from '../core/i18n.js';
import { confirm, dialog, open } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';
import { stateOf } from './state.js';

/** @typedef {import('../types.js').Base} Base */
/** @typedef {import('../types.js').StoredFile} StoredFile */

const POLL_MS = 1000;
const ENDED = ['ready', 'failed'];

export class KnowledgeDialog {
  #root = dialog('knowledge');
  #api;
  #library;
  #pick;
  /** @type {string|null} */ #base = null;
  #timer = 0;

  /**
   * @param {{api: import('../net/api.js').Api, library: import('../chat/library.js').Library, pick: (base: string) => void}} deps
   *   `pick` lets the reader choose files for a base
   */
  constructor({ api, library, pick }) {
    this.#api = api;
    this.#library = library;
    this.#pick = pick;
    library.bases.subscribe(() => this.#root.open && this.#drawBases());
    this.#listen();
  }

  /** The base that files go to which are dropped now; null where the dialog is closed or the base cannot be changed. */
  get shown() {
    const base = this.#root.open ? this.#library.base(this.#base) : null;
    return base && !base.bundled ? base.id : null;
  }

  /** @param {string|null} [base] the one to show first */
  open(base) {
    this.#base = base ?? this.#library.choice.get().base ?? this.#library.bases.get()[0]?.id ?? null;
    open(this.#root);
    void this.#library.loadBases().catch(toastError);
    this.#drawBases();
    void this.refresh();
  }

  /** Read the files of the base that is shown, and again while one of them is being read. */
  async refresh() {
    clearTimeout(this.#timer);
    const base = this.#library.base(this.#base);
    if (!this.#root.open || !base) return;
    try {
      const { items } = await this.#api.get(`/api/knowledge/${base.id}/files`);
      if (base.id !== this.#base) return;
      this.#drawFiles(base, items);
      if (items.some((/** @type {StoredFile} */ file) => !ENDED.includes(file.status))) {
        this.#timer = window.setTimeout(() => void this.refresh(), POLL_MS);
      }
    } catch (error) {
      toastError(error);
    }
  }

  #listen() {
    const root = this.#root;
    delegate(root, 'click', '[data-base]', (button) => this.#select(button.dataset.base ?? null));
    delegate(root, 'click', '[data-new-base]', () => void this.#create());
    delegate(root, 'click', '[data-base-delete]', () => void this.#delete());
    delegate(root, 'click', '[data-upload-here]', () => this.#base && this.#pick(this.#base));
    delegate(root, 'click', '[data-file-delete]', (button) => void this.#onFile(button, (path) => this.#api.delete(path)));
    delegate(root, 'click', '[data-file-retry]', (button) => void this.#onFile(button, (path) => this.#api.post(`${path}/retry`)));
    find(root, '[data-base-form]').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#name().blur();
    });
    this.#name().addEventListener('change', () => void this.#rename());
    this.#name().addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && isComposing(event)) event.stopPropagation();
    });
  }

  #name() {
    return findAs(this.#root, '[data-base-name]', HTMLInputElement);
  }

  /** @param {string|null} id */
  #select(id) {
    this.#base = id;
    find(this.#root, '[data-files]').replaceChildren();
    this.#drawBases();
    void this.refresh();
  }

  #drawBases() {
    const bases = this.#library.bases.get();
    if (!this.#library.base(this.#base)) this.#base = bases[0]?.id ?? null;
    find(this.#root, '[data-bases]').replaceChildren(...bases.map((base) => this.#baseRow(base)));
    const base = this.#library.base(this.#base);
    find(this.#root, '[data-base-panel]').hidden = !base;
    if (!base) return;
    if (document.activeElement !== this.#name()) this.#name().value = base.name;
    this.#name().readOnly = Boolean(base.bundled);
    find(this.#root, '[data-base-delete]').hidden = Boolean(base.bundled);
    find(this.#root, '[data-upload-here]').hidden = Boolean(base.bundled);
    find(this.#root, '[data-base-note]').textContent = base.bundled ? t('knowledge.bundled.note') : count('knowledge.files', base.files);
  }

  /** @param {Base} base */
  #baseRow(base) {
    const row = fill(clone('base'), { name: base.name, note: base.bundled ? t('knowledge.bundled') : count('knowledge.files', base.files) });
    const button = find(row, '[data-base]');
    button.dataset.base = base.id;
    button.setAttribute('aria-pressed', String(base.id === this.#base));
    return row;
  }

  /** @param {Base} base @param {StoredFile[]} files */
  #drawFiles(base, files) {
    const list = find(this.#root, '[data-files]');
    list.replaceChildren(...files.map((file) => fileRow(file, Boolean(base.bundled))));
  }

  async #create() {
    await this.#try(async () => {
      const made = await this.#api.post('/api/knowledge', { name: t('knowledge.new.name') });
      await this.#library.loadBases();
      this.#select(made.id);
      this.#name().focus();
      this.#name().select();
    });
  }

  async #rename() {
    const name = this.#name().value.trim();
    const base = this.#library.base(this.#base);
    if (!base || !name || name === base.name) return;
    await this.#try(async () => {
      await this.#api.patch(`/api/knowledge/${base.id}`, { name });
      await this.#library.loadBases();
    });
  }

  async #delete() {
    const base = this.#library.base(this.#base);
    if (!base || !(await confirm(t('knowledge.delete.ask', { name: base.name }), t('knowledge.delete')))) return;
    await this.#try(async () => {
      await this.#api.delete(`/api/knowledge/${base.id}`);
      if (this.#library.choice.get().base === base.id) await this.#library.chooseBase(null);
      await this.#library.loadBases();
      this.#select(null);
    });
  }

  /** @param {HTMLElement} button @param {(path: string) => Promise<unknown>} act */
  async #onFile(button, act) {
    const id = button.closest('[data-file]')?.getAttribute('data-file');
    await this.#try(async () => {
      await act(`/api/knowledge/${this.#base}/files/${id}`);
      await Promise.all([this.#library.loadBases(), this.refresh()]);
    });
  }

  /** @param {() => Promise<void>} work */
  async #try(work) {
    try {
      await work();
    } catch (error) {
      toastError(error);
    }
  }
}

/** @param {StoredFile} file @param {boolean} bundled */
function fileRow(file, bundled) {
  const { text, percent } = stateOf(file);
  const facts = [size(file.size), file.pages ? count('knowledge.pages', file.pages) : '', file.status === 'ready' ? '' : text];
  const row = fill(clone('file'), { name: file.name, note: facts.filter(Boolean).join(' · ') });
  row.dataset.file = file.id;
  row.dataset.status = file.status;
  const bar = findAs(row, '[data-progress]', HTMLProgressElement);
  bar.hidden = ENDED.includes(file.status);
  if (percent !== null) bar.value = percent;
  find(row, '[data-file-delete]').hidden = bundled;
  find(row, '[data-file-retry]').hidden = bundled || file.status !== 'failed';
  return row;
}
