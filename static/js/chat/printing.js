/**
 * Printing a chat: the messages that are not loaded yet are loaded first, and the sources that
 * answers do not cite are listed too. What a printed page looks like is in print.css.
 */
import { delegate, find } from '../core/dom.js';
import { toastError } from '../ui/toast.js';

/** @typedef {import('./navigation.js').Navigation} Navigation */

/** @param {() => Pick<Navigation, 'unloaded'|'readMore'>} navigation of the shown chat */
export function mountPrinting(navigation) {
  const print = async () => {
    await loadAll(navigation());
    window.print();
  };
  delegate(document, 'click', '[data-print]', () => void print().catch(toastError));
  document.addEventListener('keydown', (event) => {
    const keys = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    if (!keys || event.key.toLowerCase() !== 'p' || !isPart(navigation())) return;
    event.preventDefault();
    void print().catch(toastError);
  });
  window.addEventListener('beforeprint', () => {
    find(document, '[data-print-part]').hidden = !isPart(navigation());
    for (const more of document.querySelectorAll('[data-thread] [data-sources-more]')) {
      if (more instanceof HTMLElement && !more.hidden) more.click();
    }
  });
}

/** @param {Pick<Navigation, 'unloaded'>} navigation */
const isPart = ({ unloaded }) => unloaded.earlier || unloaded.later;

/**
 * Load the rest of the shown branch.
 * @param {Pick<Navigation, 'unloaded'|'readMore'>} navigation
 */
export async function loadAll(navigation) {
  for (const where of /** @type {const} */ (['earlier', 'later'])) {
    while (navigation.unloaded[where]) await navigation.readMore(where);
  }
}
