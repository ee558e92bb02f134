/** Applies the events of a stream, and its end, to an answer. */
import { t } from '../core/i18n.js';

/** @typedef {import('../types.js').Message} Message */

/** Errors of the connection: the answer is read again, not asked again. */
export const READ_AGAIN = ['unreadable'];
/** The answer no longer exists. */
export const GONE = 'gone';

/**
 * @param {import('../net/api.js').ApiError} error
 * @returns {boolean} whether a proxy could not reach the service
 */
export const isUnreached = ({ code, status }) =>
  code === 'unexpected' && status >= 502 && status <= 504;

/** @param {Message} answer @param {import('../net/events.js').WireEvent} event */
export function applyEvent(answer, event) {
  if (event.type === 'chunk') answer.content += event.data;
  else if (event.type === 'reasoning') answer.reasoning = (answer.reasoning ?? '') + event.data;
  else if (event.type === 'sources') {
    Object.assign(answer, { sources: event.data, searched: event.data.length > 0 });
  } else if (event.type === 'reset') Object.assign(answer, { content: '', reasoning: '' });
  else if (event.type === 'error') {
    const { code = 'internal', data: message, upstream } = event;
    answer.error = { code, message, upstream };
  } else if (event.type === 'done') {
    answer.finish_reason = event.data.finish_reason ?? 'stop';
    answer.citations = event.data.citations ?? [];
    answer.timings = event.data.timings ?? null;
    answer.usage = event.data.usage ?? null;
    answer.searched ||= answer.timings?.retrieval_ms !== undefined;
    answer.unread = event.data.unread ?? [];
  }
}

/** @param {Message} answer @param {import('../net/run.js').Outcome} outcome */
export function applyOutcome(answer, outcome) {
  if (outcome.state === 'done') answer.status = 'complete';
  else if (outcome.state === 'stopped') answer.status = 'stopped';
  else {
    answer.error = problemOf(outcome) ?? answer.error;
    answer.status = answer.error?.code === 'interrupted' ? 'interrupted' : 'failed';
  }
}

/**
 * @param {import('../net/run.js').Outcome} outcome
 * @returns {import('../types.js').Problem|null} null where the stream has reported it
 */
function problemOf({ error, unreadable }) {
  if (unreadable) return { code: 'unreadable', message: t('answer.unreadable') };
  if (error?.status === 404) return { code: GONE, message: t('answer.gone') };
  return error ? { code: error.code, message: error.message } : null;
}
