/** The status line of an answer before its first text; shows elapsed seconds after a while. */
import { find } from '../core/dom.js';
import { t } from '../core/i18n.js';

const TICK_MS = 1000;
const SHOW_SECONDS_AFTER = 3;
const KNOWN = [
  'connecting',
  'reading',
  'rewriting',
  'searching',
  'writing',
  'reconnecting',
  'stopping',
  'unreached',
];

export class Phase {
  #root;
  #text;
  #timer = 0;
  #began = 0;
  #name = '';

  /** @param {HTMLElement} answer */
  constructor(answer) {
    this.#root = find(answer, '[data-phase]');
    this.#text = find(answer, '[data-phase-text]');
  }

  /**
   * @param {string} name a status of the API, or connecting, reconnecting, stopping, unreached;
   *   unknown ones are shown as writing
   */
  show(name) {
    const known = KNOWN.includes(name) ? name : 'writing';
    if (this.#timer && known === this.#name) return;
    this.#name = known;
    this.#root.hidden = false;
    this.#root.dataset.phase = this.#name;
    this.#began = performance.now();
    if (!this.#timer) this.#timer = window.setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  hide() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#root.hidden = true;
  }

  #tick() {
    if (!this.#root.isConnected) return this.hide();
    const seconds = Math.round((performance.now() - this.#began) / 1000);
    const waited = seconds < SHOW_SECONDS_AFTER ? '' : ` ${t('phase.seconds', { seconds })}`;
    this.#text.textContent = t(`phase.${this.#name}`) + waited;
  }
}
