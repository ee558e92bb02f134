/**
 * What is copied of a rendered text: a selection with formulas as TeX, as the answer's text has
 * them, and the whole as HTML for programs that take formatted text.
 */

/** Attributes that mean something outside of this page. */
const KEPT = ['href', 'start'];
const CONTROLS = 'button, iframe, figcaption, [data-diagram-note]';

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
  if (!part.querySelector('[data-tex]')) return;
  toSources(part);
  for (const button of part.querySelectorAll('button')) button.remove();
  part.className = 'copied';
  document.body.append(part); // `innerText` knows lines of what is laid out only
  event.clipboardData.setData('text/plain', part.innerText.trim());
  part.remove();
  part.removeAttribute('class');
  event.clipboardData.setData('text/html', new XMLSerializer().serializeToString(part));
  event.preventDefault();
}

/**
 * @param {HTMLElement} text rendered
 * @returns {string} its HTML without controls, and without classes, which mean nothing elsewhere
 */
export function richText(text) {
  const part = document.createElement('div');
  part.append(...[...text.childNodes].map((node) => node.cloneNode(true)));
  toSources(part);
  for (const mark of part.querySelectorAll('[data-footnote]')) {
    const number = document.createElement('sup');
    number.textContent = mark.textContent;
    mark.replaceWith(number);
  }
  for (const control of part.querySelectorAll(CONTROLS)) control.remove();
  for (const code of part.querySelectorAll('pre code')) {
    code.replaceChildren(code.textContent ?? '');
  }
  for (const element of part.querySelectorAll('*')) {
    for (const name of element.getAttributeNames()) {
      if (!KEPT.includes(name)) element.removeAttribute(name);
    }
  }
  return new XMLSerializer().serializeToString(part);
}

/** Show formulas and citations as in the source. @param {HTMLElement} part */
function toSources(part) {
  for (const formula of part.querySelectorAll('[data-tex]')) {
    formula.replaceWith(asSource(/** @type {HTMLElement} */ (formula)));
  }
  for (const chip of part.querySelectorAll('.cite')) chip.replaceWith(`[${chip.textContent}]`);
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
