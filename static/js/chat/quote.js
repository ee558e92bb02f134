/**
 * Finds the sentences of a passage that an answer quotes, ignoring differences in line breaks and
 * spaces, and splits a passage into text and tables. Pure.
 *
 * @typedef {{text: string, marked: boolean}} Piece
 * @typedef {{kind: 'text', pieces: Piece[]} | {kind: 'table', rows: Piece[][][]}} Block
 */
import { partsOf } from './unseen.js';

/** Shorter quotes match by accident. */
const SHORTEST_QUOTE = 8;
const SHORTEST_CHINESE = 4;
const SENTENCE_END = /(?<=[。！？!?])|(?<=\.)\s+/u;
const WIDE = /[\p{Script=Han}\u3000-\u303f\uff00-\uffef]/u;
const CITED = /(.*?)((?:\s*\[\d{1,3}\])+)/gsu;
const ROW = /^[ \t]*\|.*\|[ \t]*$/;
const RULE = /^[ \t]*\|[ \t:|-]+\|[ \t]*$/;

/**
 * The sentences that cite `[n]`. Paraphrased ones do not match the passage and are not marked.
 * @param {string} answer @param {number} n @returns {string[]}
 */
export function quotesFor(answer, n) {
  const quotes = [];
  for (const line of answer.split('\n')) {
    for (const [, said, numbers] of line.matchAll(CITED)) {
      if (!numbers.includes(`[${n}]`)) continue;
      quotes.push(
        ...said
          .split(SENTENCE_END)
          .map((sentence) => sentence.replace(/^[\s>*\-–•“"]+|[\s*”"]+$/gu, '')),
      );
    }
  }
  return quotes.filter(
    (quote) => quote.length >= (/\p{Script=Han}/u.test(quote) ? SHORTEST_CHINESE : SHORTEST_QUOTE),
  );
}

/**
 * @param {string} text @param {string[]} quotes
 * @returns {Block[]} the passage with its quoted parts marked
 */
export function blocksOf(text, quotes) {
  const ranges = rangesOf(text, quotes);
  /** @type {Block[]} */
  const blocks = [];
  let at = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const from = at;
    at += line.length;
    const last = blocks.at(-1);
    if (ROW.test(line.replace(/\n$/, ''))) {
      const cells = RULE.test(line.trimEnd())
        ? null
        : cellsOf(line, from).map(([start, end]) => cut(text, start, end, ranges));
      if (last?.kind === 'table') last.rows.push(...(cells ? [cells] : []));
      else blocks.push({ kind: 'table', rows: cells ? [cells] : [] });
    } else if (last?.kind === 'text') last.pieces.push(...cut(text, from, at, ranges));
    else blocks.push({ kind: 'text', pieces: cut(text, from, at, ranges) });
  }
  return blocks.map((block) =>
    block.kind === 'text' ? { kind: 'text', pieces: joined(block.pieces) } : block,
  );
}

/**
 * The ranges of the quotes, in order and without overlaps.
 * @param {string} text
 * @param {string[]} quotes
 * @returns {[number, number][]}
 */
function rangesOf(text, quotes) {
  const { seen, places } = seenOf(text);
  const found = quotes
    .flatMap((quote) => rangeOf(seen, quote))
    .map(([start, end]) => /** @type {[number, number]} */ ([places(start), places(end - 1) + 1]))
    .sort((a, b) => a[0] - b[0]);
  /** @type {[number, number][]} */
  const ranges = [];
  for (const [start, end] of found) {
    const last = ranges.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else ranges.push([start, end]);
  }
  return ranges;
}

/**
 * A text as models and quotes have it, without unseen characters, and the place in the text of a
 * place in that.
 * @param {string} text
 */
function seenOf(text) {
  const parts = partsOf(text);
  if (parts.length === 1) return { seen: text, places: (/** @type {number} */ at) => at };
  let at = 0;
  /** @type {number[]} */
  const places = [];
  for (const part of parts) {
    if (!part.unseen) for (let i = 0; i < part.text.length; i += 1) places.push(at + i);
    at += part.text.length;
  }
  const seen = parts.filter((part) => !part.unseen).map((part) => part.text);
  return { seen: seen.join(''), places: (/** @type {number} */ at) => places[at] ?? text.length };
}

/** @param {string} text @param {string} quote @returns {[number, number]|null} where it stands */
export const quoteRange = (text, quote) => rangesOf(text, [quote])[0] ?? null;

/** @param {string} text @param {string} quote @returns {[number, number][]} one or none */
function rangeOf(text, quote) {
  const words = quote.trim().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const pattern = words.map(patternOf).join('\\s+');
  const match = new RegExp(pattern, 'u').exec(text);
  return match ? [[match.index, match.index + match[0].length]] : [];
}

/**
 * A Chinese line may break anywhere, and the answer joins lines without a space.
 * @param {string} word
 * @returns {string}
 */
function patternOf(word) {
  const characters = [...word];
  return characters
    .map((c, i) => {
      const joint = i && (WIDE.test(c) || WIDE.test(characters[i - 1])) ? '\\s*' : '';
      return joint + c.replace(/[.*+?^${}()|[\]\\]/, '\\$&');
    })
    .join('');
}

/**
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @param {[number, number][]} ranges
 * @returns {Piece[]}
 */
function cut(text, from, to, ranges) {
  const pieces = [];
  let at = from;
  for (const [start, end] of ranges) {
    const [first, last] = [Math.max(start, from), Math.min(end, to)];
    if (first >= last) continue;
    pieces.push(
      { text: text.slice(at, first), marked: false },
      { text: text.slice(first, last), marked: true },
    );
    at = last;
  }
  return [...pieces, { text: text.slice(at, to), marked: false }].filter((piece) => piece.text);
}

/**
 * The ranges of a row's cells, trimmed.
 * @param {string} line
 * @param {number} from
 * @returns {[number, number][]}
 */
function cellsOf(line, from) {
  /** @type {[number, number][]} */
  const cells = [];
  const bars = [...line.matchAll(/(?<!\\)\|/g)].map((match) => match.index);
  for (let i = 1; i < bars.length; i += 1) {
    const cell = line.slice(bars[i - 1] + 1, bars[i]);
    const start = from + bars[i - 1] + 1 + (cell.length - cell.trimStart().length);
    cells.push([start, start + cell.trim().length]);
  }
  return cells;
}

/** @param {Piece[]} pieces @returns {Piece[]} with equal neighbours merged */
function joined(pieces) {
  /** @type {Piece[]} */
  const all = [];
  for (const piece of pieces) {
    const last = all.at(-1);
    if (last?.marked === piece.marked) last.text += piece.text;
    else all.push({ ...piece });
  }
  return all;
}
