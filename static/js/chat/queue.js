/**
 * The questions of the shown chat that wait for the answer before them, or for the network. They go
 * out one by one, each when an answer has ended well, and stay stored until the server has accepted
 * them: a question that is sent twice has the same id, so that it is asked once. Does not use the
 * DOM.
 *
 * @typedef {import('../core/storage.js').Queued} Queued
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('../types.js').Problem} Problem
 * @typedef {{kind: 'answer'|'offline'|'held'|'refused', text?: string}} Reason why the first
 *   question waits: for an answer, for the network, for the user, or for the user because it was
 *   refused
 */
import { drafts, queued } from '../core/storage.js';

const NEW = 'new';
const RETRY_MS = 2_000;
const RETRY_MAX_MS = 30_000;

export class QuestionQueue {
  #deps;
  #chat = NEW;
  /** @type {Queued[]} */ #items = [];
  /** The id of the question that is being sent. */
  #sending = '';
  /** @type {Reason|null} why the first question waits although no answer is being written */
  #held = null;
  #retryMs = RETRY_MS;
  #timer = 0;

  /**
   * @param {{ask: (question: Queued) => boolean, isLive: () => boolean,
   *   probe: () => Promise<unknown>,
   *   giveBack: (questions: Queued[]) => void,
   *   show: (questions: Queued[], reason: Reason) => void}} deps isLive: an answer is being
   *   written; probe: fails while the service cannot be reached; giveBack: into the question field
   */
  constructor(deps) {
    this.#deps = deps;
    queued.onChangedElsewhere(() => {
      this.#items = queued.read(this.#chat);
      this.show();
    });
    for (const event of ['online', 'visibilitychange']) {
      const target = event === 'online' ? window : document;
      target.addEventListener(event, () => void this.#reach());
    }
  }

  /** Another chat is being opened. @param {string|null} sessionId */
  enter(sessionId) {
    this.#chat = sessionId ?? NEW;
    this.#items = queued.read(this.#chat);
    this.#sending = '';
    this.#held = { kind: 'held' };
    this.show();
  }

  /** The chat is open. @param {Message|null} last its last message; null in a new chat */
  opened(last) {
    const ended = !last || (last.role === 'assistant' && last.status === 'complete');
    if (ended && !drafts.read(this.#chat).id) this.#held = null;
    this.#next();
  }

  /** Whether a new question has to wait. */
  get takes() {
    return this.#deps.isLive() || !navigator.onLine || this.#held?.kind === 'offline';
  }

  /** @param {Queued} question */
  add(question) {
    this.#keep([...this.#items, question]);
    if (!this.#deps.isLive()) this.#waitForNetwork();
  }

  /** A question did not reach the service: it goes out first. @param {Queued} question */
  unreached(question) {
    if (drafts.read(this.#chat).id === question.id) {
      drafts.write(this.#chat, { text: '', id: null });
    }
    this.#keep([question, ...this.#items]);
    this.#waitForNetwork();
  }

  /** @param {string} id @returns {Queued|undefined} the removed question */
  remove(id) {
    const found = this.#items.find((question) => question.id === id);
    this.#keep(this.#items.filter((question) => question !== found));
    return found;
  }

  /** Send the first question although the answer before it did not end well. */
  sendNow() {
    this.#held = null;
    this.#next();
  }

  /** The server has stored a question. @param {string} sessionId */
  accepted(sessionId) {
    const rest = this.#items.filter((question) => question.id !== this.#sending);
    this.#sending = '';
    this.#retryMs = RETRY_MS;
    if (this.#chat !== sessionId) queued.write(this.#chat, []);
    this.#chat = sessionId;
    this.#keep(rest);
  }

  /**
   * A question was not accepted.
   * @param {string} id @param {Problem} problem
   * @returns {boolean} whether it waits here again
   */
  refused(id, problem) {
    if (!id || id !== this.#sending) return false;
    this.#sending = '';
    if (problem.code === 'unsent' || problem.code === 'offline') this.#waitForNetwork();
    else this.#held = { kind: 'refused', text: problem.message };
    return true;
  }

  /** The question that is being sent. @returns {string} its id */
  get sending() {
    return this.#sending;
  }

  /** An answer has ended. @param {import('../net/run.js').Outcome} outcome */
  ended({ state }) {
    if (state === 'done') this.#held = null;
    else this.#held ??= { kind: 'held' };
    if (state !== 'stopped') return this.#next();
    const items = this.#items;
    this.#keep([]);
    if (items.length) this.#deps.giveBack(items);
  }

  show() {
    const reason = this.#deps.isLive() ? { kind: /** @type {const} */ ('answer') } : this.#held;
    const waiting = this.#items.filter((question) => question.id !== this.#sending);
    this.#deps.show(waiting, reason ?? { kind: 'answer' });
  }

  #next() {
    const [first] = this.#items;
    if (first && !this.#held && !navigator.onLine) this.#waitForNetwork();
    if (first && !this.#held && !this.#sending && !this.#deps.isLive()) {
      this.#sending = first.id;
      if (!this.#deps.ask(first)) {
        this.#sending = '';
        this.#held = { kind: 'held' };
      }
    }
    this.show();
  }

  #waitForNetwork() {
    this.#held = { kind: 'offline' };
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#reach(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
    this.show();
  }

  /** Send the waiting questions if the service can be reached again. */
  async #reach() {
    const held = this.#held;
    if (held?.kind !== 'offline') return;
    if (!this.#items.length) {
      this.#held = null;
      return;
    }
    const reached = navigator.onLine && (await this.#deps.probe().then(Boolean, () => false));
    if (held !== this.#held) return;
    if (!reached) return this.#waitForNetwork();
    this.#held = null;
    this.#next();
  }

  /** @param {Queued[]} items */
  #keep(items) {
    this.#items = items;
    queued.write(this.#chat, items);
    this.show();
  }
}
