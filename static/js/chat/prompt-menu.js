/**
 * Saved prompts: `/` at the start of the empty question field lists them; typing filters them by
 * name, Enter or a click inserts the text. The focus stays in the field, as in a combobox.
 *
 * @typedef {{id: string, name: string, text: string}} Prompt
 */
import { clone, delegate, fill, find, findAs, isComposing } from '../core/dom.js';
import { loadStyle, once } from '../core/lazy.js';
import { t } from '../core/i18n.js';
import { toastError } from '../ui/toast.js';

const TYPED = /^\/([^\n/]{0,80})$/;
const PREVIEW_CHARACTERS = 80;

/**
 * @param {HTMLElement} form the composer @param {{api: import('../net/api.js').Api}} deps
 */
export function mountPrompts(form, { api }) {
  const input = findAs(form, '[data-input]', HTMLTextAreaElement);
  const list = find(form, '[data-prompts]');
  /** @type {Prompt[]|null} null: not loaded since the list was opened */
  let prompts = null;
  let active = 0;
  const load = once(async () => {
    const [{ PromptsDialog }] = await Promise.all([
      import('./prompts.js'),
      loadStyle('chat-dialogs'),
    ]);
    return new PromptsDialog({ api });
  });

  const options = () => [...list.children].filter((row) => row instanceof HTMLElement);
  const typed = () => TYPED.exec(input.value)?.[1].toLowerCase();

  const close = () => {
    list.hidden = true;
    prompts = null;
    input.removeAttribute('aria-activedescendant');
  };

  /** @param {number} at */
  const activate = (at) => {
    const rows = options();
    active = (at + rows.length) % rows.length;
    rows.forEach((row, place) => row.setAttribute('aria-selected', String(place === active)));
    rows[active]?.scrollIntoView({ block: 'nearest' });
    input.setAttribute('aria-activedescendant', rows[active]?.id ?? '');
  };

  const draw = () => {
    const wanted = typed();
    if (wanted === undefined || !prompts) return close();
    const found = prompts.filter(({ name }) => name.toLowerCase().includes(wanted));
    list.replaceChildren(
      ...found.map(({ id, name, text }) => row(id, name, text.slice(0, PREVIEW_CHARACTERS))),
      row('', t('prompts.manage'), prompts.length ? '' : t('prompts.none')),
    );
    list.hidden = false;
    activate(0);
  };

  const update = async () => {
    if (typed() === undefined) return close();
    prompts ??= (await api.get('/api/prompts')).items;
    draw();
  };

  /** @param {HTMLElement|undefined} chosen */
  const take = (chosen) => {
    const prompt = prompts?.find(({ id }) => id === chosen?.dataset.prompt);
    close();
    input.value = prompt?.text ?? '';
    input.dispatchEvent(new Event('input', { bubbles: true }));
    input.focus();
    if (!prompt) void load().then((dialog) => dialog.open()).catch(toastError);
  };

  input.addEventListener('input', () => void update().catch(toastError));
  input.addEventListener('blur', close);
  // Before the composer's own listener, which would send the question.
  form.addEventListener(
    'keydown',
    (event) => {
      if (list.hidden || isComposing(event)) return;
      /** @type {Record<string, () => void>} */
      const keys = {
        ArrowDown: () => activate(active + 1),
        ArrowUp: () => activate(active - 1),
        Enter: () => take(options()[active]),
        Tab: () => take(options()[active]),
        Escape: close,
      };
      if (event.shiftKey || !keys[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      keys[event.key]();
    },
    { capture: true },
  );
  list.addEventListener('pointerdown', (event) => event.preventDefault()); // keeps the focus
  delegate(list, 'click', '[data-prompt]', take);
}

/** @param {string} id @param {string} name @param {string} note */
function row(id, name, note) {
  const element = fill(clone('prompt'), { name, note });
  element.dataset.prompt = id;
  element.id = `prompt-${id || 'manage'}`;
  return element;
}
