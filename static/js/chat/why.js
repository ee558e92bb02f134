/**
 * "Why this answer": the fold below an answer's sources. Its content, code and style load when it
 * is opened.
 */
import { find } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { loadStyle, once } from '../core/lazy.js';
import { ApiError } from '../net/api.js';

/** @typedef {import('../types.js').AnswerSearch} AnswerSearch */
/** @typedef {import('../types.js').Message} Message */

const load = once(async () => {
  const [{ showSearch }] = await Promise.all([import('./candidates.js'), loadStyle('why')]);
  return showSearch;
});

/**
 * @param {HTMLElement} thread
 * @param {(element: HTMLElement) => Message|null} messageOf
 * @param {{search: (message: Message) => Promise<AnswerSearch>,
 *   source: (source: import('../types.js').Source) => void}} actions
 */
export function mountWhy(thread, messageOf, { search, source }) {
  const show = async (/** @type {HTMLDetailsElement} */ fold) => {
    const message = messageOf(fold);
    const body = find(fold, '[data-why-body]');
    if (!message || body.ariaBusy === 'true') return;
    if (!body.childElementCount) body.textContent = t('why.loading');
    body.ariaBusy = 'true';
    try {
      const [showSearch, found] = await Promise.all([load(), search(message)]);
      showSearch(body, found, source);
    } catch (error) {
      body.replaceChildren(...problem(error, () => void show(fold)));
    }
    body.ariaBusy = 'false';
  };
  // Toggle events do not bubble.
  const opened = (/** @type {Event} */ event) => {
    const fold = event.target;
    if (fold instanceof HTMLDetailsElement && fold.matches('[data-why]') && fold.open) {
      void show(fold);
    }
  };
  thread.addEventListener('toggle', opened, { capture: true });
}

/** @param {unknown} error @param {() => void} again @returns {Node[]} */
function problem(error, again) {
  const sentence = document.createElement('p');
  sentence.textContent = error instanceof ApiError ? error.message : t('net.unreachable');
  if (error instanceof ApiError && error.status === 404) return [sentence];
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'link-button';
  button.textContent = t('thread.retry');
  button.addEventListener('click', again);
  return [sentence, button];
}
