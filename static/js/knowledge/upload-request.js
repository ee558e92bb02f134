/** Sends one file to a knowledge base. */
import { refusedForm, sendForm } from '../net/send-form.js';

/** @typedef {import('../types.js').StoredFile} StoredFile */

/**
 * Fails with an ApiError: `aborted`, `offline`, or the server's error.
 * @param {string} baseId
 * @param {File} file
 * @param {(percent: number) => void} progress 100 when the last byte is sent
 * @param {AbortSignal} signal @returns {Promise<StoredFile>}
 */
export async function upload(baseId, file, progress, signal) {
  const form = new FormData();
  form.append('files', file, file.name);
  const response = await sendForm(`/api/knowledge/${baseId}/files`, form, progress, signal);
  const item = response.answer?.items?.[0];
  if (response.status < 300 && item?.id) return item;
  throw refusedForm(response, response.answer?.error ?? item?.error);
}
