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

/** @param {string} name @returns {SVGSVGElement} says nothing to screen readers: the name does */
export function monogram(name) {
  const svg = element('svg', { class: 'monogram', viewBox: '0 0 24 24', 'aria-hidden': 'true' });
  svg.dataset.tint = String(tint(name));
  const text = element('text', { x: '12', y: '12', dy: '0.36em' });
  text.textContent = letters(name);
  svg.append(element('rect', { width: '24', height: '24', rx: '7' }), text);
  return /** @type {SVGSVGElement} */ (svg);
}

/** The mark of the built-in model, the product's own. */
export function ownMark() {
  const svg = element('svg', { class: 'monogram', viewBox: '0 0 24 24', 'aria-hidden': 'true' });
  svg.dataset.tint = 'own';
  const use = element('use', { href: '#i-seal', width: '24', height: '24' });
  svg.append(element('rect', { width: '24', height: '24', rx: '7' }), use);
  return /** @type {SVGSVGElement} */ (svg);
}

/** @param {string} kind @param {Record<string, string>} attributes */
function element(kind, attributes) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
