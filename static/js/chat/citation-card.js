/**
 * The card at a citation `[n]`: file, place and sentence, while the pointer or the focus is on it.
 * It stays while the pointer is on the card and is closed by Escape (WCAG 1.4.13).
 */
import { clone, fill, find, showText } from '../core/dom.js';
import { fileName, place } from '../core/format.js';
import { quotesFor } from './quote.js';

/** @typedef {import('../types.js').Message} Message */

const OPEN_MS = 150;
/** Time to move the pointer onto the card. */
const CLOSE_MS = 250;
const GAP_PX = 6;
const EDGE_PX = 8;

export class CitationCard {
  #card = clone('citation');
  /** @type {HTMLElement|null} */ #chip = null;
  #byPointer = false;
  /** It has opened the panel, and gets the focus back from it. */
  #clicked = /** @type {Element|null} */ (null);
  #timer = 0;

  constructor() {
    find(document, 'main').append(this.#card);
    document.addEventListener('pointerover', (event) => this.#moved(event.target));
    document.addEventListener('focusout', (event) => event.target === this.#chip && this.#close());
    const capture = { capture: true };
    document.addEventListener('click', (event) => this.#click(event.target), capture);
    document.addEventListener('scroll', (event) => this.#unlessInside(event.target), capture);
    window.addEventListener('keydown', (event) => this.#key(event), capture);
  }

  /** @param {HTMLElement} chip @param {Message|null} message @param {Event} event */
  enter(chip, message, event) {
    if (matchMedia('(hover: none)').matches || !chip.isConnected || chip === this.#chip) return;
    if (event instanceof PointerEvent) {
      if (event.pointerType === 'touch' || !chip.matches(':hover')) return;
      this.#after(OPEN_MS, () => this.#open(chip, message, true));
    } else if (chip === this.#clicked) this.#clicked = null;
    else if (chip.matches(':focus-visible')) this.#open(chip, message, false);
  }

  /** @param {HTMLElement} chip @param {Message|null} message @param {boolean} byPointer */
  #open(chip, message, byPointer) {
    const source = message?.sources?.find(({ n }) => String(n) === chip.dataset.n);
    this.#close();
    if (!source || !chip.isConnected) return;
    const quote = source.quote || quotesFor(message?.content ?? '', source.n)[0] || source.text;
    fill(this.#card, { n: String(source.n), name: fileName(source.name), place: place(source) });
    showText(find(this.#card, '[data-citation-quote]'), quote?.trim());
    this.#card.hidden = false;
    beside(this.#card, chip);
    chip.setAttribute('aria-describedby', this.#card.id);
    this.#chip = chip;
    this.#byPointer = byPointer;
  }

  #close() {
    clearTimeout(this.#timer);
    this.#card.hidden = true;
    this.#chip?.removeAttribute('aria-describedby');
    this.#chip = null;
  }

  /** @param {number} ms @param {() => void} run */
  #after(ms, run) {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(run, ms);
  }

  /** The pointer is over another element. @param {EventTarget|null} target */
  #moved(target) {
    if (!(target instanceof Element)) return;
    const onChip = target.closest('.cite');
    if (this.#chip && (onChip === this.#chip || this.#card.contains(target))) {
      clearTimeout(this.#timer);
    } else if (!onChip && this.#chip && this.#byPointer) this.#after(CLOSE_MS, () => this.#close());
    else if (!onChip && !this.#chip) clearTimeout(this.#timer);
  }

  /** @param {EventTarget|null} target */
  #click(target) {
    this.#clicked = target instanceof Element ? target.closest('.cite') : null;
    this.#unlessInside(target);
  }

  /** @param {EventTarget|null} target */
  #unlessInside(target) {
    if (!(target instanceof Node) || !this.#card.contains(target)) this.#close();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== 'Escape' || !this.#chip) return;
    event.preventDefault();
    event.stopPropagation();
    this.#close();
  }
}

/**
 * Place the card above its chip, so that what is read next stays visible.
 * @param {HTMLElement} card @param {HTMLElement} chip
 */
function beside(card, chip) {
  const at = chip.getBoundingClientRect();
  const { offsetHeight: height, offsetWidth: width } = card;
  const above = at.top - GAP_PX - height;
  const left = Math.min(at.left + at.width / 2 - width / 2, innerWidth - width - EDGE_PX);
  card.style.top = `${above > EDGE_PX ? above : at.bottom + GAP_PX}px`;
  card.style.left = `${Math.max(EDGE_PX, left)}px`;
}
