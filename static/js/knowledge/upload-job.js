/**
 * An upload and its states. Pure.
 *
 * @typedef {import('../types.js').StoredFile} StoredFile
 * @typedef {object} Job
 * @property {number} id
 * @property {string} base its id; before that is made, `new:` and a number
 * @property {string} name
 * @property {string} path in the folder that was dropped
 * @property {number} size
 * @property {File|null} file null once the server has it
 * @property {string} status
 * @property {number} percent of sending; 100 when the last byte is sent
 * @property {StoredFile|null} stored
 * @property {boolean} duplicate the base had it already
 * @property {import('../types.js').Problem|null} problem why it failed, or why its vectors wait
 * @property {number} broken how often sending broke off
 * @property {boolean} leaving cancelled when it was too late to abort
 * @property {AbortController|null} abort
 */

const SERVERS = ['queued', 'parsing', 'indexing', 'recognising', 'embedding'];

/** A base that is made when its first file is accepted. @param {string} base */
export const isNewBase = (base) => base.startsWith('new:');

/** The server does not have it yet. @param {Job} job */
export const isUnsent = ({ status }) => status === 'waiting' || status === 'sending';

/**
 * The server is processing it; vectors waiting for an embedder do not count.
 * @param {Job} job
 */
export const isStoredOpen = ({ stored, status, problem }) =>
  stored !== null && SERVERS.includes(status) && !(status === 'embedding' && problem);

/** It can be searched, by keyword at least. @param {Job} job */
export const isFound = ({ status }) => status === 'ready' || status === 'embedding';

/** Nothing is left to wait for. @param {Job} job */
export const isEnded = (job) => isFound(job) || job.status === 'failed';

/**
 * Whether retrying makes sense: for failed files that were sent or can be, and for waiting vectors.
 * @param {Job} job
 */
export const isRetryable = ({ status, stored, file, problem }) =>
  (status === 'failed' && (stored !== null || file !== null)) ||
  (status === 'embedding' && problem !== null);

/**
 * @param {readonly Job[]} jobs
 * @returns {{total: number, found: number, failed: number, retryable: number, open: number,
 *   share: number}} share: how much is done, 0 to 1
 */
export function counts(jobs) {
  const found = jobs.filter(isFound).length;
  const failed = jobs.filter((job) => job.status === 'failed').length;
  const part = (/** @type {Job} */ job) =>
    job.status === 'sending'
      ? job.percent / 400
      : job.stored
        ? 0.25 + 0.75 * (job.stored.progress ?? 0)
        : 0;
  const done = jobs.reduce(
    (sum, job) => sum + (isFound(job) || job.status === 'failed' ? 1 : part(job)),
    0,
  );
  return {
    total: jobs.length,
    found,
    failed,
    retryable: jobs.filter(isRetryable).length,
    open: jobs.length - found - failed,
    share: jobs.length ? done / jobs.length : 0,
  };
}

/**
 * The jobs worth a row, failed ones first; with many jobs, ready ones are only counted.
 * @param {readonly Job[]} jobs @param {number} most @returns {{shown: Job[], more: number}}
 */
export function worthShowing(jobs, most) {
  const rank = (/** @type {Job} */ job) =>
    job.status === 'failed'
      ? 0
      : job.status === 'sending'
        ? 1
        : job.stored && !isFound(job)
          ? 2
          : isFound(job)
            ? 4
            : 3;
  const few = jobs.length <= most;
  if (few) {
    const failed = jobs.filter((job) => job.status === 'failed');
    return { shown: [...failed, ...jobs.filter((job) => job.status !== 'failed')], more: 0 };
  }
  const ranked = jobs
    .filter((job) => !isFound(job) || job.duplicate)
    .sort((a, b) => rank(a) - rank(b) || a.id - b.id);
  return { shown: ranked.slice(0, most), more: Math.max(0, ranked.length - most) };
}

/** Apply the server's state. @param {Job} job @param {StoredFile} stored */
export function take(job, stored) {
  Object.assign(job, { stored, status: stored.status, problem: stored.error ?? null });
}

/** @param {string} base @param {StoredFile} file */
export const address = (base, file) => `/api/knowledge/${base}/files/${file.id}`;
