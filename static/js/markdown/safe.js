/**
 * The only place where HTML becomes nodes: sanitised, as a fragment, under the Trusted Types
 * policy of DOMPurify.
 */
import 'dompurify';
import { withoutSpelled } from './spelled.js';

/** @type {import('dompurify').DOMPurify} */
const purify = /** @type {any} */ (globalThis).DOMPurify;

const TAGS = [
  'a',
  'blockquote',
  'br',
  'button',
  'code',
  'del',
  'details',
  'div',
  'em',
  'figcaption',
  'figure',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'hr',
  'li',
  'ol',
  'p',
  'pre',
  's',
  'span',
  'strong',
  'summary',
  'table',
  'tbody',
  'td',
  'th',
  'thead',
  'tr',
  'ul',
];
/** Attributes without URLs: their values are exempt from ALLOWED_URI_REGEXP. */
const PLAIN = [
  'title',
  'rel',
  'target',
  'class',
  'type',
  'start',
  'tabindex',
  'aria-label',
  'role',
  'open',
  'data-n',
  'data-copy-code',
  'data-footnote',
  'data-footnote-text',
  'data-footnote-back',
  'data-wrap-code',
  'data-draw',
  'data-copy-table',
  'aria-pressed',
];

/** @param {string} html from `engine.js` @returns {DocumentFragment} */
export function toFragment(html) {
  return purify.sanitize(withoutSpelled(html), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: [...PLAIN, 'href'],
    ADD_URI_SAFE_ATTR: PLAIN,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
    RETURN_DOM_FRAGMENT: true,
  });
}
