/**
 * Adding documents from the chat: chosen or dropped, sent two at a time, watched until they can be searched. The base is
 * made by itself where none that may be changed is chosen.
 */
import { clone, delegate, fill, find, findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { toastError } from '../ui/toast.js';
import { stateOf } from './state.js';
import { upload } from './upload.js';

/** @typedef {import('../types.js').StoredFile} StoredFile */
/** @typedef {{file: File, element: HTMLElement, base: string, stored: StoredFile|null, abort: AbortController}} Job */

const AT_ONCE = 2;
const POLL_MS = 700;
const POLL_MAX_MS = 3000;
const READY_MS = 4000;
const ENDED = ['ready', 'failed'];

export class Uploads {
  #list;
  #api;
  #library;
  #changed;
  /** @type {Set<Job>} */ #jobs = new Set();
  /** @type {Job[]} */ #queue = [];
  #sending = 0;
  #polling = false;

  /**
   * @param {HTMLElement} list
   * @param {{api: import('../net/api.js').Api, library: import('../chat/library.js').Library, changed: () => void}} deps
   */
  constructor(list, { api, library, changed }) {
    this.#list = list;
    this.#api = api;
    this.#library = library;
    this.#changed = changed;
    delegate(list, 'click', '[data-dismiss]', (button) => this.#dismiss(button));
  }

  /** Add files to the base of this chat. @param {File[]} files */
  async add(files) {
    if (!files.length) return;
    try {
      const base = await this.#base();
      await this.#library.chooseBase(base);
      this.addTo(base, files);
    } catch (error) {
      toastError(error);
    }
  }

  /** @param {string} base @param {File[]} files */
  addTo(base, files) {
    for (const file of files) {
      const job = { file, base, element: fill(clone('upload'), { name: file.name, state: '' }), stored: null, abort: new AbortController() };
      this.#jobs.add(job);
      this.#queue.push(job);
      this.#list.append(job.element);
      this.#show(job, { status: 'waiting', progress: 0 });
    }
    this.#list.hidden = false;
    this.#next();
  }

  /** The chosen base if it may be changed, else the one that was made here before, else a new one. @returns {Promise<string>} */
  async #base() {
    const chosen = this.#library.base(this.#library.choice.get().base);
    if (chosen && !chosen.bundled) return chosen.id;
    const own = this.#library.bases.get().find((base) => !base.bundled && base.name === t('documents.base'));
    if (own) return own.id;
    const made = await this.#api.post('/api/knowledge', { name: t('documents.base') });
    await this.#library.loadBases();
    return made.id;
  }

  #next() {
    while (this.#sending < AT_ONCE && this.#queue.length) {
      const job = this.#queue.shift();
      if (job && this.#jobs.has(job)) void this.#send(job);
    }
  }

  /** @param {Job} job */
  async #send(job) {
    this.#sending += 1;
    try {
      job.stored = await upload(job.base, job.file, (percent) => this.#show(job, { status: 'sending', progress: percent }), job.abort.signal);
      this.#show(job, job.stored);
      this.#changed();
      void this.#poll();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#show(job, { status: 'failed', error: { message } });
    }
    this.#sending -= 1;
    this.#next();
  }

  async #poll() {
    if (this.#polling) return;
    this.#polling = true;
    for (let wait = POLL_MS; this.#waiting().length; wait = Math.min(wait * 1.2, POLL_MAX_MS)) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      for (const base of new Set(this.#waiting().map((job) => job.base))) await this.#look(base).catch(() => {});
    }
    this.#polling = false;
    await this.#library.loadBases().catch(() => {});
    this.#changed();
  }

  /** @param {string} base */
  async #look(base) {
    const { items } = await this.#api.get(`/api/knowledge/${base}/files`);
    for (const job of this.#waiting().filter((one) => one.base === base)) {
      const now = items.find((/** @type {StoredFile} */ item) => item.id === job.stored?.id);
      if (now) {
        job.stored = now;
        this.#show(job, now);
      } else this.#remove(job);
    }
  }

  #waiting() {
    return [...this.#jobs].filter((job) => job.stored && !ENDED.includes(job.stored.status));
  }

  /** @param {Job} job @param {{status: string, progress?: number|null, error?: {message: string}|null}} now */
  #show(job, now) {
    job.element.dataset.status = now.status;
    const { text, percent } = stateOf(now);
    fill(job.element, { state: text });
    const bar = findAs(job.element, '[data-progress]', HTMLProgressElement);
    bar.hidden = ENDED.includes(now.status);
    if (percent === null) bar.removeAttribute('value');
    else bar.value = percent;
    if (now.status === 'ready') setTimeout(() => this.#remove(job), READY_MS);
  }

  /** @param {HTMLElement} button */
  #dismiss(button) {
    const element = button.closest('[data-upload]');
    for (const job of this.#jobs) {
      if (job.element !== element) continue;
      if (!job.stored) job.abort.abort();
      this.#remove(job);
    }
  }

  /** @param {Job} job */
  #remove(job) {
    this.#jobs.delete(job);
    job.element.remove();
    this.#list.hidden = !this.#list.children.length;
  }
}

/** Accept files dropped anywhere on the page. @param {(files: File[]) => void} add */
export function mountDrop(add) {
  const veil = find(document, '[data-drop-veil]');
  let depth = 0;
  const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files') ?? false;
  const show = (/** @type {number} */ next) => {
    depth = Math.max(0, next);
    veil.hidden = depth === 0;
  };
  document.addEventListener('dragenter', (event) => carriesFiles(event) && show(depth + 1));
  document.addEventListener('dragleave', (event) => carriesFiles(event) && show(depth - 1));
  document.addEventListener('dragover', (event) => carriesFiles(event) && event.preventDefault());
  document.addEventListener('drop', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    show(0);
    add([...(event.dataTransfer?.files ?? [])]);
  });
}

/** Accept files pasted into the question. @param {(files: File[]) => void} add */
export function mountPaste(add) {
  find(document, '[data-input]').addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    add(files);
  });
}
