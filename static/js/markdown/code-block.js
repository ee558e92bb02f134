/**
 * The code blocks of an answer: their colours, and what they keep while the text around them is
 * rendered again. The library and the grammar of a language load with the first block in it; until
 * then, without them and in other languages, code is plain.
 */
import { STATIC } from '../core/address.js';
import { once } from '../core/lazy.js';
import { Chunks, highlighter } from './colouring.js';
import { grammarsOf, languageOf } from './languages.js';

/** @typedef {import('./colouring.js').Part} Part */
/** @typedef {import('./colouring.js').Highlight} Highlight */

/** A selection in a block delays its colours. */
const SELECTION_MS = 500;
/** How long to wait for an idle moment; in browsers without them; and how long to work without. */
const LATEST_MS = 300;
const IDLE_MS = 50;
const WORK_MS = 8;

/** @type {WeakMap<Element, CodeBlock>} */
const blocks = new WeakMap();

export class CodeBlock {
  #figure;
  #code;
  /** What is not coloured yet. */
  #rest;
  #done = '';
  #ended = false;
  #name;
  /** @type {Chunks|null} */ #chunks = null;

  /** @param {Element} figure */
  constructor(figure) {
    this.#figure = figure;
    this.#code = figure.querySelector('code') ?? figure;
    this.#rest = textOf(this.#code);
    this.#name = nameOf(figure);
    const language = languageOf(this.#name);
    if (language) void this.#load(language);
  }

  /** @param {string} text */
  append(text) {
    this.#rest.appendData(text);
    this.#wanted();
  }

  /** The text is complete. */
  end() {
    if (this.#ended) return;
    this.#ended = true;
    this.#wanted();
  }

  /**
   * Stand in for a figure that was rendered anew.
   * @param {Element} fresh @returns {boolean} whether it is this block, grown
   */
  replace(fresh) {
    const text = fresh.querySelector('code')?.textContent ?? '';
    if (nameOf(fresh) !== this.#name || !text.startsWith(this.#done)) return false;
    const rest = text.slice(this.#done.length);
    if (rest !== this.#rest.data) this.#rest.data = rest;
    this.#figure.classList.toggle('open', fresh.classList.contains('open'));
    fresh.replaceWith(this.#figure);
    this.#wanted();
    return true;
  }

  /** Colour the next chunk. @returns {boolean} whether there was one */
  paint() {
    const chunk = this.#chunks?.next(this.#rest.data, this.#ended);
    if (!chunk) return false;
    const box = document.createElement('span');
    box.className = 'chunk';
    box.append(...chunk.parts.map(nodeOf));
    this.#done += this.#rest.data.slice(0, chunk.end);
    this.#rest.before(box);
    this.#rest.deleteData(0, chunk.end);
    return true;
  }

  isSelected() {
    const selection = getSelection();
    return Boolean(selection && !selection.isCollapsed && selection.containsNode(this.#code, true));
  }

  #wanted() {
    if (this.#chunks?.due(this.#rest.data, this.#ended)) enqueue(this);
  }

  /** @param {string} language */
  async #load(language) {
    try {
      this.#chunks = new Chunks(await load(language));
      this.#wanted();
    } catch {
      // Not reachable: this block stays plain, the next one tries again.
    }
  }
}

/**
 * Colour the code blocks of a fragment.
 * @param {ParentNode} root @param {boolean} final whether its text will not change
 */
export function colour(root, final) {
  for (const figure of root.querySelectorAll('figure.code')) {
    const block = blocks.get(figure) ?? new CodeBlock(figure);
    blocks.set(figure, block);
    if (final || !figure.classList.contains('open')) block.end();
  }
}

/**
 * Keep the code blocks of a text that was rendered again, in the same order.
 * @param {Element} from what was shown @param {ParentNode} to what will be shown instead
 */
export function keepBlocks(from, to) {
  const old = [...from.querySelectorAll('figure.code')];
  for (const figure of to.querySelectorAll('figure.code')) {
    const before = old.shift();
    if (!before) return;
    if (!blocks.get(before)?.replace(figure)) before.remove();
  }
}

/** @param {Element|null} figure @returns {CodeBlock|null} */
export const blockOf = (figure) => (figure && blocks.get(figure)) ?? null;

/** @type {Map<string, () => Promise<Highlight>>} */
const loaders = new Map();
/** @param {string} name of a file in `static/vendor/highlight` */
const part = async (name) => (await import(`${STATIC}vendor/highlight/${name}.js`)).default;
const core = once(() => part('core'));

/** @param {string} language @returns {Promise<Highlight>} */
function load(language) {
  const loader =
    loaders.get(language) ??
    once(async () => {
      const names = grammarsOf(language);
      const [library, ...grammars] = await Promise.all([core(), ...names.map(part)]);
      return highlighter(library, language, new Map(names.map((name, at) => [name, grammars[at]])));
    });
  loaders.set(language, loader);
  return loader();
}

/** @type {Set<CodeBlock>} */
const queue = new Set();
let planned = false;

/** @param {CodeBlock} block */
function enqueue(block) {
  queue.add(block);
  plan();
}

function plan() {
  if (planned || !queue.size) return;
  planned = true;
  const briefly = () => {
    const until = performance.now() + WORK_MS;
    work(() => performance.now() < until);
  };
  if (!('requestIdleCallback' in window)) setTimeout(briefly, IDLE_MS);
  else {
    requestIdleCallback(
      (idle) => (idle.didTimeout ? briefly() : work(() => idle.timeRemaining() > 1)),
      { timeout: LATEST_MS },
    );
  }
}

/** Colour at least one chunk. @param {() => boolean} more whether there is time for another */
function work(more) {
  planned = false;
  for (const block of queue) {
    if (block.isSelected()) {
      queue.delete(block);
      setTimeout(() => enqueue(block), SELECTION_MS);
      continue;
    }
    while (block.paint()) if (!more()) return plan();
    queue.delete(block);
  }
}

/** @param {Part} part @returns {Node|string} */
function nodeOf(part) {
  if (typeof part === 'string') return part;
  const span = document.createElement('span');
  span.className = `c-${part.tone}`;
  span.append(...part.parts.map(nodeOf));
  return span;
}

/** @param {Element} figure @returns {string} the language it names */
const nameOf = (figure) => figure.querySelector('figcaption span')?.textContent ?? '';

/** @param {Element} code @returns {Text} its only text node */
function textOf(code) {
  if (code.lastChild instanceof Text) return code.lastChild;
  const text = document.createTextNode('');
  code.append(text);
  return text;
}
