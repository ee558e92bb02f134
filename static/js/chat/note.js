/** A sentence below a figure of a text, which is read out. */
import { announce } from '../ui/announce.js';

/** @param {HTMLElement} figure @param {string} words none removes the note */
export function note(figure, words) {
  figure.querySelector('[data-diagram-note]')?.remove();
  if (!words) return;
  const line = document.createElement('p');
  line.dataset.diagramNote = '';
  line.textContent = words;
  figure.append(line);
  announce(words);
}
