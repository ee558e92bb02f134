/**
 * The upload queue: sends files a few at a time, then polls them until they can be searched.
 * Handles every kind of error without losing a file. Does not use the DOM;
 * network and clock are passed in.
 *
 *   waiting → sending → (queued → parsing → indexing → recognising → embedding → ready) | failed
 *
 * The states in parentheses are the server's.
 *
 * An error that would hit every file (no connection, signed out, disk full) holds the whole queue.
 * The queue resumes automatically after a temporary error; other errors need the user.
 *
 * @typedef {import('../types.js').StoredFile} StoredFile
 * @typedef {import('../types.js').Problem} Problem
 * @typedef {import('../net/api.js').ApiError} ApiError
 * @typedef {import('./upload-job.js').Job} Job
 * @typedef {Problem & {passing: boolean}} Held why the queue is held; `passing`: it resumes by
 *   itself
 * @typedef {object} Deps
 * @property {(base: string, file: File, progress: (percent: number) => void,
 *   signal: AbortSignal) => Promise<StoredFile>} send
 * @property {Pick<import('../net/api.js').Api, 'get'|'post'|'delete'>} api
 * @property {(file: File) => Problem|null} refuse the reason not to send a file, or null
 * @property {(ms: number, signal: AbortSignal) => Promise<void>} wait
 * @property {() => Promise<void>} visible resolves when the page is visible
 * @property {() => void} basesChanged a file was stored, deleted, or became searchable
 * @property {(error: ApiError) => void} reportError
 */
import { fileName } from '../core/format.js';
import { address, isEnded, isFound, isNewBase, isRetryable, isUnsent, take } from './upload-job.js';
import { reaction } from './upload-errors.js';
import { UploadPoll } from './upload-poll.js';

const AT_ONCE = 3;
const PROBE_MS = 1_000;
const PROBE_MAX_MS = 30_000;

export class UploadQueue {
  #deps;
  /** @type {Job[]} */ #jobs = [];
  /** @type {Held|null} */ #held = null;
  /** @type {Set<() => void>} */ #listeners = new Set();
  #sending = 0;
  #number = 0;
  #poll;
  #probe = new AbortController();

