/** The advanced options of a supplier, in the connect form. An empty field means the default. */
import { findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';

/** @typedef {Record<string, unknown>} Options */
/** @typedef {HTMLInputElement|HTMLTextAreaElement} Field `data-supplier-option` names its option */

/** @type {Record<string, string>} */
const LABELS = {
  connect_seconds: 'connect.option.connect',
  first_token_seconds: 'connect.option.first_token',
  idle_seconds: 'connect.option.idle',
  answer_seconds: 'connect.option.answer',
  headers: 'connect.option.headers',
  body: 'connect.option.body',
};

export class OptionsForm {
  #root;
  #fields;
  /** @type {Options} */ #stored = {};

  /** @param {HTMLElement} form @param {() => void} changed called when a field is edited */
  constructor(form, changed) {
    this.#root = findAs(form, '[data-advanced]', HTMLDetailsElement);
    this.#fields = [...this.#root.querySelectorAll('[data-supplier-option]')].filter(isField);
    this.#root.addEventListener('input', changed);
  }

  /** @param {Options|null|undefined} options as stored; header values are masked as `***` */
  show(options) {
    this.#stored = options ?? {};
    for (const field of this.#fields) field.value = this.#storedText(field);
    this.#root.open = this.#fields.some((field) => field.value !== '');
  }

  /**
   * Return the options that differ from the stored ones; null removes one.
   * @returns {Options}
   * @throws {Error} with a message for people where a field is invalid
   */
  changes() {
    /** @type {Options} */
    const changes = {};
    for (const field of this.#fields) {
      const text = field.value.trim();
      if (text === this.#storedText(field) && !field.validity.badInput) continue;
      changes[nameOf(field)] = text || field.validity.badInput ? this.#valueOf(field) : null;
    }
    return changes;
  }

  /** @param {Field} field @returns {unknown} */
  #valueOf(field) {
    const name = nameOf(field);
    const value = read(name, field.value.trim());
    if (value !== undefined) return value;
    this.#root.open = true;
    field.focus();
    const [label, reason] = [t(LABELS[name]), t(reasonFor(name))];
    throw new Error(t('connect.fault', { field: label, reason }));
  }

  /** @param {Field} field */
  #storedText(field) {
    return write(nameOf(field), this.#stored[nameOf(field)]);
  }
}

/** @param {Element} element @returns {element is Field} */
const isField = (element) =>
  element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;

/** @param {Field} field @returns {string} */
const nameOf = (field) => field.dataset.supplierOption ?? '';

/** @param {string} name @returns {string} the key of the sentence for an invalid value */
function reasonFor(name) {
  if (name === 'headers') return 'connect.option.headers.fault';
  return name === 'body' ? 'connect.option.body.fault' : 'connect.option.seconds.fault';
}

/** @param {string} name @param {string} text @returns {unknown} undefined where it is invalid */
function read(name, text) {
  if (name === 'headers') return headersOf(text);
  if (name === 'body') return objectOf(text);
  if (!name.endsWith('_seconds')) return text;
  return Number(text) > 0 ? Number(text) : undefined;
}

/** @param {string} name @param {unknown} value @returns {string} the text for the field */
function write(name, value) {
  if (value === undefined || value === null) return '';
  if (name === 'body') return JSON.stringify(value, null, 2);
  if (name !== 'headers') return String(value);
  return Object.entries(value)
    .map(([header, content]) => `${header}: ${content}`)
    .join('\n');
}

/** @param {string} text a header a line @returns {Record<string, string>|undefined} */
function headersOf(text) {
  const lines = text.split('\n').filter((line) => line.trim());
  const pairs = lines.map((line) => /^\s*([^\s:]+)\s*:\s*(.*?)\s*$/.exec(line));
  if (pairs.includes(null)) return undefined;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1], pair?.[2]]));
}

/** @param {string} text @returns {object|undefined} */
function objectOf(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
