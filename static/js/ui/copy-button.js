/** Copy to the clipboard and show a check mark on the button for a moment. */
import { copyText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { announce } from './announce.js';

const COPIED_MS = 1500;

/** @param {HTMLElement} button @param {string} text @param {string} [html] the same, formatted */
export async function copyWithFeedback(button, text, html) {
  if (!(await copyText(text, html))) return;
  announce(t('app.copied'));
  if ('done' in button.dataset) return;
  const drawing = button.querySelector('use');
  const before = drawing ? drawing.getAttribute('href') : button.textContent;
  /** @param {string|null} shape */
  const show = (shape) =>
    drawing ? drawing.setAttribute('href', shape ?? '') : (button.textContent = shape);
  button.dataset.done = '';
  show(drawing ? '#i-check' : t('app.copied'));
  setTimeout(() => {
    delete button.dataset.done;
    show(before);
  }, COPIED_MS);
}
