/**
 * A table whose head is being typed is shown as a table from its first cell on, instead of as a
 * paragraph or a heading that turns into one. Pure.
 */

/** What stands before a row of a table in a list or a quotation. */
const START = /^[\s>]*/;
const STROKE = /(?<!\\)\|/;
/** The row of hyphens below the head, and one that may still become it. */
const RULE = /^\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const TYPED_RULE = /^[|:-][\s|:-]*$/;

/**
 * Complete the row of a table at the end of a text.
 * @param {string} tail that ends in prose
 * @param {(cell: string) => string} close closes the marks that are open in a cell
 * @returns {string|null} null where no table is being typed
 */
export function completeTable(tail, close) {
  const lines = tail.split('\n');
  const last = lines.length - 1;
  const typed = rowOf(lines[last]);
  if (isInTable(lines)) {
    if (!STROKE.test(typed)) return null;
    return [...lines.slice(0, last), closeCell(lines[last], close)].join('\n');
  }
  const ruleTyped = TYPED_RULE.test(typed) && STROKE.test(lines[last - 1] ?? '');
  const head = typed === '' || ruleTyped ? last - 1 : last;
  const line = lines[head] ?? '';
  const shown = head === last ? closeCell(line, close) : line;
  const row = rowOf(shown);
  if (!row.startsWith('|') && !ruleTyped) return null;
  if (row === '|') return lines.slice(0, head).join('\n');
  const cells = cellsOf(row);
  if (ruleTyped && (cellsOf(typed) > cells || (cellsOf(typed) === cells && RULE.test(typed)))) {
    return null;
  }
  const start = START.exec(line)?.[0] ?? '';
  return [...lines.slice(0, head), shown, `${start}${'|---'.repeat(cells)}|`].join('\n');
}

/** @param {string} line */
const rowOf = (line) => line.replace(START, '').trimEnd();

/** As markdown-it counts them. @param {string} row */
const cellsOf = (row) =>
  row
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '')
    .split(STROKE).length;

/** Whether the head of a table stands above the last line. @param {string[]} lines */
function isInTable(lines) {
  for (let at = lines.length - 2; at > 0; at -= 1) {
    const row = rowOf(lines[at]);
    if (row === '') return false;
    if (row.includes('|') && RULE.test(row) && cellsOf(row) === cellsOf(rowOf(lines[at - 1]))) {
      return true;
    }
  }
  return false;
}

/** @param {string} line @param {(cell: string) => string} close */
function closeCell(line, close) {
  const from = line.length - (line.split(STROKE).at(-1)?.length ?? 0);
  const cell = line.slice(from);
  return cell.trim() ? `${line.slice(0, from)}${close(cell)} |` : line;
}
