/** Decides whether an upload error affects only its file or the whole queue. Pure. */
import { t } from '../core/i18n.js';

/** The server, or a proxy in front of it, is unavailable for a moment. */
const PASSING = [0, 429, 502, 503, 504];
/** All files fail until the user acts. */
const FOR_ALL = [401, 507];
/** Broken transfers before the file counts as failed. */
const BROKEN_MOST = 2;

/**
 * @param {import('../net/api.js').ApiError} error @param {{broken: number}} job
 * @returns {{kind: 'again'|'hold'|'fail', problem: import('../types.js').Problem}} again: retry
 *   the file when the connection is back; hold: it failed, hold the queue; fail: it failed, the
 *   others continue
 */
export function reaction({ code, message, status }, job) {
  const problem = { code, message };
  if (status === 401) {
    return { kind: 'hold', problem: { code: 'unauthorized', message: t('documents.signed_out') } };
  }
  if (FOR_ALL.includes(status)) return { kind: 'hold', problem };
  if (!PASSING.includes(status ?? 0)) return { kind: 'fail', problem };
  if (job.broken >= BROKEN_MOST) {
    return {
      kind: 'fail',
      problem: status ? problem : { code: 'interrupted', message: t('documents.interrupted') },
    };
  }
  return {
    kind: 'again',
    problem: status ? problem : { code: 'offline', message: t('documents.offline') },
  };
}
