/** The renderer with the page's words, and what the buttons in a rendered text do. */
import { delegate, find, findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { copyAsTex } from '../markdown/copied.js';
import { rowsOf, toCsv } from '../markdown/csv.js';
import { createEngine } from '../markdown/engine.js';
import { mountFootnotes } from '../markdown/footnotes.js';
import { copyWithFeedback } from '../ui/copy-button.js';
import { note } from './note.js';

export const textEngine = () =>
  createEngine({
    copy: t('app.copy'),
    wrap: t('code.wrap'),
    csv: t('table.csv'),
    draw: t('diagram.draw'),
    citation: (n) => t('sources.citation', { n }),
    done: t('answer.task_done'),
    open: t('answer.task_open'),
    fold: t('answer.fold'),
    footnote: (n) => t('answer.footnote', { n }),
    footnotes: t('answer.footnotes'),
    back: t('answer.footnote_back'),
  });

/** @param {HTMLElement} root that contains rendered texts, `[data-text]` */
export function mountTextControls(root) {
  root.addEventListener('copy', copyAsTex);
  mountFootnotes(root);
  delegate(root, 'click', '[data-copy-code]', (button) => {
    const code = find(button.closest('figure') ?? button, 'code');
    void copyWithFeedback(button, code.textContent ?? '');
  });
  delegate(root, 'click', '[data-copy-table]', (button) => {
    const table = findAs(button.parentElement ?? button, 'table', HTMLTableElement);
    void copyWithFeedback(button, toCsv(rowsOf(table)));
  });
  delegate(root, 'click', '[data-draw]', (button) => void draw(button));
  delegate(root, 'click', '[data-wrap-code]', (button) => {
    const wrapped = button.closest('figure')?.classList.toggle('wrapped') ?? false;
    button.setAttribute('aria-pressed', String(wrapped));
  });
}

/** @param {HTMLElement} button */
async function draw(button) {
  try {
    const { toggleDiagram } = await import('./diagram.js');
    toggleDiagram(button);
  } catch {
    note(button.closest('figure') ?? button, t('diagram.unreachable'));
  }
}
