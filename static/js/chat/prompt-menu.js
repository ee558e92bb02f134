/**
 * Saved prompts: `/` at the start of the empty question field lists them; typing filters them by
 * name, Enter or a click inserts the text.
 *
 * @typedef {{id: string, name: string, text: string}} Prompt
 */
import { clone, fill, find } from '../core/dom.js';
import { loadStyle, once } from '../core/lazy.js';
import { t } from '../core/i18n.js';
import { toastError } from '../ui/toast.js';
import { mountFieldMenu, type } from './field-menu.js';

const TYPED = /^\/([^\n/]{0,80})$/;
const PREVIEW_CHARACTERS = 80;

/**
 * @param {HTMLElement} form the composer @param {{api: import('../net/api.js').Api}} deps
 */
export function mountPrompts(form, { api }) {
  /** @type {Prompt[]|null} null: not loaded since the list was opened */
  let prompts = null;
  const load = once(async () => {
    const [{ PromptsDialog }] = await Promise.all([
      import('./prompts.js'),
      loadStyle('chat-dialogs'),
    ]);
    return new PromptsDialog({ api });
  });

  const typed = () => TYPED.exec(menu.input.value)?.[1].toLowerCase();

  const rows = async () => {
    if (typed() === undefined) return [];
    const known = (prompts ??= /** @type {Prompt[]} */ ((await api.get('/api/prompts')).items));
    const wanted = typed();
    if (wanted === undefined) return [];
    const found = known.filter(({ name }) => name.toLowerCase().includes(wanted));
    return [
      ...found.map(({ id, name, text }) => row(id, name, text.slice(0, PREVIEW_CHARACTERS))),
      row('', t('prompts.manage'), known.length ? '' : t('prompts.none')),
    ];
  };

  /** @param {HTMLElement} chosen */
  const take = (chosen) => {
    const prompt = prompts?.find(({ id }) => id === chosen.dataset.prompt);
    menu.close();
    type(menu.input, prompt?.text ?? '');
    if (!prompt) void load().then((dialog) => dialog.open()).catch(toastError);
  };

  const menu = mountFieldMenu(form, find(form, '[data-prompts]'), {
    rows,
    take,
    closed: () => (prompts = null),
  });
}

/** @param {string} id @param {string} name @param {string} note */
function row(id, name, note) {
  const element = fill(clone('prompt'), { name, note });
  element.dataset.prompt = id;
  element.id = `prompt-${id || 'manage'}`;
  return element;
}
