/** The list of knowledge bases, and the head of the one that is shown. */
import { clone, fill, find, showText } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { canManage, canWrite, whose } from '../core/permission.js';
import { Rows } from '../ui/rows.js';

/** @typedef {import('../types.js').Base} Base */

/** @type {WeakMap<HTMLElement, Rows<{base: Base, current: boolean}>>} */
const lists = new WeakMap();

/** @param {HTMLElement} root @param {readonly Base[]} bases @param {string|null} current */
export function showBases(root, bases, current) {
  const rows =
    lists.get(root) ??
    new Rows(root, { key: ({ base }) => base.id, make: () => clone('base'), update: updateRow });
  lists.set(root, rows);
  rows.show(bases.map((base) => ({ base, current: base.id === current })));
}

/** @param {HTMLElement} row @param {{base: Base, current: boolean}} item */
function updateRow(row, { base, current }) {
  fill(row, { name: base.name, note: briefly(base) });
  const button = find(row, '[data-base]');
  button.dataset.base = base.id;
  if (current) button.setAttribute('aria-current', 'true');
  else button.removeAttribute('aria-current');
  button.toggleAttribute(
    'data-troubled',
    Boolean(base.failed) || base.vectors?.state === 'mismatch',
  );
  if (canWrite(base)) button.dataset.dropBase = base.id;
  else delete button.dataset.dropBase;
}

/** @param {Base} base */
function briefly(base) {
  if (base.bundled) return t('knowledge.bundled');
  const parts = [whose(base), count('knowledge.files', base.files)].filter(Boolean);
  if (base.pending) parts.push(count('knowledge.pending', base.pending));
  if (base.failed) parts.push(count('knowledge.failed', base.failed));
  return parts.join(' · ');
}

/**
 * @param {HTMLElement} panel
 * @param {Base} base
 * @param {boolean} used whether the chat answers from it
 */
export function showHead(panel, base, used) {
  const facts = base.files
    ? [count('knowledge.files', base.files), count('knowledge.passages', base.chunks)]
    : [t(canWrite(base) ? 'knowledge.empty' : 'knowledge.empty.read_only')];
  if (!base.bundled && whose(base)) facts.unshift(whose(base));
  if (base.may === 'read' && !base.bundled) facts.push(t('knowledge.read_only'));
  else if (base.own && isShared(base)) facts.push(t('knowledge.shared'));
  if (base.pending) facts.push(count('knowledge.pending', base.pending));
  if (base.failed) facts.push(count('knowledge.failed', base.failed));
  find(panel, '[data-base-title]').textContent = base.name;
  find(panel, '[data-base-note]').textContent = facts.join(' · ');
  showText(
    find(panel, '[data-base-description]'),
    base.bundled ? t('knowledge.bundled.note') : base.description,
  );
  for (const hook of ['[data-base-edit]', '[data-base-delete]', '[data-base-share]']) {
    find(panel, hook).hidden = !canManage(base);
  }
  find(panel, '[data-files-add]').hidden = !canWrite(base);
  if (canWrite(base)) panel.dataset.dropBase = base.id;
  else delete panel.dataset.dropBase;
  find(panel, '[data-base-use]').hidden = used;
  find(panel, '[data-base-used]').hidden = !used;
}

/** @param {Base} base */
const isShared = ({ access, shared_with: people }) =>
  Boolean(people?.length) || (access !== undefined && access !== 'private');
