/**
 * The actions that the palette offers. Most press a button of the page, and are offered while that
 * button is.
 *
 * @typedef {{key: string, label: string, icon: string, keys?: string[], run: () => void}} Command
 */
import { fromRoot } from '../core/address.js';
import { findAs } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { dialog } from '../ui/dialog.js';

/** Key of the text, icon, and the button. */
const BUTTONS = [
  ['sidebar.new', 'compose', '[data-new-chat]'],
  ['documents.add', 'plus', '[data-add-documents]'],
  ['knowledge.title', 'book', '[data-open-knowledge]'],
  ['settings.title', 'gear', '[data-open-settings]'],
  ['connect.title', 'plug', '[data-connect]'],
  ['code.title', 'code', '[data-use-from-code]'],
  ['keys.title', 'keyboard', '[data-open-keys]'],
  ['sidebar.toggle', 'panel', '[data-toggle-sidebar]'],
  ['account.sign_out', 'logout', '[data-sign-out]'],
];
const KEYS = { 'sidebar.new': ['Mod', 'Shift', 'O'], 'keys.title': ['Mod', '/'] };

/** @param {string|null} session the chat that is shown @returns {Command[]} */
export const commands = (session) => [
  ...buttons(),
  ...(session ? exports(session) : []),
  ...themes(),
  ...languages(),
];

/** @returns {Command[]} */
function buttons() {
  return BUTTONS.flatMap(([text, icon, selector]) => {
    const button = document.querySelector(selector);
    if (!(button instanceof HTMLElement) || button.hidden) return [];
    const keys = /** @type {Record<string, string[]>} */ (KEYS)[text];
    return { key: text, label: t(text), icon, keys, run: () => button.click() };
  });
}

/** @param {string} session @returns {Command[]} */
function exports(session) {
  return ['md', 'json'].map((format) => ({
    key: `export ${format}`,
    label: t(`find.export.${format}`),
    icon: 'download',
    run: () => {
      const link = document.createElement('a');
      link.href = fromRoot(`/api/sessions/${session}/export?format=${format}`);
      link.download = '';
      link.click();
    },
  }));
}

/** @returns {Command[]} */
function themes() {
  const choices = [...dialog('settings').querySelectorAll('[name="theme"]')];
  return choices
    .filter((choice) => choice instanceof HTMLInputElement)
    .filter((choice) => !choice.checked)
    .map((choice) => ({
      key: `theme ${choice.value}`,
      label: t('find.theme', { name: t(`settings.theme.${choice.value || 'system'}`) }),
      icon: 'contrast',
      run: () => choice.click(),
    }));
}

/** @returns {Command[]} */
function languages() {
  const select = findAs(dialog('settings'), '[data-language]', HTMLSelectElement);
  return [...select.options]
    .filter((option) => !option.selected)
    .map((option) => ({
      key: `language ${option.value}`,
      label: t('find.language', { name: option.text }),
      icon: 'globe',
      run: () => {
        select.value = option.value;
        select.dispatchEvent(new Event('change'));
      },
    }));
}
