/**
 * The notice that a proxy buffers answers, and how to fix it; shown until it is dismissed.
 */
import { find } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { readStored, store } from '../core/storage.js';
import { copyWithFeedback } from '../ui/copy-button.js';
import { announce } from '../ui/announce.js';

const DISMISSED = 'heldback.dismissed';
const DOUBTS = 'heldback.doubts';
/** Suspicious answers in a row before the notice is shown. */
const ENOUGH = 2;

/**
 * @param {{manual: (question: string) => void, grown: () => void}} deps manual: open the manual
 *   at the answer to a question
 * @returns {{arrived: (verdict: import('../net/buffering.js').Verdict|undefined) => void,
 *   hide: () => void}} arrived: called with the verdict on each answer
 */
export function mountBufferingNotice({ manual, grown }) {
  const root = find(document, '[data-heldback]');
  const lines = find(root, '[data-heldback-lines]');
  const hide = () => void (root.hidden = true);
  find(root, '[data-heldback-close]').addEventListener('click', () => {
    hide();
    store(DISMISSED, true);
  });
  find(root, '[data-heldback-manual]').addEventListener('click', () =>
    manual(t('heldback.question')),
  );
  const copy = find(root, '[data-heldback-copy]');
  copy.addEventListener('click', () => void copyWithFeedback(copy, lines.textContent ?? ''));
  /** @param {import('../net/buffering.js').Verdict|undefined} verdict */
  const arrived = (verdict) => {
    if (verdict === 'flowing') hide();
    const doubts = verdict === 'suspicious' ? Number(readStored(DOUBTS) ?? 0) + 1 : 0;
    if (verdict === 'suspicious' || verdict === 'flowing') store(DOUBTS, doubts || null);
    if ((verdict !== 'buffered' && doubts < ENOUGH) || readStored(DISMISSED)) return;
    root.hidden = false;
    announce(t('heldback.title'));
    grown();
  };
  return { arrived, hide };
}
