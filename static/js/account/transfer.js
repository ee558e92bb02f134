/** Settings, Your data: exporting all chats, and importing them with a report of what was taken. */
import { fromRoot } from '../core/address.js';
import { find, findAs, showText } from '../core/dom.js';
import { count, t } from '../core/i18n.js';
import { refusal } from '../net/api.js';

/**
 * @typedef {{chats: number, messages: number, grown: number, present: number,
 *   left_out_chats: number, left_out: {title: string, message: string}[],
 *   parts: {count: number, message: string}[]}} Report
 */

/** @param {HTMLElement} root @param {{imported: () => void}} deps */
export function mountTransfer(root, { imported }) {
  const button = findAs(root, '[data-import]', HTMLButtonElement);
  const input = findAs(root, '[data-import-file]', HTMLInputElement);
  const result = find(root, '[data-import-result]');
  const list = find(root, '[data-import-report]');
  find(root, '[data-export-all]').setAttribute('href', fromRoot('/api/sessions/export'));

  /** @param {string} kind @param {string} text @param {string[]} [rest] */
  const show = (kind, text, rest = []) => {
    result.dataset.result = kind;
    showText(result, text);
    list.replaceChildren(...rest.map(line));
  };

  const run = async () => {
    const body = new FormData();
    for (const file of input.files ?? []) body.append('files', file);
    input.value = '';
    button.disabled = true;
    show('', t('settings.import.running'));
    try {
      const report = await send(body);
      show(report.chats || report.grown ? 'ok' : '', summary(report), details(report));
      if (report.chats || report.grown) imported();
    } catch (error) {
      show('failed', error instanceof Error ? error.message : String(error));
    }
    button.disabled = false;
    result.scrollIntoView({ block: 'nearest' });
  };

  button.addEventListener('click', () => input.click());
  input.addEventListener('change', () => void run());
}

/** @param {FormData} body @returns {Promise<Report>} */
async function send(body) {
  const path = fromRoot('/api/sessions/import');
  const response = await fetch(path, { method: 'POST', body }).catch(() => {
    throw new Error(t('net.unreachable'));
  });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

/** @param {Report} report @returns {string} */
function summary({ chats, messages, grown, present, left_out_chats: left }) {
  return [
    t('settings.import.added', {
      chats: count('settings.data.chats', chats),
      messages: count('settings.data.messages', messages),
    }),
    grown ? t('settings.import.grown', { chats: count('settings.data.chats', grown) }) : '',
    present ? t('settings.import.present', { chats: count('settings.data.chats', present) }) : '',
    left ? t('settings.import.left_out', { chats: count('settings.data.chats', left) }) : '',
  ]
    .filter(Boolean)
    .join(' ');
}

/** @param {Report} report @returns {string[]} what was not taken, and why */
function details({ left_out, parts }) {
  return [
    ...parts.map((part) =>
      t('settings.import.part', { what: part.message, n: part.count.toLocaleString() }),
    ),
    ...left_out.map(({ title, message }) =>
      t('settings.import.chat', { title: title || t('session.untitled'), why: message }),
    ),
  ];
}

/** @param {string} text */
function line(text) {
  const item = document.createElement('li');
  item.textContent = text;
  item.dir = 'auto';
  return item;
}
