/**
 * Folded details in `[data-upstream]`: what a supplier answered, which only administrators receive.
 * Shown as text: it may be of any form.
 */
import { find, findAs, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';

/** @typedef {import('../types.js').SupplierAnswer} SupplierAnswer */

/** @param {HTMLElement} root @param {SupplierAnswer|null|undefined} answer */
export function showUpstream(root, answer) {
  const details = findAs(root, '[data-upstream]', HTMLDetailsElement);
  details.hidden = !answer;
  if (!answer) details.open = false;
  const { status, text } = answer ?? { status: 0, text: '' };
  const line = status ? t('upstream.status', { status: String(status) }) : '';
  showText(find(details, '[data-upstream-status]'), line);
  find(details, '[data-upstream-text]').textContent = text;
}
