/**
 * What reaches across the blocks of a text: link references and footnotes. They are resolved once,
 * in an answer that has ended; while it streams they are plain text (`blocks.js`). Pure.
 */
// @ts-expect-error: the package has no types
import footnotes from 'markdown-it-footnote';

/** `[label]:` at the beginning of a line, perhaps in a list or a quotation. */
const DEFINITION = /^[ \t>*+\-\d.)]*\[(?:\\.|[^\]\\]){1,999}\]:/m;
const NUMBER = /^\[(\d{1,3})\]:/;

/** @typedef {{footnote: (n: number) => string, footnotes: string, back: string}} Labels */

/** @param {string} text @returns {boolean} whether it may define a link or a footnote */
export const definesAcross = (text) => DEFINITION.test(text);

/**
 * @param {any} md an instance of markdown-it
 * @param {Labels} labels
 */
export function across(md, labels) {
  const rules = md.block.ruler.getRules('');
  md.block.ruler.disable('reference');
  const others = md.block.ruler.getRules('');
  const reference = rules.find((/** @type {any} */ rule) => !others.includes(rule));
  md.block.ruler.at('reference', definition);
  md.block.ruler.enable('reference');
  md.use(footnotes);
  md.inline.ruler.disable('footnote_inline');
  Object.assign(md.renderer.rules, footnoteRules(labels, md.utils.escapeHtml));

  /**
   * The number of a source defines no link: `[n]` cites it.
   * @param {any} state @param {number} start @param {number} end @param {boolean} silent
   */
  function definition(state, start, end, silent) {
    const line = state.src.slice(state.bMarks[start] + state.tShift[start], state.eMarks[start]);
    const number = NUMBER.exec(line);
    if (number && state.env.cited?.has(Number(number[1]))) return false;
    return reference(state, start, end, silent);
  }
}

/** @param {Labels} labels @param {(text: string) => string} escape */
function footnoteRules(labels, escape) {
  /** @param {any[]} tokens @param {number} index */
  const numberOf = (tokens, index) => tokens[index].meta.id + 1;
  return {
    footnote_ref(/** @type {any[]} */ tokens, /** @type {number} */ index) {
      const n = numberOf(tokens, index);
      const label = `aria-label="${escape(labels.footnote(n))}"`;
      return `<button type="button" class="footnote" data-footnote="${n}" ${label}>${n}</button>`;
    },
    footnote_block_open: () => `<ol class="footnotes" aria-label="${escape(labels.footnotes)}">\n`,
    footnote_block_close: () => '</ol>\n',
    footnote_open: (/** @type {any[]} */ tokens, /** @type {number} */ index) =>
      `<li tabindex="-1" data-footnote-text="${numberOf(tokens, index)}">`,
    footnote_close: () => '</li>\n',
    footnote_anchor(/** @type {any[]} */ tokens, /** @type {number} */ index) {
      const { id, subId } = tokens[index].meta;
      if (subId) return '';
      const label = `aria-label="${escape(labels.back)}"`;
      return ` <button type="button" data-footnote-back="${id + 1}" ${label}>↩</button>`;
    },
  };
}
