/**
 * Polls the state of uploaded files: one list for each base a round, less and less often while
 * nothing changes, and never while the page is hidden.
 */
import { address, isStoredOpen, take } from './upload-job.js';

/** @typedef {import('./upload-job.js').Job} Job */
/** @typedef {import('../types.js').StoredFile} StoredFile */

const PACE_MS = 700;
const SLOWER = 1.25;
/** The slowest, for a few files and for many. */
const PACE_SLOW_MS = 2_000;
const PACE_SLOWEST_MS = 5_000;
/** Lists of many files are polled less often. */
const PACE_MS_PER_FILE = 20;
const LIST_SPARE = 20;
const LIST_MOST = 1000;
/** Files missing from the list are requested one by one, at most this many a round. */
const SINGLES = 5;

export class UploadPoll {
  #deps;
  #queue;
  #pace = PACE_MS;
  #going = false;

  /**
   * @param {Pick<import('./upload-queue.js').Deps, 'api'|'wait'|'visible'|'basesChanged'>} deps
   * @param {{jobs: () => readonly Job[], drop: (job: Job) => void, changed: () => void}} queue
   */
  constructor(deps, queue) {
    this.#deps = deps;
    this.#queue = queue;
  }

  /** There is a new file to poll. */
  start() {
    this.#pace = PACE_MS;
    if (!this.#going) void this.#go();
  }

  async #go() {
    this.#going = true;
    for (let open = this.#open(); open.length; open = this.#open()) {
      const many = Math.min(open.length * PACE_MS_PER_FILE, PACE_SLOWEST_MS);
      await this.#deps.wait(Math.max(this.#pace, many), new AbortController().signal);
      await this.#deps.visible();
      this.#pace = Math.min(this.#pace * SLOWER, Math.max(PACE_SLOW_MS, many));
      for (const base of new Set(open.map((job) => job.base))) await this.#look(base);
      this.#queue.changed();
    }
    this.#going = false;
    this.#deps.basesChanged();
  }

  #open() {
    return this.#queue.jobs().filter(isStoredOpen);
  }

  /** @param {string} base */
  async #look(base) {
    const mine = this.#open().filter((job) => job.base === base);
    const limit = Math.min(
      this.#queue.jobs().filter((job) => job.base === base).length + LIST_SPARE,
      LIST_MOST,
    );
    try {
      const { items } = await this.#deps.api.get(`/api/knowledge/${base}/files?limit=${limit}`);
      const listed = new Map(items.map((/** @type {StoredFile} */ item) => [item.id, item]));
      const unlisted = mine.filter((job) => !this.#takeListed(job, listed));
      for (const job of unlisted.slice(0, SINGLES)) await this.#lookAtOne(job);
    } catch (error) {
      // 404: the base was deleted. Other errors may be temporary.
      if (statusOf(error) === 404) mine.forEach(this.#queue.drop);
    }
  }

  /**
   * @param {Job} job
   * @param {Map<string, StoredFile>} listed
   * @returns {boolean} whether it is in the list
   */
  #takeListed(job, listed) {
    const now = listed.get(job.stored?.id ?? '');
    if (!now) return false;
    if (now.status !== job.status) this.#pace = PACE_MS;
    take(job, now);
    return true;
  }

  /** @param {Job} job */
  async #lookAtOne(job) {
    if (!job.stored) return;
    const found = await this.#deps.api
      .get(address(job.base, job.stored))
      .catch((error) => (statusOf(error) === 404 ? null : job.stored));
    if (found) take(job, found);
    else this.#queue.drop(job);
  }
}

/** @param {unknown} error @returns {number} */
const statusOf = (error) => /** @type {import('../net/api.js').ApiError} */ (error).status ?? 0;
