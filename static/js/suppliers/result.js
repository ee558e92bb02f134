/** The line in the connect form that says how a test or Save went. */
import { find, showText } from '../core/dom.js';
import { showUpstream } from '../ui/upstream.js';

/** @typedef {import('../types.js').SupplierAnswer} SupplierAnswer */
/**
 * @callback ShowResult
 * @param {string} text
 * @param {'ok'|'failed'|null} kind
 * @param {SupplierAnswer|null} [upstream] what the supplier answered
 * @returns {void}
 */

/** @param {HTMLElement} root holds `[data-result]` @returns {ShowResult} */
export const resultLine = (root) => (text, kind, upstream) => {
  const element = find(root, '[data-result]');
  showText(element, text);
  element.dataset.result = kind ?? '';
  showUpstream(root, upstream);
};
