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
  return (await sent(`/api/knowledge/${baseId}/files`, formOf(file), progress, signal)).items[0];
}

/**
 * Create a base with its first file, unless that is refused.
 * @param {string} name of the base
 * @param {File} file
 * @param {(percent: number) => void} progress
 * @param {AbortSignal} signal
 * @returns {Promise<{base: import('../types.js').Base, stored: StoredFile}>}
 */
export async function uploadToNew(name, file, progress, signal) {
  const path = `/api/knowledge/files?name=${encodeURIComponent(name)}`;
  const answer = await sent(path, formOf(file), progress, signal);
  return { base: answer.knowledge_base, stored: answer.items[0] };
}

/** @param {File} file */
function formOf(file) {
  const form = new FormData();
  form.append('files', file, file.name);
  return form;
}

/**
 * @param {string} path @param {FormData} form @param {(percent: number) => void} progress
 * @param {AbortSignal} signal
 */
async function sent(path, form, progress, signal) {
  const response = await sendForm(path, form, progress, signal);
  const item = response.answer?.items?.[0];
  if (response.status < 300 && item?.id) return response.answer;
  throw refusedForm(response, response.answer?.error ?? item?.error);
}
