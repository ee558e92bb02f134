/** The button that reveals a typed secret until the form is submitted. */
import { delegate } from '../core/dom.js';

/** Wire every `[data-reveal]` of the page. */
export function mountReveal() {
  delegate(document, 'click', '[data-reveal]', (button) =>
    set(button, button.getAttribute('aria-pressed') !== 'true'),
  );
  document.addEventListener(
    'submit',
    (event) => {
      if (!(event.target instanceof HTMLElement)) return;
      for (const button of event.target.querySelectorAll('[data-reveal]')) set(button, false);
    },
    { capture: true },
  );
}

/** @param {Element} button @param {boolean} shown */
function set(button, shown) {
  const field = document.getElementById(button.getAttribute('aria-controls') ?? '');
  if (!(field instanceof HTMLInputElement)) return;
  field.type = shown ? 'text' : 'password';
  button.setAttribute('aria-pressed', String(shown));
}
