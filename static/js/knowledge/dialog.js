/**
 * The knowledge dialog: the list of bases, and beside it one base with its files, one file, or a
 * search. A narrow screen shows one side at a time. Loaded at first use.
 */
import { delegate, find } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { canWrite } from '../core/permission.js';
import { confirm, dialog, open } from '../ui/dialog.js';
import { mountTabs } from '../ui/tabs.js';
import { toast, toastError } from '../ui/toast.js';
import { BaseForm } from './base-form.js';
import { showBases, showHead } from './bases.js';
import { FileView } from './file-view.js';
import { Files } from './files.js';
import { Search } from './search.js';
import { SharingDialog } from './sharing.js';
import { showSplitting } from './splitting.js';
import { UploadList } from './upload-list.js';
import { showVectors } from './vectors.js';
import { mountPageForm } from './web-page.js';

/** @typedef {import('../types.js').Base} Base */
/** @typedef {'files'|'search'|'file'|'form'} View */

const POLL_MS = 1000;
const POLL_MAX_MS = 5000;
const SLOWER = 1.25;

export class KnowledgeDialog {
  #root = dialog('knowledge');
  #api;
  #library;
  #uploads;
  #files;
  #file;
  #search;
  #form;
  #tabs;
  /** @type {string|null} */ #base = null;
  /** @type {View} */ #view = 'files';
  #timer = 0;
  #rounds = 0;
  #pace = POLL_MS;
  #seen = '';

