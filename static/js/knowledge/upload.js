/** Sends one file, with progress, which only XMLHttpRequest reports. */
import { t } from '../core/i18n.js';
import { ApiError, goToSignIn } from '../net/api.js';

/** @typedef {import('../types.js').StoredFile} StoredFile */

/**
 * @param {string} baseId @param {File} file @param {(percent: number) => void} progress @param {AbortSignal} [signal]
 * @returns {Promise<StoredFile>}
 */
export function upload(baseId, file, progress, signal) {
  const request = new XMLHttpRequest();
  const form = new FormData();
  form.append('files', file, file.name);
  signal?.addEventListener('abort', () => request.abort());
  return new Promise((resolve, reject) => {
    const failed = () => reject(new ApiError('offline', t('net.unreachable')));
    request.upload.addEventListener('progress', (event) => {
      if (event.lengthComputable) progress(Math.round((100 * event.loaded) / event.total));
    });
    request.addEventListener('error', failed);
    request.addEventListener('abort', failed);
    request.addEventListener('load', () => {
      const answer = parsed(request.responseText);
      if (request.status === 401) goToSignIn();
      const item = answer?.items?.[0];
      if (request.status < 300 && item) resolve(item);
      else reject(problem(answer, request.status));
    });
    request.open('POST', `/api/knowledge/${baseId}/files`);
    request.setRequestHeader('Accept', 'application/json');
    request.send(form);
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

/** @param {any} answer @param {number} status */
function problem(answer, status) {
  const error = answer?.error ?? answer?.items?.[0]?.error;
  return error ? new ApiError(error.code, error.message, { status }) : new ApiError('unexpected', t('net.unexpected', { status }), { status });
}
