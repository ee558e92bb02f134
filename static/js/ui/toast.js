/** Toasts: short messages with at most one action. Errors stay until they are closed. */
import { clone, find, fill } from '../core/dom.js';

const TOAST_MS = 5000;

/**
 * @param {string} text
 * @param {{action?: string, run?: () => void, gone?: () => void, stays?: boolean}} [options]
 *   `gone` is called when the toast closes without its action.
 */
export function toast(text, { action, run, gone, stays = false } = {}) {
  const element = fill(clone('toast'), { text });
  const button = find(element, '[data-toast-action]');
  const close = () => {
    clearTimeout(timer);
    element.remove();
  };
  const leave = () => {
    close();
    gone?.();
  };
  const timer = stays ? 0 : setTimeout(leave, TOAST_MS);
  if (action) {
    button.hidden = false;
    button.textContent = action;
    button.addEventListener('click', () => {
      close();
      run?.();
    });
  }
  find(element, '[data-toast-close]').addEventListener('click', leave);
  (document.querySelector('dialog[open]') ?? find(document, '[data-toasts]')).append(element);
}

/** @param {unknown} error */
export function toastError(error) {
  toast(error instanceof Error ? error.message : String(error), { stays: true });
}