  /** @param {Deps} deps */
  constructor(deps) {
    this.#deps = deps;
    this.#poll = new UploadPoll(deps, {
      jobs: () => this.#jobs,
      drop: (job) => this.#drop(job),
      changed: () => this.#changed(),
    });
  }

  /** @returns {readonly Job[]} in the order in which they were added */
  get jobs() {
    return this.#jobs;
  }

  get held() {
    return this.#held;
  }

  /** The number of unsent files of a base, or of all. @param {string} [base] */
  unsent(base) {
    return this.#jobs.filter((job) => isUnsent(job) && (!base || job.base === base)).length;
  }

  /**
   * Whether leaving the page would lose files that are not sent yet.
   */
  get hasUnsavedFiles() {
    return this.#jobs.some((job) => isUnsent(job) || (this.#held !== null && job.file !== null));
  }

  /** @param {() => void} listener called after every change @returns {() => void} unsubscribes */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param {string} base @param {import('./drop.js').Found[]} files */
  add(base, files) {
    for (const { file, path } of files) {
      const problem = this.#deps.refuse(file);
      this.#jobs.push({
        id: (this.#number += 1),
        base,
        name: fileName(file.name),
        path: fileName(path),
        size: file.size,
        file: problem ? null : file,
        percent: 0,
        status: problem ? 'failed' : 'waiting',
        stored: null,
        duplicate: false,
        problem,
        broken: 0,
        leaving: false,
        abort: null,
      });
    }
    this.#changed();
    this.#next();
  }

  /** Send a file again, or have the server parse it again. @param {Job} job */
  async retry(job) {
    if (!isRetryable(job)) return;
    if (job.stored) return this.#readAgain(job, job.stored);
    Object.assign(job, { status: 'waiting', problem: null, percent: 0, broken: 0 });
    this.resume();
  }

  /** @param {Job} job @param {StoredFile} stored */
  async #readAgain(job, stored) {
    const { status, problem } = job;
    Object.assign(job, { status: status === 'failed' ? 'queued' : status, problem: null });
    this.#changed();
    try {
      take(job, await this.#deps.api.post(`${address(job.base, stored)}/retry`));
    } catch (error) {
      Object.assign(job, { status, problem });
      this.#deps.reportError(/** @type {ApiError} */ (error));
    }
    this.#changed();
    this.#poll.start();
  }

  /** @param {readonly Job[]} [jobs] of these, all that can be tried again */
  async retryAll(jobs = this.#jobs) {
    const failed = jobs.filter(isRetryable);
    for (const job of failed) if (!job.stored) void this.retry(job);
    for (const job of failed) if (job.stored) await this.retry(job);
  }

  /**
   * Cancel an upload: abort sending, delete a file that cannot be searched yet, hide any other.
   * @param {Job} job
   */
  async cancel(job) {
    if (job.stored && !isEnded(job) && !job.duplicate) return this.#delete(job, job.stored);
    if (job.status === 'sending' && job.percent >= 100) {
      job.leaving = true; // it may be stored already; then it is deleted after the response
      return this.#changed();
    }
    this.#drop(job);
    job.abort?.abort();
    this.#changed();
    this.#next();
  }

  /** Cancel all that are not ready. @param {readonly Job[]} jobs */
  async cancelAll(jobs) {
    const open = jobs.filter((job) => !isEnded(job)).reverse(); // the waiting ones first
    for (const job of open) await this.cancel(job);
  }

  /** Remove ended uploads from the list. @param {readonly Job[]} [jobs] */
  tidy(jobs = this.#jobs.filter(isFound)) {
    const ended = new Set(jobs.filter(isEnded));
    this.#jobs = this.#jobs.filter((job) => !ended.has(job));
    this.#changed();
  }

  /** Resume a held queue. */
  resume() {
    this.#held = null;
    this.#probe.abort();
    this.#changed();
    this.#next();
  }

  /** The browser reports that the network is back. */
  nudge() {
    if (this.#held?.passing) this.#probe.abort();
  }

  #next() {
    while (!this.#held && this.#sending < AT_ONCE) {
      const job = this.#jobs.find((one) => one.status === 'waiting' && !this.#waitsForBase(one));
      if (!job?.file) return;
      void this.#send(job, job.file);
    }
  }

  /** A new base is made by one file; the others are sent after that. @param {Job} job */
  #waitsForBase({ base }) {
    return isNewBase(base) && this.#jobs.some((one) => one.base === base && one.abort !== null);
  }

  /** @param {Job} job @param {StoredFile} stored */
  #settle(job, { knowledge_base_id: made }) {
    const { base } = job;
    if (!made || !isNewBase(base)) return;
    for (const one of this.#jobs) if (one.base === base) one.base = made;
    job.base = made;
  }

  /** @param {Job} job @param {File} file */
  async #send(job, file) {
    this.#sending += 1;
    Object.assign(job, { status: 'sending', percent: 0, abort: new AbortController() });
    this.#changed();
    const progress = (/** @type {number} */ percent) => {
      job.percent = percent;
      this.#changed();
    };
    try {
      const stored = await this.#deps.send(
        job.base,
        file,
        progress,
        /** @type {AbortController} */ (job.abort).signal,
      );
      take(job, stored);
      this.#settle(job, stored);
      Object.assign(job, { file: null, duplicate: Boolean(stored.duplicate) });
      if (job.leaving && !job.duplicate) await this.#delete(job, stored);
      else if (job.leaving) this.#drop(job);
      this.#deps.basesChanged();
      this.#poll.start();
    } catch (error) {
      this.#failed(job, /** @type {ApiError} */ (error));
    }
    job.abort = null;
    this.#sending -= 1;
    this.#changed();
    this.#next();
  }

  /** @param {Job} job @param {ApiError} error */
  #failed(job, error) {
    if (job.leaving) return this.#drop(job);
    const { kind, problem } = reaction(error, job);
    if (kind === 'again') {
      job.broken += 1;
      job.status = 'waiting';
    } else Object.assign(job, { status: 'failed', problem });
    if (kind === 'again') this.#hold({ ...problem, passing: true }, error.retryAfter);
    else if (kind === 'hold') this.#hold({ ...problem, passing: false });
    this.#changed();
  }

  /** @param {Held} held @param {number} [seconds] to wait, where the server says so */
  #hold(held, seconds) {
    if (this.#held && !this.#held.passing) return;
    const watched = this.#held !== null;
    this.#held = held;
    if (held.passing && !watched) void this.#waitForServer(seconds ? seconds * 1000 : PROBE_MS);
  }

  /** Poll until the server answers. @param {number} first ms */
  async #waitForServer(first) {
    for (let ms = first; this.#held?.passing; ms = Math.min(ms * 2, PROBE_MAX_MS)) {
      this.#probe = new AbortController();
      await this.#deps.wait(ms, this.#probe.signal);
      const there = await this.#deps.api.get('/api/knowledge').then(
        () => true,
        (error) => error.status === 401,
      );
      if (there && this.#held?.passing) return this.resume();
    }
  }

  /** @param {Job} job @param {StoredFile} stored */
  async #delete(job, stored) {
    job.leaving = true;
    this.#changed();
    try {
      await this.#deps.api.delete(address(job.base, stored));
      this.#drop(job);
    } catch (error) {
      if (/** @type {ApiError} */ (error).status === 404) this.#drop(job);
      else this.#deps.reportError(/** @type {ApiError} */ (error));
    }
    job.leaving = false;
    this.#changed();
    this.#deps.basesChanged();
  }

  /** @param {Job} job */
  #drop(job) {
    this.#jobs = this.#jobs.filter((other) => other !== job);
  }

  #changed() {
    for (const listener of this.#listeners) listener();
  }
}
