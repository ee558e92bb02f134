/** The state of a stored file or an upload, as text. */
import { size } from '../core/format.js';
import { t } from '../core/i18n.js';
import { isFound } from './upload-job.js';

/**
 * @typedef {{text: string, percent: number|null, bad: boolean}} State percent is null where there
 *   is no progress or it is unknown
 */

const STATES = [
  'fetching',
  'queued',
  'parsing',
  'indexing',
  'recognising',
  'embedding',
  'ready',
  'failed',
];
/** @type {Record<string, string>} the text of each state that may wait for what its error names */
const WAITS = {
  fetching: 'file.fetch_wait',
  queued: 'file.waits',
  recognising: 'file.waits',
  embedding: 'file.vectors_wait',
};
const GOING = ['parsing', 'indexing', 'recognising', 'embedding'];

/**
 * @param {{status: string, progress?: number|null, error?: {message: string}|null,
 *   scanned?: number, recognised?: number}} file
 * @returns {State}
 */
export function stateOf({ status, progress, error, scanned = 0, recognised = 0 }) {
  const known = STATES.includes(status) ? status : 'queued';
  const percent = GOING.includes(known) ? Math.round((progress ?? 0) * 100) || null : null;
  if (known === 'failed') {
    return { text: error?.message || t('file.failed'), percent: null, bad: true };
  }
  if (error && isWaiting({ status, error })) {
    const key = WAITS[known];
    return { text: t(key, { reason: error.message }), percent: null, bad: false };
  }
  const page = Math.min(recognised + 1, scanned);
  const state = t(`file.${known}`, { page, pages: scanned });
  return {
    text: percent && known !== 'recognising' ? t('file.percent', { state, percent }) : state,
    percent,
    bad: false,
  };
}

/**
 * Whether pages are left that text recognition could read if it were available.
 * @param {{status: string, scanned?: number, recognised?: number}} file
 */
export const isUnrecognised = ({ status, scanned = 0, recognised = 0 }) =>
  status === 'ready' && recognised < scanned;

/**
 * Whether a stored file waits for its server, original, memory or vectors, which a retry tries at
 * once.
 * @param {{status: string, error?: {message: string}|null}} file
 */
export const isWaiting = ({ status, error }) =>
  Boolean(error) && status in WAITS;

/** @param {import('./upload-job.js').Job} job @returns {State} */
export function stateOfJob(job) {
  const { status, percent, stored, duplicate, problem, leaving } = job;
  if (leaving) return { text: t('file.leaving'), percent: null, bad: false };
  if (duplicate && stored && isFound(job)) {
    return { text: sameAs(job.name, stored.name), percent: null, bad: false };
  }
  if (stored) return stateOf({ ...stored, status, error: problem });
  if (status === 'failed') {
    return { text: problem?.message || t('file.failed'), percent: null, bad: true };
  }
  if (status === 'sending' && percent >= 100) {
    return { text: t('file.storing'), percent, bad: false };
  }
  return {
    text: t(`file.${status}`, { percent }),
    percent: status === 'sending' ? percent : null,
    bad: false,
  };
}

/** @param {string} name @param {string} there */
const sameAs = (name, there) =>
  name === there ? t('documents.duplicate') : t('documents.duplicate.as', { name: there });

/** @param {import('./upload-job.js').Job} job @returns {string} size and state */
export function describe(job) {
  const { text } = stateOfJob(job);
  return job.status === 'failed' ? text : `${size(job.size)} · ${text}`;
}
