/**
 * Keyboard shortcuts of the whole page. `Mod` is Command on a Mac, Control elsewhere.
 *
 * @typedef {{keys: string[], run: () => void}} Shortcut keys: modifiers, then the key
 */
import { isComposing } from '../core/dom.js';

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const SIGNS = MAC ? { Mod: '⌘', Shift: '⇧' } : { Mod: 'Ctrl' };

/** @param {Shortcut[]} shortcuts */
export function mountShortcuts(shortcuts) {
  document.addEventListener('keydown', (event) => {
    if (isComposing(event) || event.altKey) return;
    const shortcut = shortcuts.find(({ keys }) => isPressed(keys, event));
    if (!shortcut) return;
    event.preventDefault();
    shortcut.run();
  });
}

/** @param {string[]} keys @returns {string[]} as this keyboard labels them */
export const keyLabels = (keys) =>
  keys.map((key) => /** @type {Record<string, string>} */ (SIGNS)[key] ?? key);

/** @param {string[]} keys @param {KeyboardEvent} event @returns {boolean} */
function isPressed(keys, event) {
  const key = keys.at(-1) ?? '';
  const pressed = event.key.normalize('NFKC').toUpperCase();
  // Keyboards of other scripts have the letter at the same place.
  if (pressed !== key && !(event.key > '\u007f' && event.code === `Key${key}`)) return false;
  if (!keys.includes('Mod')) return !isTyping(event) && !event.ctrlKey && !event.metaKey;
  const [mod, other] = MAC ? [event.metaKey, event.ctrlKey] : [event.ctrlKey, event.metaKey];
  return mod && !other && event.shiftKey === keys.includes('Shift');
}

/** @param {KeyboardEvent} event @returns {boolean} whether the key is text for a field */
function isTyping({ target }) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('input, textarea, select'))
  );
}
