/**
 * Menu buttons: arrow keys, Escape and clicks outside; focus returns to the button.
 */

const GAP_PX = 4;

/** @type {(() => void)|null} */
let closeOpen = null;

/**
 * @param {HTMLElement} button @param {HTMLElement} list
 * @param {{before?: () => void}} [options] `before` fills the list before it opens
 * @returns {{close: () => void}}
 */
export function mountMenu(button, list, { before } = {}) {
  const entries = () =>
    [...list.querySelectorAll('button:not([hidden])')].filter((e) => e instanceof HTMLElement);
  const close = () => {
    if (list.hidden) return;
    const inside = list.contains(document.activeElement);
    list.hidden = true;
    button.setAttribute('aria-expanded', 'false');
    document.removeEventListener('pointerdown', outside, true);
    closeOpen = null;
    if (inside) button.focus();
  };
  /** @param {Event} event */
  const outside = (event) => {
    if (
      event.target instanceof Node &&
      !list.contains(event.target) &&
      !button.contains(event.target)
    ) {
      close();
    }
  };
  const show = () => {
    closeOpen?.();
    before?.();
    list.hidden = false;
    if (!list.matches('.menu-up, .menu-start')) place(list, button);
    button.setAttribute('aria-expanded', 'true');
    document.addEventListener('pointerdown', outside, true);
    closeOpen = close;
    const chosen =
      entries().find((entry) => entry.getAttribute('aria-checked') === 'true') ?? entries()[0];
    chosen?.focus();
  };
  button.addEventListener('click', () => (list.hidden ? show() : close()));
  list.addEventListener(
    'click',
    (event) => {
      if (event.target instanceof Element && event.target.closest('button')) close();
    },
    { capture: true },
  );
  list.addEventListener('keydown', (event) => moveBy(event, entries(), close));
  return { close };
}

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
