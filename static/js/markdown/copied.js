/** Copies a selection with formulas as TeX, as the answer's text has them. */

/** @param {ClipboardEvent} event */
export function copyAsTex(event) {
  const selection = getSelection();
  if (!event.clipboardData || !selection || selection.isCollapsed) return;
  const range = selection.getRangeAt(0).cloneRange();
  const [first, last] = [formulaAt(range.startContainer), formulaAt(range.endContainer)];
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  const part = document.createElement('div');
  part.append(range.cloneContents());
  const formulas = part.querySelectorAll('[data-tex]');
  if (!formulas.length) return;
  for (const formula of formulas) {
    formula.replaceWith(asSource(/** @type {HTMLElement} */ (formula)));
  }
  for (const chip of part.querySelectorAll('.cite')) chip.replaceWith(`[${chip.textContent}]`);
  for (const button of part.querySelectorAll('button')) button.remove();
  part.className = 'copied';
  document.body.append(part); // `innerText` knows lines of what is laid out only
  event.clipboardData.setData('text/plain', part.innerText.trim());
  part.remove();
  part.removeAttribute('class');
  event.clipboardData.setData('text/html', new XMLSerializer().serializeToString(part));
  event.preventDefault();
}

/** @param {Node} node @returns {Element|null} the formula that contains a node */
function formulaAt(node) {
  const element = node instanceof Element ? node : node.parentElement;
  return element?.closest('[data-tex]') ?? null;
}

/** @param {HTMLElement} formula */
function asSource({ dataset, classList }) {
  const source = document.createElement(classList.contains('block') ? 'p' : 'span');
  source.textContent = dataset.tex ?? '';
  return source;
}
