/**
 * Native dialogs: open, close by button or a click outside, and confirm.
 */
import { delegate, find, findAs } from '../core/dom.js';

/** @param {string} name @returns {HTMLDialogElement} */
export const dialog = (name) => findAs(document, `[data-dialog="${name}"]`, HTMLDialogElement);

/** @param {HTMLDialogElement} element */
export function open(element) {
  if (!element.open) element.showModal();
}

/** Wire what all dialogs share. */
export function mountDialogs() {
  delegate(document, 'click', 'dialog [data-close]', (button) => button.closest('dialog')?.close());
  for (const element of document.querySelectorAll('dialog')) {
    element.addEventListener('pointerdown', (event) => {
      if (event.target === element) element.close();
    });
  }
}

/**
 * Confirm an action that cannot be undone.
 * @param {string} text @param {string} yes the button's label @returns {Promise<boolean>}
 */
export function confirm(text, yes) {
  const element = dialog('confirm');
  find(element, '[data-confirm-text]').textContent = text;
  find(element, '[data-confirm-yes]').textContent = yes;
  element.returnValue = 'no';
  open(element);
  return new Promise((resolve) => {
    element.addEventListener('close', () => resolve(element.returnValue === 'yes'), { once: true });
  });
}
