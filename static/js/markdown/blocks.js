/**
 * Finds where a growing Markdown text can be cut so that the part before the cut is final. Pure.
 *
 * Blocks are independent of each other here because link references and footnotes, the only
 * constructs that reach across blocks, are plain text until the end (`across.js`). The next
 * characters can still change the last block, and a cut is only safe after an empty line; so the
 * last two blocks always stay uncut.
 */

import { completeTable } from './table-typed.js';

/**
 * @typedef {{block: {parse(src: string, md: any, env: object, tokens: any[]): void}}} BlockParser
 */
/**
 * @typedef {{type: string, level: number, nesting: number, map: [number, number]|null,
 *   markup: string}} Block a token of markdown-it
 */
/**
 * @typedef {{marker: string, size: number}} Fence an open code fence at the end of the text, not
 *   indented
 */

const UNCUT_BLOCKS = 2;
/** A formula in one line, closed or still open: its characters mark nothing. */
const FORMULA = /(?:\\\(.*?|\\\[.*?|\$\$.*?)(?:\\\)|\\\]|\$\$|$)/g;
const LEAVES = ['inline', 'fence', 'code_block', 'formula_block'];

/**
 * @param {BlockParser} md @param {string} tail text since the last cut, with LF line ends
 * @returns {{cut: number, fence: Fence|null, prose: boolean}} how many characters are final, the
 *   code fence that is open at the end, and whether the end is text and not code
 */
export function split(md, tail) {
  /** @type {Block[]} */
  const tokens = [];
  md.block.parse(tail, md, {}, tokens);
  const blocks = tokens.filter((token) => token.level === 0 && token.nesting >= 0 && token.map);
  const lines = tail.split('\n');
  const last = tokens.findLast((token) => LEAVES.includes(token.type));
  const line = Math.max(
    cutAt(
      blocks.map((block) => block.map?.[0] ?? 0),
      lines,
    ),
    cutAtFence(blocks, lines),
  );
  return {
    cut: line && lines.slice(0, line).join('\n').length + 1,
    fence: openFence(blocks.at(-1), lines),
    prose: last?.type === 'inline',
  };
}

/**
 * Complete what is open in the last line, so that it does not flicker while it is typed: bold
 * words, code, and the head of a table.
 * @param {string} tail that ends in prose
 */
export function closeMarks(tail) {
  return completeTable(tail, closeInLine) ?? closeInLine(tail);
}

/** @param {string} tail */
function closeInLine(tail) {
  const start = tail.lastIndexOf('\n') + 1;
  const typed = tail.slice(start);
  const formula = [...typed.matchAll(FORMULA)].at(-1)?.[0] ?? '';
  if (formula && typed.endsWith(formula) && !/(?:\\[)\]]|\$\$)$/.test(formula)) return tail;
  const line = typed.replace(FORMULA, '');
  if (/^\s*\*{3,}\s*$/.test(line)) return tail; // a rule
  const ticks = line.split('`').length - 1;
  const mark = ticks % 2 ? '`' : '**';
  if (ticks % 2 === 0 && (line.replace(/`[^`]*`/g, '').split('**').length - 1) % 2 === 0) {
    return tail;
  }
  if (line.endsWith(mark)) return tail.slice(0, -mark.length);
  const half = mark === '**' && line.endsWith('*') ? '*' : mark;
  return tail.trimEnd() + half;
}

/** @param {number[]} starts @param {string[]} lines @returns {number} a line */
function cutAt(starts, lines) {
  for (let block = starts.length - UNCUT_BLOCKS; block > 0; block -= 1) {
    const line = starts[block];
    if (lines[line - 1].trim() === '') return line;
  }
  return 0;
}

/**
 * A code fence ends whatever is before it, as soon as its head is complete, and nothing after its
 * closing mark belongs to it.
 * @param {Block[]} blocks @param {string[]} lines @returns {number} a line
 */
function cutAtFence(blocks, lines) {
  const fence = blocks.findLast(({ type }) => type === 'fence');
  if (!fence?.map) return 0;
  const [first, end] = fence.map;
  const closed = fence !== blocks.at(-1) || isClosed(fence, lines);
  if (closed && lines.length > end) return end;
  return lines.length > first + 1 ? first : 0;
}

/**
 * @param {Block|undefined} block
 * @param {string[]} lines
 * @returns {Fence|null}
 */
function openFence(block, lines) {
  if (block?.type !== 'fence' || !block.map) return null;
  const [first] = block.map;
  const fence = fenceOf(block);
  const indented = !lines[first].startsWith(fence.marker);
  const headComplete = lines.length > first + 1;
  return isClosed(block, lines) || indented || !headComplete ? null : fence;
}

/** @param {Block} block @param {string[]} lines */
function isClosed(block, lines) {
  const [first, end] = block.map ?? [0, 0];
  const fence = fenceOf(block);
  const last = lines[end - 1] ?? '';
  return end - 1 > first && mayClose(last, fence) && last.trim().length >= fence.size;
}

/** @param {Block} block @returns {Fence} */
const fenceOf = ({ markup }) => ({ marker: markup[0], size: markup.length });

/**
 * Whether this line closes the fence or may still grow into one that does.
 * @param {string} line @param {Fence} fence
 */
export function mayClose(line, fence) {
  return /^ {0,3}\S*\s*$/.test(line) && [...line.trim()].every((char) => char === fence.marker);
}
