/**
 * Adds files to knowledge bases. Files of a chat go into the chosen base; where that is
 * read-only or none is chosen, a new base is made and chosen when the first file is accepted.
 */
import { size } from '../core/format.js';
import { count, t } from '../core/i18n.js';
import { canWrite } from '../core/permission.js';
import { blockSignInRedirect } from '../net/api.js';
import { toast, toastError } from '../ui/toast.js';
import { MOST_FILES } from './drop.js';
import { baseName } from './base-name.js';
import { UploadQueue } from './upload-queue.js';
import { isEnded } from './upload-job.js';
import { upload, uploadToNew } from './upload-request.js';
import { UploadList } from './upload-list.js';

/** @typedef {import('./drop.js').Found} Found */
/**
 * @typedef {{name: string, visit?: number, refused: boolean,
 *   ended: (id: string|null, reason?: string) => void}} NewBase visit: the chat that it is for;
 *   refused: all its files; ended: it is made, or they are refused
 */

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
  #library;
  #limit;
  #number = 0;
  /** @type {Map<string, NewBase>} the bases that are not made yet, by what stands for their id */
  #new = new Map();

  /**
   * @param {{api: import('../net/api.js').Api, library: import('../chat/library.js').Library,
   *   limit: number|null}} deps limit: bytes of a file
   */
  constructor({ api, library, limit }) {
    this.#library = library;
    this.#limit = limit;
    this.queue = new UploadQueue({
      api,
      send: (base, ...file) => this.#send(base, ...file),
      refuse: (file) => refusal(file, limit),
      wait,
      visible,
      reportError: toastError,
      basesChanged: throttle(() => void library.loadBases().catch(() => {}), MOVED_MS),
    });
    this.queue.subscribe(() => this.#settle());
    guardLeaving(this.queue);
    blockSignInRedirect(() => this.queue.hasUnsavedFiles);
    window.addEventListener('online', () => this.queue.nudge());
  }

  /** Add files to the base of this chat. @param {Found[]} files */
  addToChat(files) {
    const taken = limitFiles(files);
    if (taken.length) this.queue.add(this.#baseOfChat(taken), taken);
  }

  /** @param {string} base @param {Found[]} files */
  addTo(base, files) {
    this.queue.add(base, limitFiles(files));
  }

  /**
   * Add files to a new base that is not chosen for the chat.
   * @param {Found[]} files
   * @returns {Promise<string|null>} its id; null if no file was accepted
   */
  addToNew(files) {
    const taken = limitFiles(files);
    if (!taken.length) return Promise.resolve(null);
    return new Promise((resolve) => {
      const ended = (/** @type {string|null} */ id, /** @type {string} */ reason = '') => {
        if (reason) toast(reason, { stays: true });
        resolve(id);
      };
      this.queue.add(this.#begin({ name: this.#name(taken), ended, refused: false }), taken);
    });
  }

  /** @param {Found[]} files @returns {string} */
  #baseOfChat(files) {
    const library = this.#library;
    const coming = library.coming.get();
    if (coming && this.#new.has(coming.id)) return coming.id;
    const chosen = library.base(library.choice.get().base);
    if (chosen && canWrite(chosen)) return chosen.id;
    const name = this.#name(files);
    const { visit } = library;
    const id = this.#begin({ name, visit, ended: () => {}, refused: false });
    library.coming.set({ id, name });
    return id;
  }

  /** @param {NewBase} made @returns {string} what stands for its id */
  #begin(made) {
    this.#number += 1;
    const id = `new:${this.#number}`;
    this.#new.set(id, made);
    return id;
  }

  /** @param {Found[]} files */
  #name(files) {
    const sendable = files.filter(({ file }) => !refusal(file, this.#limit));
    const several = (/** @type {number} */ n) => count('documents.base', n);
    return baseName(sendable.length ? sendable : files, several) || t('documents.unnamed');
  }

  /**
   * @param {string} base @param {File} file @param {(percent: number) => void} progress
   * @param {AbortSignal} signal
   */
  async #send(base, file, progress, signal) {
    const made = this.#new.get(base);
    if (!made) return upload(base, file, progress, signal);
    const answer = await uploadToNew(made.name, file, progress, signal);
    this.#new.delete(base);
    this.#library.addBase(answer.base);
    const { coming, visit } = this.#library;
    if (coming.get()?.id === base || (made.refused && made.visit === visit)) {
      await this.#library.chooseBase(answer.base.id).catch(toastError);
    }
    made.ended(answer.base.id);
    return answer.stored;
  }

  /** Give up on bases of which no file is left to send; a retry of one makes it after all. */
  #settle() {
    for (const [id, made] of this.#new) {
      const jobs = this.queue.jobs.filter(({ base }) => base === id);
      if (!jobs.length) this.#new.delete(id);
      if (!jobs.every(isEnded) || made.refused) continue;
      made.refused = true;
      if (this.#library.coming.get()?.id === id) this.#library.coming.set(null);
      made.ended(null, jobs[0]?.problem?.message);
    }
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
