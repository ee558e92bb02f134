/**
 * DOM helpers: find, clone, fill, listen. No HTML strings.
 */

/**
 * Find the element or throw: a missing hook is a bug.
 * @param {ParentNode} root @param {string} selector @returns {HTMLElement}
 */
export function find(root, selector) {
  return findAs(root, selector, HTMLElement);
}

/**
 * @template {Element} T
 * @param {ParentNode} root @param {string} selector @param {new () => T} kind
 * @returns {T}
 */
export function findAs(root, selector, kind) {
  const found = root.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`no ${selector} here`);
  return found;
}

/**
 * @param {string} name
 * @returns {HTMLElement} a copy of the only element of `<template id="t-name">`
 */
export function clone(name) {
  const template = findAs(document, `#t-${name}`, HTMLTemplateElement);
  const copy = template.content.firstElementChild?.cloneNode(true);
  if (!(copy instanceof HTMLElement)) throw new Error(`template ${name} is empty`);
  return copy;
}

/**
 * @param {HTMLElement} root
 * @param {Record<string, string>} slots texts for `[data-slot]`
 * @returns {HTMLElement}
 */
export function fill(root, slots) {
  for (const [name, text] of Object.entries(slots)) {
    find(root, `[data-slot="${name}"]`).textContent = text;
  }
  return root;
}

/**
 * @param {HTMLElement} element
 * @param {string|null|undefined} text shown when there is any, hidden when not
 */
export function showText(element, text) {
  element.textContent = text ?? '';
  element.hidden = !text;
}

/**
 * Listen on `root` for events from elements inside it that match `selector`.
 * @param {EventTarget} root @param {string} type @param {string} selector
 * @param {(target: HTMLElement, event: Event) => void} handle @param {AbortSignal} [signal]
 */
export function delegate(root, type, selector, handle, signal) {
  root.addEventListener(
    type,
    (event) => {
      const target = event.target instanceof Element ? event.target.closest(selector) : null;
      if (target instanceof HTMLElement) handle(target, event);
    },
    { signal },
  );
}

/**
 * @param {KeyboardEvent} event
 * @returns {boolean} whether an input method is composing; Safari only sets keyCode 229
 */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

/** Remove the message that the script of this page has not loaded. */
export const hideUnloaded = () => document.querySelector('[data-unloaded]')?.remove();

/**
 * @param {string} text @param {string} [html] the same text with its form, for what takes that
 * @returns {Promise<boolean>} whether it was copied
 */
export async function copyText(text, html) {
  try {
    if (html) {
      await navigator.clipboard.write([
        new ClipboardItem({ 'text/plain': blob(text), 'text/html': blob(html, 'text/html') }),
      ]);
    } else await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByCommand(text, html);
  }
}

/** @param {string} text @param {string} [type] */
const blob = (text, type = 'text/plain') => new Blob([text], { type });

/**
 * Return a function that makes a change to a list of clickable rows: at once, or after a click that
 * has begun. A row that is replaced between press and release would not be clicked.
 * @param {HTMLElement} list
 * @returns {(change: () => void) => void}
 */
export function betweenClicks(list) {
  let pressed = false;
  /** @type {(() => void)|null} */ let waits = null;
  list.addEventListener('pointerdown', () => {
    pressed = true;
  });
  // A context menu may take the release.
  for (const end of ['pointerup', 'pointercancel', 'contextmenu']) {
    addEventListener(end, () => {
      pressed = false;
      if (waits) setTimeout(waits);
      waits = null;
    });
  }
  return (change) => {
    if (pressed) waits = change;
    else change();
  };
}

/**
 * On plain http there is no `navigator.clipboard`.
 * @param {string} text @param {string} [html]
 * @returns {boolean}
 */
function copyByCommand(text, html) {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  const host = document.querySelector('dialog[open]') ?? document.body;
  const before = document.activeElement;
  host.append(area);
  area.select();
  /** @param {ClipboardEvent} event */
  const fill = (event) => {
    event.clipboardData?.setData('text/plain', text);
    if (html) event.clipboardData?.setData('text/html', html);
    event.preventDefault();
    event.stopPropagation();
  };
  document.addEventListener('copy', fill, { capture: true });
  const done = document.execCommand('copy');
  document.removeEventListener('copy', fill, { capture: true });
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
