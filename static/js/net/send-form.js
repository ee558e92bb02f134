/** Sends a form with XMLHttpRequest, the only API that reports progress. */
import { fromRoot } from '../core/address.js';
import { t } from '../core/i18n.js';
import { ApiError } from './api.js';

/**
 * After this long without progress the connection counts as dead; storing a large file may take
 * longer.
 */
const STALLED_MS = 60_000;
const STORING_MS = 300_000;

/**
 * Fails with an ApiError: `aborted` or `offline`. Any answer of the server is returned.
 * @param {string} path
 * @param {FormData} form
 * @param {(percent: number) => void} progress 100 when the last byte is sent
 * @param {AbortSignal} signal
 * @returns {Promise<{status: number, answer: any, retryAfter: number|undefined}>} `answer` is the
 *   parsed body, null where it is no JSON
 */
export function sendForm(path, form, progress, signal) {
  const request = new XMLHttpRequest();
  let watch = 0;
  const watched = (/** @type {number} */ ms) => {
    clearTimeout(watch);
    watch = window.setTimeout(() => request.abort(), ms);
  };
  const abort = () => request.abort();
  signal.addEventListener('abort', abort);
  /** @type {ReturnType<typeof sendForm>} */
  const answered = new Promise((resolve, reject) => {
    const broken = () =>
      reject(
        signal.aborted
          ? new ApiError('aborted', '')
          : new ApiError('offline', t('net.unreachable')),
      );
    request.upload.addEventListener('progress', (event) => {
      watched(STALLED_MS);
      if (event.lengthComputable) {
        progress(Math.min(99, Math.floor((100 * event.loaded) / event.total)));
      }
    });
    request.upload.addEventListener('load', () => {
      watched(STORING_MS);
      progress(100);
    });
    request.addEventListener('error', broken);
    request.addEventListener('abort', broken);
    request.addEventListener('load', () =>
      resolve({
        status: request.status,
        answer: parsed(request.responseText),
        retryAfter: Number(request.getResponseHeader('Retry-After')) || undefined,
      }),
    );
  });
  request.open('POST', fromRoot(path));
  request.setRequestHeader('Accept', 'application/json');
  request.send(form);
  watched(STALLED_MS);
  return answered.finally(() => {
    clearTimeout(watch);
    signal.removeEventListener('abort', abort);
  });
}

/**
 * The error of a refusal; a proxy's page has none of ours.
 * @param {{status: number, retryAfter: number|undefined}} response
 * @param {import('../types.js').Problem|null|undefined} error
 */
export function refusedForm({ status, retryAfter }, error) {
  const rest = { status, retryAfter };
  if (error) return new ApiError(String(error.code), String(error.message), rest);
  if (status === 413) return new ApiError('too_large', t('documents.too_large.unknown'), rest);
  return new ApiError('unexpected', t('net.unexpected', { status }), rest);
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
