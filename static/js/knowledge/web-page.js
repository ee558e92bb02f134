/** Web pages as files: the form that adds one, its address as a link, and when it was fetched. */
import { webAddress } from '../core/address.js';
import { findAs, find, isComposing, showText } from '../core/dom.js';
import { day } from '../core/format.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { toast } from '../ui/toast.js';

/** @typedef {import('../types.js').StoredFile} StoredFile */

/** Characters that change how an address reads; they stay encoded. */
const CONFUSING = /[\p{C}\p{Z}]/u;

/**
 * @param {HTMLElement} root
 * @param {{api: import('../net/api.js').Api, base: () => string|null, added: () => void}} deps
 *   base: to which the page is added
 */
export function mountPageForm(root, { api, base, added }) {
  const form = findAs(root, '[data-page-form]', HTMLFormElement);
  const field = findAs(form, '[data-page-address]', HTMLInputElement);
  const button = findAs(form, '[data-page-add]', HTMLButtonElement);
  const problem = find(root, '[data-page-problem]');
  const show = (/** @type {string} */ text) => {
    showText(problem, text);
    field.setAttribute('aria-invalid', String(text !== ''));
  };
  const add = async () => {
    const url = field.value.trim();
    if (!url) return field.focus();
    if (button.disabled) return;
    button.disabled = true;
    show('');
    try {
      const { items } = await api.post(`/api/knowledge/${base()}/files`, { url });
      field.value = '';
      if (items[0].duplicate) toast(t('page.known', { name: items[0].name }));
      else announce(t('page.added'));
      added();
    } catch (error) {
      show(error instanceof Error ? error.message : String(error));
    }
    button.disabled = false;
    field.focus();
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void add();
  });
  field.addEventListener('input', () => show(''));
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && isComposing(event)) event.stopPropagation();
  });
}

/** @param {HTMLElement} link an `a` @param {StoredFile} file */
export function showAddress(link, file) {
  const address = webAddress(file.web_page?.url);
  link.hidden = !address;
  if (!address) return link.removeAttribute('href');
  link.setAttribute('href', address);
  link.textContent = readable(address);
  link.title = address;
}

/** @param {string} address @returns {string} without the encoding of letters */
function readable(address) {
  return address.replace(/(%[0-9a-f]{2})+/gi, (bytes) => {
    try {
      const text = decodeURIComponent(bytes);
      return CONFUSING.test(text) || /[%?#/&=]/.test(text) ? bytes : text;
    } catch {
      return bytes;
    }
  });
}

/** @param {StoredFile} file @returns {string} when a page was fetched, and what came of the last */
export function fetched({ web_page: page }) {
  if (!page) return '';
  if (page.again === 'fetching') return t('page.again');
  if (!page.fetched_at) return '';
  const key = page.again === 'unchanged' ? 'page.unchanged' : 'page.fetched';
  return t(key, { day: day(page.fetched_at) });
}

/** Why a page keeps its old content. @param {StoredFile} file @returns {string} */
export const kept = ({ web_page: page }) =>
  page?.again === 'failed' && page.error ? t('page.kept', { reason: page.error.message }) : '';

/** Whether a page may be fetched again now. @param {StoredFile} file @returns {boolean} */
export const canFetch = ({ web_page: page, status }) =>
  Boolean(page) && page?.again !== 'fetching' && (status === 'ready' || status === 'embedding');
