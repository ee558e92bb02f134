/**
 * Formulas in TeX: `\(…\)`, `\[…\]`, `$$…$$`, `$…$` and `\begin{…}…\end{…}` become tokens that keep
 * their source, with its marks, word for word. Pure.
 *
 * What follows an empty line never changes what is before it, as `blocks.js` requires: a formula
 * ends at an empty line, unless its opening mark stands alone on a line. Such a formula lasts to
 * its closing mark, like a code fence.
 */

const OPENING = /^(?:\\\(|\\\[|\$\$|\\begin\{([a-zA-Z]+\*?)\})/;
const OPENINGS = /\\[([]|\$\$|\\begin\{/;
const CLOSING = { '\\(': '\\)', '\\[': '\\]', $$: '$$' };
const ALONE = /^(?:\\\[|\$\$)[ \t]*$/;
const UNDERLINE = /^(?:=+|-+)[ \t]*$/;
/** What only TeX writes. */
const TEX = /\\[a-zA-Z]|[\^_]/;
const WORD = /[\p{L}\p{N}]/u;
/** Numbers in brackets are citations whose brackets were escaped. */
const NUMBERS = /^[\d\s,，、]+$/;
const SENTENCE = /^\d[\d.,]*\s.*[a-zA-Z]{2,}|[a-zA-Z]{2,}[,.;:]?\s+[a-zA-Z]{2,}/;
const CJK = /[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]/;
const NAMES = /\\(?:text|mathrm|operatorname)\{[^}]*\}|\\[a-zA-Z]+/g;
const BEFORE_PATH = /[\s"'“”‘’(（《「，。]/;
const PATH = /(?:^|[^a-zA-Z0-9])[a-zA-Z]:\\|(?:^|[^\\\w])\\\\[a-zA-Z0-9]/;
/** Limits of characters, so that many marks that are never closed do not take long. */
const MOST = 5000;
const MOST_OF_PATH = 260;

/** @param {any} md an instance of markdown-it */
export function formulas(md) {
  md.block.ruler.before('fence', 'formula', block, {
    alt: ['paragraph', 'reference', 'blockquote', 'list'],
  });
  md.block.ruler.before('lheading', 'formula_text', text);
  md.inline.ruler.before('escape', 'formula', inline);
  md.inline.ruler.before('escape', 'path', path);
}

/**
 * The marks of the formula that begins at a position.
 * @param {string} src @param {number} at
 */
function marksAt(src, at) {
  const match = OPENING.exec(src.slice(at, at + 40));
  if (!match || (match[0] === '$$' && src[at + 2] === '$')) return null;
  const opening = /** @type {keyof typeof CLOSING} */ (match[0]);
  return { opening, closing: match[1] ? `\\end{${match[1]}}` : CLOSING[opening] };
}

/**
 * Where a closing mark begins, or -1. A backslash takes the next character along: `\\)` is the end
 * of a line and a bracket.
 * @param {string} src @param {number} from @param {string} closing
 */
function find(src, from, closing) {
  const end = Math.min(src.length, from + MOST);
  for (let at = from; at < end; at += src[at] === '\\' ? 2 : 1) {
    if (src.startsWith(closing, at)) return at;
  }
  return -1;
}

/**
 * Where the formula that begins at a position ends, or -1. One that is not closed, because it is
 * still being written or was cut off, lasts to the end of the text if it contains TeX.
 * @param {string} src @param {number} at
 */
function endOf(src, at) {
  const marks = marksAt(src, at);
  if (!marks) return src[at] === '$' ? endOfDollars(src, at) : -1;
  const from = at + marks.opening.length;
  const close = find(src, from, marks.closing);
  const content = src.slice(from, close < 0 ? from + MOST : close);
  if (content.includes('`') || !isContent(content, marks)) return -1;
  if (close >= 0) return close + marks.closing.length;
  return TEX.test(marks.opening + content) ? from + content.trimEnd().length : -1;
}

/** @param {string} content @param {{opening: string}} marks */
function isContent(content, { opening }) {
  if (opening === '$$' && content.startsWith(')')) return false; // ($$) and ($$)
  return WORD.test(content) && !(opening === '\\[' && NUMBERS.test(content));
}

/**
 * `$…$` is a formula only where it can be nothing else: prices, variables of a shell and sentences
 * between two dollar signs stay text. The signs touch what is between them, and no word outside.
 * @param {string} src @param {number} at
 */
function endOfDollars(src, at) {
  if (/[a-zA-Z0-9$]/.test(src[at - 1] ?? '') || /[\s$]/.test(src[at + 1] ?? ' ')) return -1;
  const close = find(src, at + 1, '$');
  if (close < 0 || /\s/.test(src[close - 1])) return -1;
  const after = src.slice(close + 1, close + 4);
  if (/^[a-zA-Z0-9$({_]/.test(after) && !/^(?:th|st|nd|rd)(?![a-z])/.test(after)) return -1;
  return isFormula(src.slice(at + 1, close)) ? close + 1 : -1;
}

/** @param {string} content between two dollar signs */
function isFormula(content) {
  if (/[`\n]/.test(content)) return false;
  const bare = content.replace(NAMES, ' \\ ');
  const [opened, closed] = [/[([]/g, /[)\]]/g].map((marks) => bare.match(marks)?.length ?? 0);
  if (SENTENCE.test(bare) || CJK.test(bare) || opened !== closed) return false;
  if (/^(?:\p{L}{1,3}'*|\d+(?:[.,]\d+)*)$/u.test(content)) return true;
  return /[\\^_=<>+*/|([−×÷≤≥-]/.test(bare);
}

/** @param {any} state @param {boolean} silent */
function inline(state, silent) {
  const char = state.src[state.pos];
  if (char !== '\\' && char !== '$') return false;
  const end = endOf(state.src.slice(0, state.posMax), state.pos);
  if (end < 0) return false;
  if (!silent) pushFormula(state, 'formula', state.src.slice(state.pos, end));
  state.pos = end;
  return true;
}

/**
 * @param {any} state
 * @param {string} type
 * @param {string} source
 * @returns {any} the token; `meta.open` where the closing mark is missing
 */
function pushFormula(state, type, source) {
  const token = state.push(type, type === 'formula' ? 'code' : 'pre', 0);
  const marks = marksAt(source, 0);
  const open = marks && find(source, marks.opening.length, marks.closing) < 0;
  token.content = source;
  token.meta = { open: Boolean(open) };
  return token;
}

/**
 * In a path of Windows (`C:\…`, `\\server\…`) every backslash stays, also before punctuation.
 * @param {any} state @param {boolean} silent
 */
function path(state, silent) {
  const { src, pos } = state;
  if (src[pos] !== '\\') return false;
  let start = pos;
  while (start > 0 && pos - start < MOST_OF_PATH && !BEFORE_PATH.test(src[start - 1])) start -= 1;
  if (!PATH.test(src.slice(start, Math.min(pos + 3, state.posMax)))) return false;
  if (!silent) state.pending += '\\';
  state.pos += 1;
  return true;
}

/** @param {any} state @param {number} line */
const lineOf = (state, line) =>
  state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]);

/**
 * A formula with lines of its own.
 * @param {any} state @param {number} start @param {number} end @param {boolean} silent
 */
function block(state, start, end, silent) {
  if (state.sCount[start] - state.blkIndent >= 4) return false;
  const first = lineOf(state, start);
  const marks = marksAt(first, 0);
  if (!marks || marks.opening === '\\(') return false;
  const alone = ALONE.test(first);
  const last = lastLine(state, start, end, marks, alone);
  if (last < 0) return false;
  const source = state.getLines(start, last + 1, state.sCount[start], false).trimEnd();
  const content = source.slice(marks.opening.length, -marks.closing.length);
  if (!alone && !isContent(content, marks)) return false;
  if (silent) return true;
  const token = pushFormula(state, 'formula_block', source);
  token.map = [start, last + 1];
  state.line = last + 1;
  return true;
}

/**
 * The line that closes a formula; -1 where it is part of a text.
 * @param {any} state @param {number} start @param {number} end
 * @param {{opening: string, closing: string}} marks @param {boolean} alone
 */
function lastLine(state, start, end, marks, alone) {
  let empty = false;
  for (let line = start; line < end; line += 1) {
    if (state.isEmpty(line)) {
      if (!alone) return -1;
      empty = true;
      continue;
    }
    if (state.sCount[line] < state.blkIndent) return alone ? line - 1 : -1;
    const words = lineOf(state, line);
    const close = find(words, line === start ? marks.opening.length : 0, marks.closing);
    if (close < 0) continue;
    const rest = words.slice(close + marks.closing.length).trim();
    return rest === '' || empty ? line : -1;
  }
  return alone ? end - 1 : -1;
}

/**
 * A paragraph in which a formula contains lines that would begin another block: a list, a quote, an
 * underlined heading.
 * @param {any} state @param {number} start @param {number} end
 */
function text(state, start, end) {
  let empty = start + 1;
  while (empty < end && !state.isEmpty(empty)) empty += 1;
  if (!OPENINGS.test(state.src.slice(state.bMarks[start], state.eMarks[empty - 1]))) return false;
  const before = state.parentType;
  state.parentType = 'paragraph';
  const rules = state.md.block.ruler.getRules('paragraph');
  let joined = false;
  let line = start + 1;
  for (; line < end && !state.isEmpty(line); line += 1) {
    if (state.sCount[line] - state.blkIndent > 3 || state.sCount[line] < 0) continue;
    const ends =
      UNDERLINE.test(lineOf(state, line)) ||
      rules.some((/** @type {any} */ rule) => rule(state, line, end, true));
    if (!ends) continue;
    const closed = closedAt(state, start, line, end);
    if (closed < 0) break;
    joined = true;
    line = closed;
  }
  state.parentType = before;
  if (!joined) return false;
  state.line = line;
  state.push('paragraph_open', 'p', 1).map = [start, line];
  const token = state.push('inline', '', 0);
  token.content = state.getLines(start, line, state.blkIndent, false).trim();
  token.map = [start, line];
  token.children = [];
  state.push('paragraph_close', 'p', -1);
  return true;
}

/**
 * The line that closes a formula which is open before a line, or -1.
 * @param {any} state @param {number} start @param {number} line @param {number} end
 */
function closedAt(state, start, line, end) {
  let last = line;
  while (last < end && !state.isEmpty(last) && state.sCount[last] >= state.blkIndent) last += 1;
  const src = state.getLines(start, last, state.blkIndent, false);
  const until = state.getLines(start, line, state.blkIndent, false).length;
  for (let at = 0; at < until; ) {
    const marks = marksAt(src, at);
    const close = marks ? find(src, at + marks.opening.length, marks.closing) : -1;
    if (marks && close >= until) return start + src.slice(0, close).split('\n').length - 1;
    if (marks && close >= 0) at = close + marks.closing.length;
    else if (src[at] === '`') at = afterCode(src, at);
    else at += src[at] === '\\' ? 2 : 1;
  }
  return -1;
}

/** Where the code that begins at a position ends. @param {string} src @param {number} at */
function afterCode(src, at) {
  const [ticks] = /** @type {RegExpExecArray} */ (/^`+/.exec(src.slice(at)));
  const code = new RegExp(`[^\`]${ticks}(?!\`)`).exec(src.slice(at + ticks.length));
  return at + ticks.length + (code ? code.index + 1 + ticks.length : 0);
}
