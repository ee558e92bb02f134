/**
 * The page of a shared chat: formats the answers, which the server sends as plain text. Connects to
 * nothing.
 */
import { readConfig } from './core/config.js';
import { delegate, find, hideUnloaded } from './core/dom.js';
import { t } from './core/i18n.js';
import { createEngine } from './markdown/engine.js';
import { StreamRenderer } from './markdown/stream.js';
import { copyWithFeedback } from './ui/copy-button.js';

hideUnloaded();
readConfig();
const engine = createEngine({ copy: t('app.copy'), citation: (n) => t('sources.citation', { n }) });
for (const message of document.querySelectorAll('[data-shared-message][data-role=assistant]')) {
  const root = find(message, '[data-shared-text]');
  const text = root.textContent ?? '';
  const renderer = new StreamRenderer(root, engine);
  renderer.cite(
    [...message.querySelectorAll('[data-shared-source]')].map((source) =>
      Number(source.getAttribute('data-shared-source')),
    ),
  );
  renderer.append(text);
  renderer.finish();
  root.classList.remove('shared-plain');
}
delegate(document, 'click', '.cite', (button) => {
  const message = button.closest('[data-shared-message]') ?? document;
  find(message, `[data-shared-source="${button.dataset.n}"]`).focus();
});
delegate(document, 'click', '[data-copy-code]', (button) => {
  const code = find(button.closest('figure') ?? button, 'code');
  void copyWithFeedback(button, code.textContent ?? '');
});
