/** A file's kind, size and length in one line. */
import { size } from '../core/format.js';
import { count, t } from '../core/i18n.js';
import { isUnrecognised } from './file-state.js';
import { splitNote } from './splitting.js';
import { fetched } from './web-page.js';

/** @typedef {import('../types.js').Base} Base */
/** @typedef {import('../types.js').StoredFile} StoredFile */

/**
 * @param {StoredFile} file
 * @param {Base|null} base
 * @returns {string} "PDF · 1.2 MB · 30 pages · 64 passages", the numbers of unread parts and of
 *   passages without vectors, and how it is split where that is not as its base says
 */
export function facts(file, base) {
  const parts = file.web_page
    ? [t('page.kind'), file.size ? size(file.size) : '']
    : [kind(file.name), size(file.size)];
  if (file.pages) parts.push(count('knowledge.pages', file.pages));
  if (file.chunks) parts.push(count('knowledge.passages', file.chunks));
  if (file.skipped) parts.push(count('knowledge.skipped', file.skipped));
  if (isUnrecognised(file)) {
    parts.push(count('knowledge.unrecognised', (file.scanned ?? 0) - (file.recognised ?? 0)));
  }
  if (file.words_only && file.status === 'ready') {
    parts.push(count('knowledge.words_only', file.words_only));
  }
  parts.push(splitNote(file, base), fetched(file));
  return parts.filter(Boolean).join(' · ');
}

/**
 * @param {StoredFile} file
 * @returns {string} which files within this one were not read, and why; "" if there are none
 */
export function leftOut(file) {
  const names = (file.left_out ?? []).map(({ name, reason }) =>
    t('knowledge.left_out.one_of', { name, reason: t(`knowledge.left_out.${reason}`) }),
  );
  if (!names.length) return '';
  return t('knowledge.left_out', { names: names.join(t('knowledge.left_out.joint')) });
}

/** The file extension. @param {string} name */
const kind = (name) => /[^.]\.([a-z0-9]{1,5})$/i.exec(name)?.[1].toUpperCase() ?? '';
