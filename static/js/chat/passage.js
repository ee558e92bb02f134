/**
 * A passage of a document on the page: its text, tables as tables, quotes marked.
 */
import { blocksOf } from './quote.js';

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
  return pieces.map(({ text, marked }) => {
    if (!marked) return document.createTextNode(text);
    const mark = document.createElement('mark');
    mark.textContent = text;
    return mark;
  });
}
