/** Marks of suppliers: one or two letters of the name on a quiet tint, drawn here. */

const SVG = 'http://www.w3.org/2000/svg';
/** Tints in css/menus.css. */
const TINTS = 5;
/** Parts of a host that say nothing about whose it is. */
const COMMON = /^(?:https?:\/\/)?(?:(?:www|api|llm|ai)\.)+/i;

/** @param {string} name of a supplier @returns {string} one or two letters */
export function letters(name) {
  const plain = name.replace(COMMON, '').replace(/^\w+:\/\//, '').replace(/\/.*/, '').trim();
  const [first = '·'] = plain.match(/[\p{L}\p{N}]/u) ?? [];
  if (/[^\p{Script=Latin}\p{N}]/u.test(first)) return first;
  const rest = plain.slice(plain.indexOf(first) + 1);
  const [second = ''] =
    rest.match(/(?<=\p{Ll})\p{Lu}|(?<=[\s(_-])[\p{L}\p{N}]/u) ?? rest.match(/^[\p{L}\p{N}]/u) ?? [];
  return first.toUpperCase() + second;
}

/** @param {string} name @returns {number} the same for a name everywhere */
export function tint(name) {
  let sum = 0;
  for (const character of name.toLowerCase()) sum = (sum * 31 + character.charCodeAt(0)) % 65_521;
  return sum % TINTS;
}

/**
 * The mark says nothing to screen readers, as the name does; its letters are drawn by the style
 * sheet, so that they do not count as the text of a button either.
 * @param {string} name @returns {HTMLElement}
 */
export function monogram(name) {
  const mark = made(String(tint(name)));
  mark.dataset.letters = letters(name);
  return mark;
}

/** The mark of the built-in model, the product's own. */
export function ownMark() {
  const mark = made('own');
  const seal = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', '#i-seal');
  seal.append(use);
  mark.append(seal);
  return mark;
}

/** @param {string} tinted */
function made(tinted) {
  const mark = document.createElement('span');
  mark.className = 'monogram';
  mark.dataset.tint = tinted;
  mark.setAttribute('aria-hidden', 'true');
  return mark;
}
