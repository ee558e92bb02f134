/**
 * A menu of the question field, which follows what is typed. The focus stays in the field, as in a
 * combobox: ↑ and ↓ move, Enter, Tab or a click choose, Escape closes.
 */
import { betweenClicks, delegate, findAs, isComposing } from '../core/dom.js';
import { toastError } from '../ui/toast.js';

/**
 * @param {HTMLElement} form the composer @param {HTMLElement} list
 * @param {{rows: () => Promise<HTMLElement[]>, take: (row: HTMLElement) => void,
 *   closed: () => void}} deps rows: for what is typed now; none close the menu
 * @returns {{input: HTMLTextAreaElement, close: () => void}}
 */
export function mountFieldMenu(form, list, { rows, take, closed }) {
  const input = findAs(form, '[data-input]', HTMLTextAreaElement);
  let active = 0;
  let updates = 0;
  const show = betweenClicks(list);

  const options = () => [...list.children].filter((row) => row instanceof HTMLElement);

  const close = () => {
    if (!list.hidden) input.removeAttribute('aria-activedescendant');
    list.hidden = true;
    closed();
  };

  /** @param {number} at */
  const activate = (at) => {
    const found = options();
    active = (at + found.length) % found.length;
    found.forEach((row, place) => row.setAttribute('aria-selected', String(place === active)));
    found[active]?.scrollIntoView({ block: 'nearest' });
    input.setAttribute('aria-activedescendant', found[active]?.id ?? '');
  };

  const update = async () => {
    updates += 1;
    const number = updates;
    const found = await rows();
    show(() => {
      if (number !== updates) return; // more was typed, or chosen, meanwhile
      if (!found.length) return close();
      list.replaceChildren(...found);
      list.hidden = false;
      activate(0);
    });
  };

  const choose = () => take(options()[active]);

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
        Enter: choose,
        Tab: choose,
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
  delegate(list, 'click', '[role="option"]', take);
  return { input, close };
}

/**
 * Put text into the field as if it were typed.
 * @param {HTMLTextAreaElement} input @param {string} text @param {number} [caret]
 */
export function type(input, text, caret = text.length) {
  input.value = text;
  input.setSelectionRange(caret, caret);
  input.dispatchEvent(new Event('input', { bubbles: true }));
  input.focus();
}
