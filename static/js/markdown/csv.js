/**
 * A table of an answer as CSV (RFC 4180). A spreadsheet would calculate a cell that begins like a
 * formula, and what a model wrote may come from a document of somebody else: such a cell gets an
 * apostrophe, as OWASP recommends ("CSV Injection"), and numbers stay numbers. Many spreadsheets
 * split at semicolons too, so each part counts as a cell.
 */

const PART = /([^;\t\r\n]*)([;\t\r\n]*)/g;
const FORMULA = /^\s*[=+\-@＝＋－＠]/;
const NUMBER = /^\s*(?:[+-]?\s?[€$£¥]?\s?\d[\d.,'\s]*(?:%|[€$£¥])?|[-+]+)\s*$/;
const QUOTED = /[",;\t\r\n]|^\s|\s$/;

/** @param {string[][]} rows @returns {string} */
export const toCsv = (rows) => rows.map((row) => `${row.map(field).join(',')}\r\n`).join('');

/** @param {HTMLTableElement} table @returns {string[][]} */
export const rowsOf = (table) =>
  [...table.rows].map((row) => [...row.cells].map((cell) => textOf(cell).trim()));

/** @param {string} cell */
function field(cell) {
  const safe = cell.replace(PART, (_, part, end) => guarded(part) + end);
  return QUOTED.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param {string} part */
const guarded = (part) => (FORMULA.test(part) && !NUMBER.test(part) ? `'${part}` : part);

/**
 * The text of a cell without its citations, which would become part of numbers; formulas as TeX.
 * @param {Node} node @returns {string}
 */
function textOf(node) {
  if (node instanceof Text) return node.data;
  if (!(node instanceof Element) || node.matches('.cite')) return '';
  if (node.matches('br')) return '\n';
  if (node instanceof HTMLElement && node.dataset.tex) return node.dataset.tex;
  return [...node.childNodes].map(textOf).join('');
}
