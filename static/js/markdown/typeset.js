/**
 * Draws formulas with KaTeX, which loads when the first one comes. Until then, and where a formula
 * cannot be drawn, its source stays.
 */
import { loadStyle, once } from '../core/lazy.js';
import { treeOf } from './tex.js';

const KATEX_STYLE = '../vendor/katex/katex';
const CLOSED = 'code.formula:not(.open)';
const STOPS = /^[,.;:!?)\]，。、；：！？）》」』”’]+/;
/** Drawn formulas that are kept, to be copied when a growing text is rendered again. */
const KEPT = 500;
/** Longer ones, in characters of TeX, may be wider than a phone: they scroll in their own box. */
const LONG_CHARS = 30;
/** A task draws formulas for this long; the next ones are drawn in tasks of their own. */
const TASK_MS = 40;
/** After a failure KaTeX is not asked for again at once. */
const RETRY_MS = 10_000;

/** @type {import('./tex.js').Katex|null} */
let katex = null;
/** @type {Map<string, HTMLElement|null>} by source; null is shown as source */
const drawn = new Map();
/** @type {Map<ParentNode, () => void>} where formulas wait, and what to call when they are drawn */
const waiting = new Map();
let failed = -RETRY_MS;
let spent = 0;

const load = once(async () => {
  await Promise.all([import('katex'), loadStyle(KATEX_STYLE), loadStyle('formula')]);
  await import('katex/contrib/mhchem'); // adds chemistry to what is loaded
  katex = /** @type {any} */ (globalThis).katex;
});

/**
 * Draw the formulas in a part of a text.
 * @param {ParentNode} part
 * @param {ParentNode} root that will contain it; formulas that wait are drawn there
 * @param {() => void} grown called when they are drawn later
 */
export function typeset(part, root, grown) {
  if (!part.querySelector(CLOSED)) return;
  if (katex && drawIn(part)) return;
  waiting.set(root, grown);
  if (katex) setTimeout(drawWaiting);
  else if (performance.now() - failed >= RETRY_MS) {
    load().then(drawWaiting, () => (failed = performance.now()));
  }
}

function drawWaiting() {
  for (const [root, grown] of [...waiting]) {
    const complete = drawIn(root);
    grown();
    if (complete) waiting.delete(root);
    else return void setTimeout(drawWaiting);
  }
}

/**
 * @param {ParentNode} part
 * @returns {boolean} false if the task has no time left for all
 */
function drawIn(part) {
  for (const code of part.querySelectorAll(CLOSED)) {
    if (spent > TASK_MS) return false;
    draw(/** @type {HTMLElement} */ (code));
  }
  return true;
}

/** @param {HTMLElement} code */
function draw(code) {
  const source = code.textContent ?? '';
  const block = code.parentElement?.localName === 'pre';
  const formula = formulaOf(source);
  if (!formula) return code.classList.add('open');
  const copy = /** @type {HTMLElement} */ (formula.cloneNode(true));
  if (!block) {
    code.replaceWith(copy);
    return keepTogether(copy);
  }
  copy.classList.replace('long', 'block');
  copy.classList.add('block');
  copy.tabIndex = 0;
  code.parentElement?.replaceWith(copy);
}

/**
 * A line may break beside a formula; keep a short one together with the full stop after it.
 * @param {HTMLElement} formula
 */
function keepTogether(formula) {
  const after = formula.nextSibling;
  const marks = after instanceof Text ? STOPS.exec(after.data)?.[0] : null;
  if (!marks || !(after instanceof Text) || formula.classList.contains('long')) return;
  after.deleteData(0, marks.length);
  const together = document.createElement('span');
  together.className = 'together';
  formula.replaceWith(together);
  together.append(formula, marks);
}

/** @param {string} source */
function formulaOf(source) {
  const known = drawn.get(source);
  if (known !== undefined) return known;
  const began = performance.now();
  const formula = made(source);
  if (spent === 0) setTimeout(() => (spent = 0));
  spent += performance.now() - began;
  drawn.set(source, formula);
  if (drawn.size > KEPT) drawn.delete(/** @type {string} */ (drawn.keys().next().value));
  return formula;
}

/** @param {string} source @returns {HTMLElement|null} */
function made(source) {
  const tree = katex && treeOf(katex, source);
  if (!tree) return null;
  const formula = document.createElement('span');
  formula.className = source.length > LONG_CHARS ? 'tex long' : 'tex';
  formula.dataset.tex = source;
  formula.append(tree.toNode());
  return formula;
}