  /**
   * @param {{api: import('../net/api.js').Api, library: import('../chat/library.js').Library,
   *   queue: import('./upload-queue.js').UploadQueue, pick: (base: string,
   *   folder: boolean) => void}} deps `pick` opens the file or folder chooser for a base
   */
  constructor({ api, library, queue, pick }) {
    const root = this.#root;
    this.#api = api;
    this.#library = library;
    this.#files = new Files(find(root, '[data-files-panel]'), {
      api,
      open: (id) => this.#showFile(id),
      changed: () => this.#soon(),
    });
    this.#file = new FileView(find(root, '[data-file-panel]'), {
      api,
      back: () => this.#toFiles(),
      changed: () => this.#soon(),
    });
    this.#search = new Search(find(root, '[data-search-panel]'), {
      api,
      open: (id, at) => this.#showFile(id, at),
    });
    this.#form = new BaseForm(find(root, '[data-base-form]'), {
      save: (values) => this.#save(values),
      cancel: () => this.#leaveForm(),
    });
    this.#tabs = mountTabs(find(root, '[data-base-tabs]'), (name) =>
      this.#show(name === 'search' ? 'search' : 'files'),
    );
    this.#uploads = new UploadList(find(root, '[data-uploads-here]'), {
      queue,
      open: (_base, file) => this.#showFile(file),
      only: (job) => job.base === this.#base && (!job.stored || job.duplicate),
    });
    mountPageForm(find(root, '[data-files-add]'), {
      api,
      base: () => this.#base,
      added: () => void this.#files.refresh().then(() => this.#soon()),
    });
    library.bases.subscribe(() => root.open && this.#basesChanged());
    library.choice.subscribe(() => root.open && this.#drawBase());
    this.#listen(pick);
  }

  get isOpen() {
    return this.#root.open;
  }

  /** The base that is shown and may take files; null where there is none. */
  get shown() {
    const base =
      this.#view !== 'form' && find(this.#root, '[data-base-panel]').checkVisibility()
        ? this.#current()
        : null;
    return base && canWrite(base) ? base.id : null;
  }

  /**
   * @param {string} [base] the one to show first
   * @param {string} [file] of it
   * @param {import('../types.js').Source} [at] a passage of that
   */
  async open(base, file, at) {
    if (base && !this.#library.base(base)) await this.#library.loadBases().catch(toastError);
    if (base && !this.#library.base(base)) return toast(t('knowledge.gone'), { stays: true });
    const { base: chosen } = this.#library.choice.get();
    this.#base = base ?? (this.#library.base(chosen) ? chosen : this.#base);
    this.#root.dataset.level = base ? 'base' : 'bases';
    open(this.#root);
    this.#seen = '';
    this.#enter();
    if (file) this.#showFile(file, at);
    this.#soon();
  }

  /** Show the files of a base. @param {string} id */
  show(id) {
    this.#base = id;
    this.#root.dataset.level = 'base';
    this.#enter();
    this.#soon();
  }

  #current() {
    return this.#library.base(this.#base);
  }

  /** @param {(base: string, folder: boolean) => void} pick */
  #listen(pick) {
    const root = this.#root;
    const on = (/** @type {string} */ hook, /** @type {() => unknown} */ run) =>
      delegate(root, 'click', hook, () => void run());
    delegate(root, 'click', '[data-base]', (button) => {
      this.show(button.dataset.base ?? '');
      if (!find(root, '[data-bases]').checkVisibility()) find(root, '[data-base-title]').focus();
    });
    on('[data-new-base]', () => this.#openForm(null));
    on('[data-base-edit]', () => this.#openForm(this.#current()));
    on('[data-base-delete]', () => this.#delete());
    const sharing = new SharingDialog({ api: this.#api, saved: () => this.#soon() });
    on('[data-base-share]', () => sharing.open(/** @type {Base} */ (this.#current())));
    on('[data-base-use]', () => this.#use());
    on('[data-reindex]', () => this.#reindex());
    on('[data-split-again]', () => this.#try(() => this.#files.splitAgain()));
    on('[data-upload-here]', () => this.#base && pick(this.#base, false));
    on('[data-upload-folder]', () => this.#base && pick(this.#base, true));
    on('[data-knowledge-back]', () => this.#toBases());
    root.addEventListener('close', () => clearTimeout(this.#timer));
    root.addEventListener('cancel', (event) => this.#up(event));
  }

  /** On a phone, Back goes one level up before it closes the dialog. @param {Event} event */
  #up(event) {
    if (event.target !== this.#root || find(this.#root, '[data-bases]').checkVisibility()) return;
    event.preventDefault();
    if (this.#view === 'file') this.#toFiles();
    else this.#toBases();
  }

  #toFiles() {
    this.#show('files');
    void this.#files.refresh();
  }

  #toBases() {
    this.#root.dataset.level = 'bases';
    const current = this.#root.querySelector(`[data-base="${this.#base}"]`);
    if (current instanceof HTMLElement) current.focus();
  }

  /** Another base is shown. */
  #enter() {
    this.#show('files');
    this.#basesChanged();
    this.#uploads.draw();
  }

  /** @param {View} view */
  #show(view) {
    this.#view = view;
    this.#root.dataset.view = view;
    this.#tabs.select(view === 'search' ? 'search' : 'files');
    for (const name of ['files', 'search', 'file']) {
      find(this.#root, `[data-${name}-panel]`).hidden = name !== view;
    }
    find(this.#root, '[data-base-form]').hidden = view !== 'form';
    find(this.#root, '[data-base-tabs]').hidden = view === 'file' || view === 'form';
  }

  /** @param {string} id @param {import('../types.js').Source} [at] the passage to go to */
  #showFile(id, at) {
    const base = this.#current();
    if (!base) return;
    this.#file.enter(base, id, {
      at,
      from: this.#view === 'search' ? () => this.#show('search') : null,
    });
    this.#show('file');
  }

  #basesChanged() {
    const bases = this.#library.bases.get();
    if (!this.#current()) {
      this.#base = bases[0]?.id ?? null;
      if (this.#view === 'file') this.#show('files');
    }
    showBases(
      find(this.#root, '[data-bases]'),
      bases,
      this.#view === 'form' && !this.#form.base ? null : this.#base,
    );
    this.#drawBase();
    const base = this.#current();
    if (base) {
      this.#files.enter(base);
      this.#search.enter(base);
    }
    const now = JSON.stringify([base?.id, base?.files, base?.failed, base?.pending]);
    if (base && now !== this.#seen) void this.#refresh();
    this.#seen = now;
  }

  #drawBase() {
    const base = this.#current();
    const form = this.#view === 'form';
    find(this.#root, '[data-base-panel]').hidden = !base && !form;
    find(this.#root, '[data-base-head]').hidden = !base || form;
    if (!base) return;
    showHead(
      find(this.#root, '[data-base-panel]'),
      base,
      this.#library.choice.get().base === base.id,
    );
    showVectors(find(this.#root, '[data-vectors]'), form ? { ...base, vectors: null } : base);
    showSplitting(
      find(this.#root, '[data-split]'),
      form ? { ...base, split_otherwise: 0 } : base,
    );
  }

  /** Poll now, then while the server is processing files. */
  #soon() {
    this.#pace = POLL_MS;
    clearTimeout(this.#timer);
    void this.#round();
  }

  async #round() {
    clearTimeout(this.#timer);
    if (!this.#root.open) return;
    this.#rounds += 1;
    const round = this.#rounds;
    const seen = this.#seen;
    if (!document.hidden) await this.#library.loadBases().catch(() => {});
    if (round !== this.#rounds) return;
    const base = this.#current();
    const reading =
      Boolean(base?.pending) || (this.#view === 'file' ? this.#file.busy : this.#files.busy);
    if (reading && seen === this.#seen && !document.hidden) await this.#refresh();
    if (round !== this.#rounds || (!reading && base?.vectors?.state !== 'building')) return;
    this.#timer = window.setTimeout(() => void this.#round(), this.#pace);
    this.#pace = Math.min(this.#pace * SLOWER, POLL_MAX_MS);
  }

  async #refresh() {
    if (this.#view === 'file') await this.#file.refresh();
    else await this.#files.refresh();
  }

  /** @param {Base|null} base null for a new one */
  #openForm(base) {
    this.#root.dataset.level = 'base';
    this.#show('form');
    this.#form.open(base);
    this.#basesChanged();
  }

  #leaveForm() {
    const made = this.#form.base === null;
    this.#show('files');
    this.#basesChanged();
    if (made) this.#root.dataset.level = 'bases';
    find(this.#root, made ? '[data-new-base]' : '[data-base-edit]').focus();
  }

  /** @param {import('./base-form.js').BaseValues} values */
  async #save(values) {
    const { base } = this.#form;
    const saved = base
      ? await this.#api.patch(`/api/knowledge/${base.id}`, values)
      : await this.#api.post('/api/knowledge', values);
    if (!base) this.#library.addBase(saved);
    await this.#library.loadBases().catch(toastError);
    this.show(saved.id);
    find(this.#root, '[data-base-title]').focus();
  }

  async #delete() {
    const base = this.#current();
    if (
      !base ||
      !(await confirm(
        count('knowledge.delete.ask', base.files, { name: base.name }),
        t('knowledge.delete'),
      ))
    ) {
      return;
    }
    await this.#try(async () => {
      await this.#api.delete(`/api/knowledge/${base.id}`);
      if (this.#library.choice.get().base === base.id) await this.#library.chooseBase(null);
      this.#base = null;
      await this.#library.loadBases();
      this.#enter();
      this.#toBases();
    });
  }

  async #use() {
    const base = this.#current();
    if (!base) return;
    await this.#try(() => this.#library.chooseBase(base.id));
    this.#root.close();
    find(document, '[data-input]').focus();
  }

  async #reindex() {
    await this.#try(async () => {
      await this.#api.post(`/api/knowledge/${this.#base}/reindex`);
      this.#soon();
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
