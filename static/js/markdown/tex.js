/**
 * From a formula's source, with its marks, to KaTeX's tree of nodes. Pure: KaTeX is passed in.
 *
 * A formula comes from a model or a document. It may neither load or link anything nor take long:
 * what KaTeX would only draw with trust, what it does not know and what is too large stays source.
 */

/**
 * @typedef {{children?: Node[], attributes?: Record<string, string>, toNode: () => Element}} Node
 * @typedef {{__renderToDomTree: (tex: string, options: object) => Node}} Katex
 */

const MARKS = /^(?:\\\(([^]*)\\\)|\\\[([^]*)\\\]|\$\$([^]*)\$\$|\$([^]*)\$)$/;
const ENVIRONMENT = /^\\begin\{/;
const MAX_CHARS = 5000;
/** Nested deeper, groups take the browser's layout too long. */
const MAX_DEPTH = 60;
/** Of lengths, in em: `\rule` and `\hspace` may not push the page aside. */
const MAX_SIZE = 50;
const MAX_EXPANSIONS = 1000;
/** What LaTeX has and KaTeX does not; copied, as a formula may change macros. */
const LATEX = { '\\arraystretch': '1', '\\label': '\\@secondoftwo{#1}{}' };
/** Of a formula that defines macros: its length times its expansions. */
const MAX_EXPANDED_CHARS = 50_000;
const DEFINES = /\\(?:g?def|(?:re)?newcommand|providecommand|(?:future)?let)(?![a-zA-Z])/;
/** Macros with parameters, or expanded when they are defined, multiply at each use. */
const MULTIPLIES = /#|\\[ex]def(?![a-zA-Z])/;
/** They write to the console. */
const DEBUGGING = /\\(?:message|errmessage|show)(?![a-zA-Z])/;

/**
 * @param {string} source with its marks
 * @returns {{tex: string, display: boolean}|null} null for what is not drawn
 */
export function texOf(source) {
  const marks = MARKS.exec(source);
  if (!marks && !ENVIRONMENT.test(source)) return null;
  const tex = marks ? (marks[1] ?? marks[2] ?? marks[3] ?? marks[4]) : source;
  const display = !marks || (marks[1] ?? marks[4]) === undefined;
  if (tex.length > MAX_CHARS || depthOf(tex) > MAX_DEPTH || DEBUGGING.test(tex)) return null;
  return DEFINES.test(tex) && MULTIPLIES.test(tex) ? null : { tex, display };
}

/**
 * @param {Katex} katex
 * @param {string} source with its marks
 * @returns {Node|null} null where the source is shown instead
 */
export function treeOf(katex, source) {
  const formula = texOf(source);
  if (!formula) return null;
  const { tex, display } = formula;
  let trusted = true;
  try {
    const tree = katex.__renderToDomTree(tex, {
      displayMode: display,
      maxExpand: DEFINES.test(tex) ? MAX_EXPANDED_CHARS / tex.length : MAX_EXPANSIONS,
      maxSize: MAX_SIZE,
      macros: { ...LATEX },
      strict: 'ignore',
      trust: () => (trusted = false),
    });
    if (!trusted) return null;
    keepStyles(tree);
    return tree;
  } catch {
    return null; // TeX that KaTeX cannot read
  }
}

/** @param {string} tex @returns {number} how deep its groups are nested */
function depthOf(tex) {
  let depth = 0;
  let most = 0;
  for (const [mark] of tex.matchAll(/\\.|[{}]/gs)) {
    if (mark === '{') depth += 1;
    if (mark === '}') depth -= 1;
    most = Math.max(most, depth);
  }
  return most;
}

/**
 * Some nodes have a `style` attribute, which the page's policy forbids; a property is allowed.
 * @param {Node} node
 */
function keepStyles(node) {
  const style = node.attributes?.style;
  if (style && node.attributes) {
    delete node.attributes.style;
    const toNode = node.toNode;
    node.toNode = () => {
      const element = toNode.call(node);
      /** @type {HTMLElement|MathMLElement} */ (element).style.cssText = style;
      return element;
    };
  }
  for (const child of node.children ?? []) keepStyles(child);
}
