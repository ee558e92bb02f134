/** What the end of a reading means for its answer. */
import { t } from '../core/i18n.js';

/** Errors of the connection, not of the answer: it is read again, not asked again. */
export const READ_AGAIN = ['lost', 'unreadable'];

/** @param {import('../types.js').Message} answer @param {import('../net/run.js').Outcome} outcome */
export function settle(answer, outcome) {
  if (outcome.state === 'done') answer.status = 'complete';
  else if (outcome.state === 'stopped') answer.status = 'stopped';
  else {
    answer.status = 'failed';
    answer.error = problemOf(outcome) ?? answer.error;
  }
}

/** @param {import('../net/run.js').Outcome} outcome @returns {import('../types.js').Problem|null} null where the stream has said it */
function problemOf({ state, error, unreadable }) {
  if (unreadable) return { code: 'unreadable', message: t('answer.unreadable') };
  if (state === 'lost' || state === 'unsent') return { code: 'lost', message: t('answer.lost') };
  return error ? { code: error.code, message: error.message } : null;
}
