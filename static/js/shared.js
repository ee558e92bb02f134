/**
 * The page of a shared chat: formats the answers, which the server sends as plain text. Connects to
 * nothing.
 */
import { readConfig } from './core/config.js';
import { delegate, find, hideUnloaded } from './core/dom.js';
import { mountTextControls, textEngine } from './chat/text-controls.js';
import { renderWhole } from './markdown/stream.js';

hideUnloaded();
readConfig();
const engine = textEngine();
for (const message of document.querySelectorAll('[data-shared-message][data-role=assistant]')) {
  const root = find(message, '[data-shared-text]');
  const text = root.textContent ?? '';
  const sources = [...message.querySelectorAll('[data-shared-source]')];
  const numbers = sources.map((source) => Number(source.getAttribute('data-shared-source')));
  renderWhole(root, engine, text, numbers);
  root.classList.remove('shared-plain');
}
delegate(document, 'click', '.cite', (button) => {
  const message = button.closest('[data-shared-message]') ?? document;
  find(message, `[data-shared-source="${button.dataset.n}"]`).focus();
});
mountTextControls(document.body);
