/** A file's kind, size and length in one line. */
import { size } from '../core/format.js';
import { count } from '../core/i18n.js';

/** @typedef {import('../types.js').StoredFile} StoredFile */

/**
 * @param {StoredFile} file
 * @returns {string} "PDF · 1.2 MB · 30 pages · 64 passages", and the number of unread parts
 */
export function facts(file) {
  const parts = [kind(file.name), size(file.size)];
  if (file.pages) parts.push(count('knowledge.pages', file.pages));
  if (file.chunks) parts.push(count('knowledge.passages', file.chunks));
  if (file.skipped) parts.push(count('knowledge.skipped', file.skipped));
  return parts.filter(Boolean).join(' · ');
}

/** The file extension. @param {string} name */
const kind = (name) => /[^.]\.([a-z0-9]{1,5})$/i.exec(name)?.[1].toUpperCase() ?? '';
