/** Renames the chosen knowledge base where the question field shows its name. */
import { clone, find, findAs, isComposing } from '../core/dom.js';
import { toastError } from '../ui/toast.js';

/**
 * @param {HTMLElement} root the picker of knowledge bases
 * @param {import('../types.js').Base} base
 * @param {import('./library.js').Library} library
 */
export function renameInPlace(root, base, library) {
  const button = find(root, '[data-picker-button]');
  const form = clone('base-rename');
  const field = findAs(form, 'input', HTMLInputElement);
  field.value = base.name;
  let done = false;
  /** @param {boolean} save @param {boolean} [focus] */
  const end = (save, focus = false) => {
    if (done) return;
    done = true;
    form.remove();
    button.hidden = false;
    if (focus) button.focus();
    const name = field.value.trim();
    if (save && name && name !== base.name) library.renameBase(base.id, name).catch(toastError);
  };
  field.addEventListener('keydown', (event) => {
    if (isComposing(event) || (event.key !== 'Enter' && event.key !== 'Escape')) return;
    event.preventDefault(); // neither sends the question nor stops an answer
    event.stopPropagation();
    end(event.key === 'Enter', true);
  });
  field.addEventListener('blur', () => end(true));
  button.hidden = true;
  button.before(form);
  field.select();
}
