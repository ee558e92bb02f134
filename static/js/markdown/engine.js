/**
 * Markdown to HTML text: CommonMark with tables and strikethrough, emphasis that works in Chinese,
 * `[n]` as citations, formulas as their source (`typeset.js` draws them). Safe by itself (no raw
 * HTML, allow-listed links, no images), and sanitised once more by `safe.js`. Pure.
 */
import MarkdownIt from 'markdown-it';
import cjkFriendly from 'markdown-it-cjk-friendly';
import { across } from './across.js';
import { folds } from './details.js';
import { formulas } from './formula.js';
import { tasksAndBreaks } from './tasks.js';

/** @typedef {{cited?: ReadonlySet<number>}} Env numbers that exist as sources; others stay text */
/**
 * @typedef {{copy: string, wrap: string, csv: string, draw: string,
 *   citation: (n: number) => string, done: string, open: string, fold: string}
 *   & import('./across.js').Labels} Labels done, open: of the tasks of a list; fold: of a fold
 *   without a summary
 */

const LINK = /^(https?:\/\/|mailto:)/i;
const CITATION = /^\[(\d{1,3}(?:\s*[,，、]\s*\d{1,3})*)\](?![(:])/;
const ALIGN = /text-align:(left|center|right)/;

/**
 * @param {Labels} labels
 * @returns `render` for a text that grows, block by block; `ended.render` for one that has ended
 */
export function createEngine(labels) {
  const md = build(labels);
  const ended = build(labels);
  md.disable('reference');
  across(ended, labels);
  return Object.assign(md, { ended });
}

/** @param {Labels} labels */
function build(labels) {
  const md = new MarkdownIt({ html: false, linkify: true, breaks: false });
  md.use(cjkFriendly);
  md.use(formulas);
  md.use(tasksAndBreaks);
  md.use(folds, labels.fold);
  md.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
  md.validateLink = (url) => LINK.test(url.trim());
  md.inline.ruler.before('link', 'citation', readCitation);
  Object.assign(md.renderer.rules, rules(labels, md.utils));
  return md;
}

/** @typedef {ReturnType<typeof createEngine>} Engine */

/**
 * Take `[1]` or `[1, 3]` when every number is a source.
 * @param {any} state @param {boolean} silent
 */
function readCitation(state, silent) {
  if (state.src.charCodeAt(state.pos) !== 0x5b) return false;
  const match = CITATION.exec(state.src.slice(state.pos, state.pos + 40));
  if (!match) return false;
  const numbers = match[1].split(/[^\d]+/).map(Number);
  if (!numbers.every((n) => state.env.cited?.has(n))) return false;
  if (!silent) for (const n of numbers) state.push('citation', '', 0).meta = n;
  state.pos += match[0].length;
  return true;
}

/**
 * @param {Labels} labels
 * @param {{escapeHtml: (text: string) => string, unescapeAll: (text: string) => string}} utils
 * @returns {Record<string, any>}
 */
function rules(labels, { escapeHtml: escape, unescapeAll }) {
  /**
   * @param {any[]} tokens
   * @param {number} index
   * @param {any} options
   * @param {any} _env
   * @param {any} self
   */
  const aligned = (tokens, index, options, _env, self) => {
    const align = ALIGN.exec(tokens[index].attrGet('style') ?? '')?.[1];
    tokens[index].attrs = align ? [['class', `align-${align}`]] : null;
    return self.renderToken(tokens, index, options);
  };
  /** @param {string} hook @param {string} label */
  const button = (hook, label) => `<button type="button" ${hook}>${escape(label)}</button>`;
  /** @param {any[]} tokens @param {number} index */
  const code = (tokens, index) => {
    const language = unescapeAll(tokens[index].info ?? '').trim().split(/\s+/)[0];
    const name = `<span>${escape(language)}</span>`;
    const wrap = button('data-wrap-code aria-pressed="false"', labels.wrap);
    const draw = language.toLowerCase() === 'mermaid' ? button('data-draw', labels.draw) : '';
    const buttons = draw + wrap + button('data-copy-code', labels.copy);
    const open = isOpen(tokens[index]) ? ' open' : '';
    const body = `<pre tabindex="0"><code>${escape(tokens[index].content)}</code></pre>`;
    const head = `<figcaption>${name}${buttons}</figcaption>`;
    return `<figure class="code${open}">${head}${body}</figure>\n`;
  };
  /** @param {any[]} tokens @param {number} index */
  const source = (tokens, index) =>
    `<code class="formula${tokens[index].meta.open ? ' open' : ''}">` +
    `${escape(tokens[index].content)}</code>`;
  return {
    formula: source,
    formula_block: (/** @type {any[]} */ tokens, /** @type {number} */ index) =>
      `<pre tabindex="0">${source(tokens, index)}</pre>\n`,
    fence: code,
    code_block: code,
    th_open: aligned,
    td_open: aligned,
    table_open: () => '<div class="sheet"><div class="table" tabindex="0"><table>\n',
    table_close: () => `</table></div>${button('data-copy-table', labels.csv)}</div>\n`,
    image: (/** @type {any[]} */ tokens, /** @type {number} */ index) =>
      imageAsLink(tokens[index], escape),
    /** @type {any} */
    link_open(
      /** @type {any[]} */ tokens,
      /** @type {number} */ index,
      /** @type {any} */ options,
      /** @type {any} */ _env,
      /** @type {any} */ self,
    ) {
      tokens[index].attrSet('rel', 'noopener noreferrer');
      tokens[index].attrSet('target', '_blank');
      return self.renderToken(tokens, index, options);
    },
    task(/** @type {any[]} */ tokens, /** @type {number} */ index) {
      const done = tokens[index].meta;
      const label = escape(done ? labels.done : labels.open);
      const name = done ? 'task done' : 'task';
      return `<span class="${name}" role="img" aria-label="${label}">${done ? '☑' : '☐'}</span>`;
    },
    citation(/** @type {any[]} */ tokens, /** @type {number} */ index) {
      const n = tokens[index].meta;
      const label = escape(labels.citation(n));
      return `<button type="button" class="cite" data-n="${n}" aria-label="${label}">${n}</button>`;
    },
  };
}

/**
 * Whether the closing mark of a code block has not come yet.
 * @param {any} token
 */
function isOpen({ type, map, content }) {
  const lines = content.split('\n').length - (/^$|\n$/.test(content) ? 1 : 0);
  return type === 'fence' && map !== null && map[1] - map[0] < lines + 2;
}

/**
 * Images are never fetched, since a URL can leak the content of documents: show text and host as a
 * link.
 * @param {any} token @param {(text: string) => string} escape
 */
function imageAsLink(token, escape) {
  const url = token.attrGet('src') ?? '';
  const host = URL.canParse(url) ? new URL(url).host : '';
  if (!host) return escape(token.content);
  const text = escape(token.content ? `${token.content} (${host})` : host);
  return `<a href="${escape(url)}" rel="noopener noreferrer" target="_blank">${text}</a>`;
}
