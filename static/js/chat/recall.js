/**
 * ↑ in the empty question field recalls the questions of this chat, to ask one again or a changed
 * one. ↑ and ↓ walk through them until the text is edited or the caret moved; Escape empties the
 * field.
 */
import { isComposing } from '../core/dom.js';
import { announce } from '../ui/announce.js';

/**
 * @param {HTMLTextAreaElement} input
 * @param {{fill: (text: string) => void, questions: () => string[]}} deps fill: sets the field's
 *   text, with the caret at its end; questions: of the shown branch, oldest first
 */
export function mountRecall(input, { fill, questions }) {
  /** @type {string[]} newest first */
  let recalled = [];
  let place = -1;

  /** @returns {boolean} whether the field is as the last key left it */
  const untouched = () => {
    const { value, selectionStart, selectionEnd } = input;
    if (!value) place = -1;
    const atEnd = selectionStart === value.length && selectionEnd === value.length;
    return atEnd && value === (recalled[place] ?? '');
  };

  /** @param {number} to */
  const walk = (to) => {
    place = to;
    fill(recalled[place] ?? '');
    if (place >= 0) announce(recalled[place]);
  };

  input.addEventListener('keydown', (event) => {
    if (!['ArrowUp', 'ArrowDown', 'Escape'].includes(event.key)) return;
    if (event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.defaultPrevented || isComposing(event) || !untouched()) return;
    if (event.key === 'ArrowUp') {
      if (place < 0) recalled = distinct(questions());
      if (place + 1 < recalled.length) walk(place + 1);
      else if (place < 0) return;
    } else {
      if (place < 0) return;
      walk(event.key === 'Escape' ? -1 : place - 1);
    }
    event.preventDefault();
  });
}

/** @param {string[]} questions @returns {string[]} each once, the newest first */
const distinct = (questions) => [...new Set(questions.toReversed())];
