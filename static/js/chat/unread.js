/**
 * The notice below an answer that was written before all documents were read.
 */
import { find } from '../core/dom.js';
import { fileName } from '../core/format.js';
import { count, currentLanguage, t } from '../core/i18n.js';

/** @typedef {import('../types.js').Unread} Unread */

/** The number of files that are named; the rest is counted. */
const NAMED = 3;

/** @param {HTMLElement} root @param {Unread[]} files */
export function showUnread(root, files) {
  find(root, '[data-unread]').hidden = !files.length;
  if (!files.length) return;
  const names = files
    .slice(0, files.length > NAMED + 1 ? NAMED : NAMED + 1)
    .map(({ name }) => t('answer.unread.name', { name: fileName(name) }));
  const more = files.length - names.length;
  const parts = more ? [...names, count('answer.unread.more', more)] : names;
  const list = new Intl.ListFormat(currentLanguage(), { type: 'conjunction' }).format(parts);
  find(root, '[data-unread-text]').textContent = count('answer.unread', files.length, {
    names: list,
  });
}
