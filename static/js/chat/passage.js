/**
 * A passage of a document on the page: its text, tables as tables, quotes marked, and signs for
 * characters that nobody sees.
 */
import { count } from '../core/i18n.js';
import { blocksOf } from './quote.js';
import { partsOf, spelled } from './unseen.js';

/** @param {string} text @param {string[]} quotes @returns {Node[]} */
export function passageNodes(text, quotes) {
  return blocksOf(text, quotes).flatMap((block) =>
    block.kind === 'table' ? [table(block.rows)] : pieceNodes(block.pieces),
  );
}

/** @param {import('./quote.js').Piece[][][]} rows */
function table(rows) {
  const box = document.createElement('div');
  box.className = 'table';
  const body = box.appendChild(document.createElement('table')).createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    for (const pieces of cells) row.insertCell().append(...pieceNodes(pieces));
  }
  return box;
}

/** @param {import('./quote.js').Piece[]} pieces */
function pieceNodes(pieces) {
  return pieces.flatMap(({ text, marked }) => {
    if (!marked) return textNodes(text);
    const mark = document.createElement('mark');
    mark.append(...textNodes(text));
    return [mark];
  });
}

/** A text whose unseen characters are replaced by signs that tell of them. @param {string} text */
const textNodes = (text) =>
  partsOf(text).map((part) =>
    part.unseen ? sign(part.text) : document.createTextNode(part.text),
  );

/** @param {string} unseen */
function sign(unseen) {
  const element = document.createElement('span');
  element.className = 'unseen';
  element.textContent = '◌';
  element.title = [count('passage.unseen', [...unseen].length), spelled(unseen)]
    .filter(Boolean)
    .join(': ');
  element.setAttribute('role', 'img');
  element.setAttribute('aria-label', element.title);
  return element;
}
