/** How files are split into passages, where that differs from what their base says. */
import { find } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { canWrite } from '../core/permission.js';

/** @typedef {import('../types.js').Base} Base */
/** @typedef {import('../types.js').StoredFile} StoredFile */

const READ = ['recognising', 'embedding', 'ready'];
const REASONS = ['off', 'away', 'language', 'long'];
/** Reasons for which reading the file again would change nothing. */
const FINAL = ['language', 'long'];

/** @param {StoredFile} file @param {Base|null} base */
function isOther(file, base) {
  return Boolean(
    READ.includes(file.status) && file.split && base?.splitting && file.split !== base.splitting,
  );
}

/** @param {StoredFile} file @param {Base|null} base @returns {string} empty for one as chosen */
export function splitNote(file, base) {
  if (!isOther(file, base)) return '';
  const reason = file.split_reason ?? '';
  if (base?.splitting === 'meaning' && REASONS.includes(reason)) {
    return t(`knowledge.split.${reason}`);
  }
  return t(file.split === 'meaning' ? 'knowledge.split.meaning' : 'knowledge.split.size');
}

/**
 * Whether the file would be split as chosen if it were read again.
 * @param {StoredFile} file @param {Base|null} base
 */
export function canSplitAgain(file, base) {
  return (
    isOther(file, base) &&
    !FINAL.includes(file.split_reason ?? '') &&
    (base?.splitting !== 'meaning' || Boolean(base.vectors?.current))
  );
}

/** Offer to read a base's files again. @param {HTMLElement} root @param {Base} base */
export function showSplitting(root, base) {
  const { split_otherwise: files = 0, splitting } = base;
  root.hidden = !files || !canWrite(base);
  if (root.hidden) return;
  find(root, '[data-split-text]').textContent = count(
    splitting === 'meaning' ? 'knowledge.split.others_size' : 'knowledge.split.others_meaning',
    files,
  );
}
