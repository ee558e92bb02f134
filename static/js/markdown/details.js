/**
 * `<details>` with its `<summary>`: a fold whose content is Markdown. Pure.
 *
 * The tag opens a line of its own, as in an HTML block. A fold lasts to the line `</details>` of
 * the same level; one that is not closed, because it is still being written or was cut off, lasts
 * to the end and is open, so that nothing is hidden by a tag alone. Attributes but `open` are not
 * taken.
 */

const OPENING = /^<details(?:\s+(open)(?:=(?:""|"open"))?)?\s*>[ \t]*(.*)$/i;
const SUMMARY = /^<summary\s*>([^]*?)(<\/summary\s*>|$)[ \t]*/i;
const CLOSING = /^<\/details\s*>[ \t]*$/i;
const LAST = /^([^]*?)<\/details\s*>[ \t]*$/i;
/** Tags that models put around the words of a summary. */
const EMPHASIS = /<\/?(?:b|strong|i|em|u|code)>/gi;
const SUMMARY_LINES = 8;

/**
 * @param {any} md an instance of markdown-it
 * @param {string} unnamed the summary of a fold that has none
 */
export function folds(md, unnamed) {
  const alt = ['paragraph', 'reference', 'blockquote', 'list'];
  /** @param {any} state @param {number} start @param {number} end @param {boolean} silent */
  const rule = (state, start, end, silent) => open(state, start, end, silent, unnamed);
  md.block.ruler.before('fence', 'details', rule, { alt });
  md.block.ruler.before('fence', 'details_close', close, { alt });
}

/** @param {any} state @param {number} line */
const lineOf = (state, line) =>
  state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]);

/**
 * @param {any} state @param {number} start @param {number} end @param {boolean} silent
 * @param {string} unnamed
 */
function open(state, start, end, silent, unnamed) {
  if (state.sCount[start] - state.blkIndent >= 4) return false;
  const opening = OPENING.exec(lineOf(state, start));
  if (!opening || (opening[2] && !SUMMARY.test(opening[2]))) return false;
  if (silent) return true;
  const token = state.push('details_open', 'details', 1);
  token.map = [start, end];
  const head = headOf(state, start, end, opening[2]);
  pushInline(state, 'summary', head.summary.replace(EMPHASIS, '').trim() || unnamed, start);
  const closed = fill(state, head, end);
  if (opening[1] || !closed) token.attrSet('open', '');
  token.map[1] = state.line;
  state.push('details_close', 'details', -1);
  return true;
}

/**
 * The summary, the text after it in its last line, and the line after that.
 * @param {any} state @param {number} start @param {number} end @param {string} rest of the line
 * @returns {{summary: string, text: string, next: number}}
 */
function headOf(state, start, end, rest) {
  let next = start + 1;
  let head = rest;
  if (!head && next < end && !state.isEmpty(next) && SUMMARY.test(lineOf(state, next))) {
    head = lineOf(state, next);
    next += 1;
  }
  if (!head) return { summary: '', text: '', next };
  const most = Math.min(end, start + SUMMARY_LINES);
  while (!/<\/summary\s*>/i.test(head) && next < most && !state.isEmpty(next)) {
    head += `\n${lineOf(state, next)}`;
    next += 1;
  }
  const [all, summary] = /** @type {RegExpExecArray} */ (SUMMARY.exec(head));
  return { summary, text: head.slice(all.length), next };
}

/**
 * Parse what a fold contains.
 * @param {any} state @param {{text: string, next: number}} head @param {number} end
 * @returns {boolean} whether it is closed
 */
function fill(state, { text, next }, end) {
  const last = LAST.exec(text);
  if (text) pushInline(state, 'p', last ? last[1] : text, next - 1);
  state.line = next;
  if (last) return true;
  const before = { fold: state.fold, parentType: state.parentType };
  const fold = { level: state.level, after: -1 };
  Object.assign(state, { fold, parentType: 'root' });
  state.md.block.tokenize(state, next, end);
  Object.assign(state, before);
  if (fold.after >= 0) state.line = fold.after;
  return fold.after >= 0;
}

/**
 * End the fold of this level: the lines after it are not its own.
 * @param {any} state @param {number} start @param {number} end @param {boolean} silent
 */
function close(state, start, end, silent) {
  if (!state.fold || !CLOSING.test(lineOf(state, start))) return false;
  if (silent) return state.sCount[start] - state.blkIndent < 4;
  if (state.fold.level !== state.level) return false;
  state.fold.after = start + 1;
  state.line = end;
  return true;
}

/** @param {any} state @param {string} tag @param {string} content @param {number} line */
function pushInline(state, tag, content, line) {
  const type = tag === 'p' ? 'paragraph' : tag;
  state.push(`${type}_open`, tag, 1).map = [line, line + 1];
  const token = state.push('inline', '', 0);
  token.content = content.trim();
  token.map = [line, line + 1];
  token.children = [];
  state.push(`${type}_close`, tag, -1);
}
