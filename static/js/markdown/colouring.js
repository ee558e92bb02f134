/**
 * Colours a growing code chunk by chunk, so that what is coloured stays as it is. Pure.
 *
 * Where a chunk ends depends on the text before alone: a block that was streamed and one that is
 * shown at once get the same colours. It ends after an empty line, or after many lines without one,
 * and only where the grammar is back at its top level: never inside a string or a comment.
 *
 * @typedef {string|{tone: string, parts: Part[]}} Part
 * @typedef {{end: number, parts: Part[]}} Chunk
 * @typedef {{scope?: string, children: (string|Node)[]}} Node
 * @typedef {(text: string) => {top: boolean, root: Node}} Highlight
 */
import { grammarsOf } from './languages.js';

/** Lines of a chunk: at least, and at most where none of them is empty. */
const LEAST_LINES = 4;
const MOST_LINES = 24;
/** Where a string or a comment goes on: how much longer the next attempt is. */
const GROWTH = 1.25;
/** Characters: a longer chunk would take too long; the rest of such a block stays plain. */
const MOST = 16_000;

/** What a scope of highlight.js looks like: the longest name that fits counts. */
const TONES = Object.entries({
  comment: 'comment quote doctag',
  keyword:
    'keyword selector-tag name section variable.language literal operator.keyword tag.name',
  string: 'string regexp link char.escape template-string code selector-attr',
  number: 'number symbol bullet',
  name: 'title type built_in attr attribute property selector-id selector-class class function',
  meta: 'meta formula',
  plain: 'subst',
  added: 'addition',
  removed: 'deletion',
}).flatMap(([tone, scopes]) => scopes.split(' ').map((scope) => [scope, tone]));
/** @type {Map<string, string>} */
const TONE_OF = new Map(/** @type {[string, string][]} */ (TONES));

/**
 * @param {any} core highlight.js
 * @param {string} language
 * @param {Map<string, any>} grammars by name: its own and those it uses
 * @returns {Highlight}
 */
export function highlighter(core, language, grammars) {
  const own = core.newInstance();
  for (const name of grammarsOf(language)) own.registerLanguage(name, grammars.get(name));
  return (text) => {
    const { _top: mode, _emitter: emitter } = own.highlight(text, {
      language,
      ignoreIllegals: true,
    });
    return { top: !mode?.parent, root: emitter?.root ?? { children: [text] } };
  };
}

export class Chunks {
  #highlight;
  /** Lines that were too few: the grammar was not at its top level after them. */
  #tried = 0;
  #given = false;

  /** @param {Highlight} highlight */
  constructor(highlight) {
    this.#highlight = highlight;
  }

  /** @param {string} rest @param {boolean} ended @returns {boolean} whether `next` has work */
  due(rest, ended) {
    return !this.#given && ((ended && rest !== '') || chunkIn(rest, this.#tried) !== null);
  }

  /**
   * @param {string} rest the text after the last chunk @param {boolean} ended it will not grow
   * @returns {Chunk|null} the next chunk; null while there is none
   */
  next(rest, ended) {
    while (!this.#given) {
      const found = chunkIn(rest, this.#tried);
      if (!found && !(ended && rest)) return null;
      const end = found?.end ?? rest.length;
      this.#given = end > MOST;
      if (this.#given) return null;
      const { top, root } = this.#highlight(rest.slice(0, end));
      if (!found || top) {
        this.#tried = 0;
        return { end, parts: partsOf(root) };
      }
      this.#tried = found.lines * GROWTH;
    }
    return null;
  }
}

/**
 * @param {string} rest @param {number} tried
 * @returns {{end: number, lines: number}|null} the first lines that may be a chunk
 */
function chunkIn(rest, tried) {
  let start = 0;
  for (let lines = 1; ; lines += 1) {
    const end = rest.indexOf('\n', start) + 1;
    if (!end) return null;
    const empty = rest.slice(start, end).trim() === '';
    if (lines >= tried + (empty ? LEAST_LINES : MOST_LINES)) return { end, lines };
    start = end;
  }
}

/** @param {Node} node @returns {Part[]} */
function partsOf(node) {
  /** @type {Part[]} */
  const parts = [];
  for (const child of node.children) {
    if (typeof child === 'string') add(parts, [child]);
    else {
      const tone = toneOf(child.scope ?? '');
      const inner = partsOf(child);
      add(parts, tone ? [{ tone, parts: inner }] : inner);
    }
  }
  return parts;
}

/** Append, with neighbouring plain texts as one. @param {Part[]} parts @param {Part[]} more */
function add(parts, more) {
  for (const part of more) {
    const last = parts.length - 1;
    const before = parts[last];
    if (typeof part === 'string' && typeof before === 'string') parts[last] = before + part;
    else parts.push(part);
  }
}

/** @param {string} scope such as `title.function` @returns {string|undefined} */
function toneOf(scope) {
  return TONE_OF.get(scope) ?? TONE_OF.get(scope.split('.')[0]);
}
