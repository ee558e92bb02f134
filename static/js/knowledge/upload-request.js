/** Sends one file with XMLHttpRequest, the only API that reports progress. */
import { fromRoot } from '../core/address.js';
import { t } from '../core/i18n.js';
import { ApiError } from '../net/api.js';

/** @typedef {import('../types.js').StoredFile} StoredFile */

/**
 * After this long without progress the connection counts as dead; storing a large file may take
 * longer.
 */
const STALLED_MS = 60_000;
const STORING_MS = 300_000;

/**
 * Fails with an ApiError: `aborted`, `offline`, or the server's error.
 * @param {string} baseId
 * @param {File} file
 * @param {(percent: number) => void} progress 100 when the last byte is sent
 * @param {AbortSignal} signal @returns {Promise<StoredFile>}
 */
export function upload(baseId, file, progress, signal) {
  const request = new XMLHttpRequest();
  const form = new FormData();
  form.append('files', file, file.name);
  let watch = 0;
  const watched = (/** @type {number} */ ms) => {
    clearTimeout(watch);
    watch = window.setTimeout(() => request.abort(), ms);
  };
  const abort = () => request.abort();
  signal.addEventListener('abort', abort);
  /** @type {Promise<StoredFile>} */
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
    request.addEventListener('load', () => {
      const answer = parsed(request.responseText);
      const item = answer?.items?.[0];
      if (request.status < 300 && item?.id) resolve(item);
      else reject(problem(answer, request));
    });
  });
  request.open('POST', fromRoot(`/api/knowledge/${baseId}/files`));
  request.setRequestHeader('Accept', 'application/json');
  request.send(form);
  watched(STALLED_MS);
  return answered.finally(() => {
    clearTimeout(watch);
    signal.removeEventListener('abort', abort);
  });
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The error of a refusal; a proxy's page has none of ours.
 * @param {any} answer
 * @param {XMLHttpRequest} request
 */
function problem(answer, request) {
  const { status } = request;
  const rest = {
    status,
    retryAfter: Number(request.getResponseHeader('Retry-After')) || undefined,
  };
  const error = answer?.error ?? answer?.items?.[0]?.error;
  if (error) return new ApiError(String(error.code), String(error.message), rest);
  if (status === 413) return new ApiError('too_large', t('documents.too_large.unknown'), rest);
  return new ApiError('unexpected', t('net.unexpected', { status }), rest);
}
