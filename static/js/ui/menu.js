/**
 * Menu buttons: arrow keys, Escape and clicks outside; focus returns to the button. At most one
 * menu is open. A menu belongs to one button (`mountMenu`), or many buttons share it: wire it once
 * and open it at the button that was clicked.
 */

const GAP_PX = 4;

/** @type {{button: HTMLElement, list: HTMLElement, closed?: () => void}|null} */
let opened = null;

/**
 * @param {HTMLElement} button @param {HTMLElement} list
 * @param {{before?: () => void}} [options] `before` fills the list before it opens
 * @returns {{close: () => void}}
 */
export function mountMenu(button, list, { before } = {}) {
  wireMenu(list);
  button.addEventListener('click', () => {
    if (opened?.list === list) return closeMenu();
    closeMenu();
    before?.();
    openMenu(button, list);
  });
  return { close: () => opened?.list === list && closeMenu() };
}

/** Let the entries of a menu be chosen by pointer and keys. @param {HTMLElement} list */
export function wireMenu(list) {
  list.addEventListener(
    'click',
    (event) => {
      if (event.target instanceof Element && event.target.closest('button')) closeMenu();
    },
    { capture: true },
  );
  list.addEventListener('keydown', (event) => moveBy(event, entries(list), closeMenu));
}

/**
 * @param {HTMLElement} button @param {HTMLElement} list a wired menu
 * @param {() => void} [closed] is called when it has closed
 */
export function openMenu(button, list, closed) {
  closeMenu();
  list.hidden = false;
  if (!list.matches('.menu-up, .menu-start')) place(list, button);
  button.setAttribute('aria-expanded', 'true');
  document.addEventListener('pointerdown', outside, true);
  opened = { button, list, closed };
  const all = entries(list);
  (all.find((entry) => entry.getAttribute('aria-checked') === 'true') ?? all[0])?.focus();
}

/** Close the menu that is open, if any. */
export function closeMenu() {
  if (!opened) return;
  const { button, list, closed } = opened;
  opened = null;
  const inside = list.contains(document.activeElement);
  list.hidden = true;
  button.setAttribute('aria-expanded', 'false');
  document.removeEventListener('pointerdown', outside, true);
  if (inside) button.focus();
  closed?.();
}

/** @param {Event} event */
function outside(event) {
  const { target } = event;
  if (!opened || !(target instanceof Node)) return;
  if (!opened.list.contains(target) && !opened.button.contains(target)) closeMenu();
}

/** @param {HTMLElement} list @returns {HTMLElement[]} */
const entries = (list) =>
  [...list.querySelectorAll('button:not([hidden])')].filter((one) => one instanceof HTMLElement);

/**
 * Position the list beside its button, outside of scrolling containers.
 * @param {HTMLElement} list
 * @param {HTMLElement} button
 */
function place(list, button) {
  const { top, bottom, right } = button.getBoundingClientRect();
  const { offsetHeight: height, offsetWidth: width } = list;
  const below = bottom + GAP_PX + height < innerHeight;
  list.style.position = 'fixed';
  const blockStart = below ? bottom + GAP_PX : Math.max(GAP_PX, top - height - GAP_PX);
  const inlineStart = Math.max(GAP_PX, Math.min(right - width, innerWidth - width - GAP_PX));
  list.style.insetBlockStart = `${blockStart}px`;
  list.style.insetInlineEnd = 'auto';
  list.style.insetInlineStart = `${inlineStart}px`;
}

/** @param {KeyboardEvent} event @param {HTMLElement[]} entries @param {() => void} close */
function moveBy(event, entries, close) {
  const at = entries.findIndex((entry) => entry === document.activeElement);
  /** @type {Record<string, number>} */
  const targets = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
  if (event.key === 'Escape') {
    event.preventDefault();
    event.stopPropagation();
    close();
  } else if (event.key === 'Tab') close();
  else if (event.key in targets && entries.length) {
    event.preventDefault();
    entries.at(targets[event.key] % entries.length)?.focus();
  }
}
