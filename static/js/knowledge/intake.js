/**
 * Adds files to knowledge bases. Files of a chat go into the chosen base; where that is
 * read-only or none is chosen, a new base named after the first file is created and chosen.
 */
import { size } from '../core/format.js';
import { count, t } from '../core/i18n.js';
import { blockSignInRedirect } from '../net/api.js';
import { toast, toastError } from '../ui/toast.js';
import { MOST_FILES } from './drop.js';
import { baseName } from './base-name.js';
import { UploadQueue } from './upload-queue.js';
import { upload } from './upload-request.js';
import { UploadList } from './upload-list.js';

/** @typedef {import('./drop.js').Found} Found */

const MOVED_MS = 800;

/**
 * @param {HTMLElement} host shows all uploads
 * @param {{api: import('../net/api.js').Api, library: import('../chat/library.js').Library,
 *   limit: number|null, open: (base: string, file: string) => void}} deps open shows a file in its
 *   base
 */
export function mountIntake(host, { open, ...deps }) {
  const intake = new Intake(deps);
  new UploadList(host, { queue: intake.queue, open });
  return intake;
}

export class Intake {
  #api;
  #library;
  /** @type {Promise<string>|null} */ #making = null;

  /**
   * @param {{api: import('../net/api.js').Api, library: import('../chat/library.js').Library,
   *   limit: number|null}} deps limit: bytes of a file
   */
  constructor({ api, library, limit }) {
    this.#api = api;
    this.#library = library;
    this.queue = new UploadQueue({
      api,
      send: upload,
      refuse: (file) => refusal(file, limit),
      wait,
      visible,
      reportError: toastError,
      basesChanged: throttle(() => void library.loadBases().catch(() => {}), MOVED_MS),
    });
    guardLeaving(this.queue);
    blockSignInRedirect(() => this.queue.hasUnsavedFiles);
    window.addEventListener('online', () => this.queue.nudge());
  }

  /** Add files to the base of this chat. @param {Found[]} files */
  async addToChat(files) {
    const taken = limitFiles(files);
    if (!taken.length) return;
    try {
      this.queue.add(await this.#baseOfChat(taken), taken);
    } catch (error) {
      toastError(error);
    }
  }

  /** @param {string} base @param {Found[]} files */
  addTo(base, files) {
    this.queue.add(base, limitFiles(files));
  }

  /**
   * Create a base from files without choosing it for the chat.
   * @param {Found[]} files
   * @returns {Promise<string|null>}
   */
  async addToNew(files) {
    const taken = limitFiles(files);
    if (!taken.length) return null;
    const made = await this.#make(taken);
    this.queue.add(made.id, taken);
    return made.id;
  }

  /** @param {Found[]} files @returns {Promise<string>} */
  async #baseOfChat(files) {
    const chosen = this.#library.base(this.#library.choice.get().base);
    if (chosen && !chosen.bundled) return chosen.id;
    this.#making ??= this.#makeForChat(files).finally(() => {
      this.#making = null;
    });
    return this.#making;
  }

  /** @param {Found[]} files */
  async #makeForChat(files) {
    const { visit } = this.#library;
    const made = await this.#make(files);
    if (visit === this.#library.visit) await this.#library.chooseBase(made.id).catch(toastError);
    return made.id;
  }

  /** @param {Found[]} files @returns {Promise<import('../types.js').Base>} */
  async #make(files) {
    const made = await this.#api.post('/api/knowledge', {
      name: baseName(files) || t('documents.unnamed'),
    });
    this.#library.addBase(made);
    return made;
  }
}

/** @param {Found[]} files @returns {Found[]} */
function limitFiles(files) {
  if (!files.length) toast(t('documents.none'), { stays: true });
  if (files.length > MOST_FILES) toast(count('documents.many', MOST_FILES), { stays: true });
  return files.slice(0, MOST_FILES);
}

/**
 * Refuse a file without sending it.
 * @param {File} file
 * @param {number|null} limit
 * @returns {import('../types.js').Problem|null}
 */
function refusal(file, limit) {
  if (limit && file.size > limit) {
    return { code: 'too_large', message: t('documents.too_large', { limit: size(limit) }) };
  }
  return null;
}

/**
 * Ask before leaving while files are unsent. The listener is removed afterwards, since it would
 * disable the back/forward cache.
 * @param {UploadQueue} queue
 */
function guardLeaving(queue) {
  let guarding = false;
  const ask = (/** @type {BeforeUnloadEvent} */ event) => event.preventDefault();
  queue.subscribe(() => {
    const needed = queue.hasUnsavedFiles;
    if (needed === guarding) return;
    guarding = needed;
    if (needed) window.addEventListener('beforeunload', ask);
    else window.removeEventListener('beforeunload', ask);
  });
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
function wait(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

/** @returns {Promise<void>} */
function visible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener('visibilitychange', () => resolve(), { once: true });
  });
}

/**
 * Call immediately, then at most once every `ms`; the last call is not dropped.
 * @param {() => void} call
 * @param {number} ms
 * @returns {() => void}
 */
function throttle(call, ms) {
  let timer = 0;
  let again = false;
  const over = () => {
    timer = 0;
    if (again) run();
  };
  const run = () => {
    again = timer !== 0;
    if (again) return;
    timer = window.setTimeout(over, ms);
    call();
  };
  return run;
}
