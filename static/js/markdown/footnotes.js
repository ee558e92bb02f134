/** From the number of a footnote to its text and back. */
import { delegate } from '../core/dom.js';

/** @param {HTMLElement} root contains texts, `[data-text]` */
export function mountFootnotes(root) {
  delegate(root, 'click', '[data-footnote]', (number) =>
    show(number, `[data-footnote-text="${number.dataset.footnote}"]`),
  );
  delegate(root, 'click', '[data-footnote-back]', (back) =>
    show(back, `[data-footnote="${back.dataset.footnoteBack}"]`),
  );
}

/** @param {HTMLElement} from @param {string} selector of what is shown in the same text */
function show(from, selector) {
  const found = from.closest('[data-text]')?.querySelector(selector);
  if (!(found instanceof HTMLElement)) return;
  for (let fold = found.closest('details'); fold; fold = outside(fold)) fold.open = true;
  found.scrollIntoView({ block: 'center' });
  found.focus({ preventScroll: true });
}

/** @param {Element} fold */
const outside = (fold) => fold.parentElement?.closest('details') ?? null;
