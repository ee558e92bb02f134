/** The dialog that lists the keyboard shortcuts. */
import { clone, fill, find } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { keyLabels } from '../ui/shortcuts.js';

const LISTED = /** @type {const} */ ([
  ['find.title', [['Mod', 'K']]],
  ['sidebar.new', [['Mod', 'Shift', 'O']]],
  ['composer.send', [['Enter']]],
  ['keys.line', [['Shift', 'Enter']]],
  ['keys.recall', [['↑']]],
  ['keys.mention', [['#']]],
  ['composer.stop', [['Esc']]],
  ['keys.title', [['?'], ['Mod', '/']]],
]);

/** @param {HTMLElement} root */
export function showKeys(root) {
  find(root, '[data-key-rows]').replaceChildren(
    ...LISTED.map(([text, ways]) => {
      const row = fill(clone('key-row'), { name: t(text) });
      const place = find(row, '[data-keys]');
      ways.forEach((keys, n) => {
        if (n) place.append(` ${t('keys.or')} `);
        place.append(keyCaps(keys));
      });
      return row;
    }),
  );
}

/** @param {readonly string[]} keys @returns {HTMLElement} */
export function keyCaps(keys) {
  const caps = document.createElement('span');
  caps.className = 'key-caps';
  caps.append(
    ...keyLabels([...keys]).map((label) => {
      const cap = document.createElement('kbd');
      cap.textContent = label;
      return cap;
    }),
  );
  return caps;
}
