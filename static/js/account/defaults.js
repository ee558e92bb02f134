/**
 * Settings, Answers: the chat defaults of a user. Each field is saved when it changes.
 */
import { find, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';

/** @typedef {import('../types.js').Defaults} Defaults */
/**
 * @typedef {HTMLInputElement|HTMLTextAreaElement} Field `data-default` names the default it edits
 */

const SAVED_MS = 2500;

/**
 * @param {HTMLElement} root @param {{api: import('../net/api.js').Api, defaults: Defaults}} deps
 * @returns {(defaults: Defaults) => void} shows new values, except in a field being edited
 */
export function mountDefaults(root, { api, defaults }) {
  const fields = [...root.querySelectorAll('[data-default]')].filter(isField);
  const saved = find(root, '[data-defaults-saved]');
  const fault = find(root, '[data-defaults-fault]');
  let timer = 0;
  let saving = Promise.resolve();
  /**
   * Resolves when the click that left the field is over: until then the layout must not shift, or
   * the click would miss its target.
   * @type {Promise<void>}
   */
  let clicked = Promise.resolve();

  /** @param {Field} field @param {string} text */
  const showFault = (field, text) => {
    field.closest('label')?.after(fault);
    showText(fault, text);
  };

  const check = () => {
    for (const field of fields) field.ariaInvalid = outOfRange(field) ? 'true' : null;
    const wrong = fields.find((field) => outOfRange(field));
    if (wrong) showFault(wrong, outOfRange(wrong));
    else showText(fault, '');
  };

  /** @param {Defaults} values */
  const show = (values) => {
    for (const field of fields) {
      if (field !== document.activeElement) put(field, valueIn(values, field));
    }
    check();
  };

  /** @param {Field} field */
  const save = async (field) => {
    saved.textContent = '';
    void clicked.then(() => {
      check();
      if (outOfRange(field)) fault.scrollIntoView({ block: 'nearest' });
    });
    if (outOfRange(field)) return;
    const value = valueOf(field);
    try {
      const me = await api.patch('/api/auth/me', { defaults: { [nameOf(field)]: value } });
      if (valueOf(field) === value) put(field, valueIn(me.defaults, field));
      saved.textContent = t('settings.saved');
      clearTimeout(timer);
      timer = window.setTimeout(() => (saved.textContent = ''), SAVED_MS);
    } catch (error) {
      showFault(field, error instanceof Error ? error.message : String(error));
      fault.scrollIntoView({ block: 'nearest' });
    }
  };

  root.addEventListener('pointerdown', () => {
    clicked = new Promise((done) =>
      window.addEventListener('pointerup', () => setTimeout(done), { once: true }),
    );
  });
  for (const field of fields) {
    field.addEventListener('change', () => {
      saving = saving.then(() => save(field)); // in order, so that the last value wins
    });
  }
  show(defaults);
  return show;
}

/** @param {Element} element @returns {element is Field} */
const isField = (element) =>
  element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;

/** @param {Field} field @returns {string} */
const nameOf = (field) => field.dataset.default ?? '';

/** @param {Defaults} values @param {Field} field */
const valueIn = (values, field) => values[/** @type {keyof Defaults} */ (nameOf(field))];

/**
 * @param {Field} field
 * @returns {Defaults[keyof Defaults]} null for an empty field: the built-in default
 */
function valueOf(field) {
  if (field instanceof HTMLInputElement && field.type === 'checkbox') return field.checked;
  if (!field.value.trim()) return null;
  return field.type === 'number' ? Number(field.value) : field.value;
}

/** @param {Field} field @param {Defaults[keyof Defaults]} value */
function put(field, value) {
  if (field instanceof HTMLInputElement && field.type === 'checkbox') {
    field.checked = Boolean(value);
  } else field.value = String(value ?? '');
}

/** @param {Field} field @returns {string} the error message; empty for a valid value */
function outOfRange(field) {
  if (!(field instanceof HTMLInputElement)) return '';
  const { badInput, rangeOverflow, rangeUnderflow, stepMismatch } = field.validity;
  const whole = field.step === '1';
  if (!(badInput || rangeOverflow || rangeUnderflow || (whole && stepMismatch))) return '';
  const { min, max } = field;
  return t(whole ? 'settings.range.whole' : 'settings.range', {
    name: t(`settings.${nameOf(field)}`),
    min,
    max,
  });
}
