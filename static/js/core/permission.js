/** What the user may do with a knowledge base, and whose it is. Pure. */
import { count, t } from './i18n.js';

/** @typedef {import('../types.js').Base} Base */

/** Whether the user may add and delete files. @param {Base|null|undefined} base */
export const canWrite = (base) => Boolean(base && !base.bundled && base.may !== 'read');

/** Whether the user may rename, share and delete it. @param {Base|null|undefined} base */
export const canManage = (base) => canWrite(base) && base?.may !== 'write';

/** @param {Base} base @returns {string} empty for the user's own */
export function whose({ bundled, own, owner }) {
  if (bundled) return t('knowledge.bundled');
  return own === false && owner ? t('knowledge.shared_by', { name: owner }) : '';
}

/** @param {Base} base @returns {string} whose it is, or of the user's own how many files it has */
export const briefNote = (base) => whose(base) || count('knowledge.files', base.files);
