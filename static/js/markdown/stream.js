/**
 * Renders a growing Markdown text. Finished blocks are rendered once and then left alone, so that
 * text can be selected; only the tail is rendered again, at most once a frame and less often where
 * rendering is slow.
 */
import { definesAcross } from './across.js';
import { closeMarks, mayClose, split } from './blocks.js';
import { blockOf, colour, keepBlocks } from './code-block.js';
import { toFragment } from './safe.js';
import { Toggled } from './toggled.js';
import { typeset } from './typeset.js';

/** @typedef {import('./engine.js').Engine} Engine */

/** The pause between renderings, as a multiple of their recent cost. */
const PACE = 4;
const PACE_MAX_MS = 500;
const HIDDEN_MS = 500;
/** A selection in the tail delays rendering for at most this long. */
const SELECTION_MS = 2000;

export class StreamRenderer {
  #engine;
  #root;
  #live;
  #toggled;
  /** The whole text, and what of it is not final. */
  #text = '';
  #tail = '';
  #afterCr = false;
  /** @type {Set<number>} */ #cited = new Set();
  /** @type {import('./blocks.js').Fence|null} */ #fence = null;
  /** @type {import('./code-block.js').CodeBlock|null} */ #code = null;
  /** How far the tables of the tail are scrolled. */
  #scrolled = /** @type {number[]} */ ([]);
  #cost = 0;
  #flushed = 0;
  #held = 0;
  #frame = 0;
  #timer = 0;
  #afterFlush;

  /** @param {HTMLElement} root @param {Engine} engine @param {() => void} [afterFlush] */
  constructor(root, engine, afterFlush = () => {}) {
    this.#root = root;
    this.#engine = engine;
    this.#afterFlush = afterFlush;
    this.#live = document.createElement('div');
    this.#live.className = 'live';
    this.#toggled = new Toggled(root);
    root.replaceChildren(this.#live);
  }

  /** @param {Iterable<number>} numbers the sources that `[n]` may name */
  cite(numbers) {
    this.#cited = new Set(numbers);
  }

  /** @param {string} text */
  append(text) {
    const start = this.#tail.lastIndexOf('\n') + 1;
    const lines = this.#withLf(text);
    this.#text += lines;
    this.#tail += lines;
    if (this.#fence && this.#code && !this.#closesFence(start)) this.#code.append(lines);
    else {
      this.#fence = null;
      this.#schedule();
    }
    if (!this.#frame && !this.#timer) this.#afterFlush();
  }

  /** Clear the text: it will be sent again. */
  reset() {
    this.#cancel();
    this.#text = '';
    this.#tail = '';
    this.#fence = null;
    this.#live.replaceChildren();
    this.#root.replaceChildren(this.#live);
  }

  /** Render the rest, or all again where links or footnotes are defined; the text is final. */
  finish() {
    this.#cancel();
    const from = definesAcross(this.#text) ? this.#root : this.#live;
    const text = from === this.#root ? this.#text : this.#tail;
    this.#scrolled = tablesIn(from).map((table) => table.scrollLeft);
    this.#show(text, true, from, this.#engine.ended);
    this.#live.remove();
    this.#toggled.keep();
  }

  /** Normalise line ends, also where CR and LF arrive in two pieces. @param {string} text */
  #withLf(text) {
    const rest = this.#afterCr && text.startsWith('\n') ? text.slice(1) : text;
    if (text) this.#afterCr = text.endsWith('\r');
    return rest.replace(/\r\n?/g, '\n');
  }

  /** @param {number} from where the first line that changed begins */
  #closesFence(from) {
    const fence = this.#fence;
    return (
      fence !== null &&
      this.#tail
        .slice(from)
        .split('\n')
        .some((line) => line.trim() !== '' && mayClose(line, fence))
    );
  }

  #schedule() {
    if (this.#frame || this.#timer) return;
    if (document.hidden) this.#timer = window.setTimeout(() => this.#flush(), HIDDEN_MS);
    else this.#frame = requestAnimationFrame(() => this.#flushInTime());
  }

  #flushInTime() {
    const rest = this.#flushed + Math.min(this.#cost * PACE, PACE_MAX_MS) - performance.now();
    this.#frame = 0;
    if (rest > 0) this.#timer = window.setTimeout(() => this.#flush(), rest);
    else this.#flush();
  }

  #flush() {
    this.#cancel();
    if (this.#isSelected() && this.#held < SELECTION_MS) {
      this.#held += HIDDEN_MS;
      this.#timer = window.setTimeout(() => this.#flush(), HIDDEN_MS);
      return;
    }
    const began = performance.now();
    this.#draw();
    this.#flushed = performance.now();
    this.#cost = this.#cost * 0.7 + (this.#flushed - began) * 0.3;
    this.#held = 0;
    this.#afterFlush();
  }

  #draw() {
    const { cut, fence, prose } = split(this.#engine, this.#tail);
    this.#scrolled = tablesIn(this.#live).map((table) => table.scrollLeft);
    if (cut) {
      this.#show(this.#tail.slice(0, cut), true);
      this.#tail = this.#tail.slice(cut);
    }
    this.#show(prose ? closeMarks(this.#tail) : this.#tail, false);
    this.#toggled.keep();
    this.#code = fence && blockOf(this.#live.lastElementChild);
    this.#fence = this.#code ? fence : null;
  }

  /**
   * @param {string} text @param {boolean} final whether it will not be rendered again
   * @param {Element} [from] what it was rendered in before
   * @param {Pick<Engine, 'render'>} [engine]
   */
  #show(text, final, from = this.#live, engine = this.#engine) {
    const part = toFragment(engine.render(text, { cited: this.#cited }));
    const tables = tablesIn(part);
    keepBlocks(from, part);
    colour(part, final);
    typeset(part, this.#root, this.#afterFlush);
    if (from === this.#root) this.#root.replaceChildren(part);
    else if (final) this.#root.insertBefore(part, this.#live);
    else this.#live.replaceChildren(part);
    for (const table of tables) {
      const left = this.#scrolled.shift();
      if (left) table.scrollLeft = left;
    }
  }

  #isSelected() {
    const selection = getSelection();
    return Boolean(selection && !selection.isCollapsed && selection.containsNode(this.#live, true));
  }

  #cancel() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = 0;
    this.#timer = 0;
  }
}

/** @param {ParentNode} root @returns {Element[]} the boxes in which tables scroll */
const tablesIn = (root) => [...root.querySelectorAll('.table')];

/**
 * Render a finished text into `root`.
 * @param {HTMLElement} root
 * @param {Engine} engine
 * @param {string} text
 * @param {Iterable<number>} cited
 * @param {() => void} [grown] called when formulas have changed its height later
 */
export function renderWhole(root, engine, text, cited, grown = () => {}) {
  const part = toFragment(engine.ended.render(text, { cited: new Set(cited) }));
  colour(part, true);
  typeset(part, root, grown);
  root.replaceChildren(part);
}
