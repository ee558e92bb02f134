/**
 * One answer of the thread: its documents, phase, streamed text, sources and end.
 */
import { clone, find, showText } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { richText } from '../markdown/copied.js';
import { renderWhole, StreamRenderer } from '../markdown/stream.js';
import { showUpstream } from '../ui/upstream.js';
import { showBranch } from './branch.js';
import { showFacts, showMoment } from './facts.js';
import { showFeedback } from './feedback.js';
import { GONE } from './outcome.js';
import { Phase } from './phase.js';
import { showSources } from './sources.js';
import { Reasoning } from './reasoning.js';
import { isLive, isLocal } from './tree.js';
import { showUnread } from './unread.js';

/** @typedef {import('../types.js').Message} Message */
/** @typedef {import('../types.js').Problem} Problem */

const NOTES = ['stopped', 'length', 'content_filter'];
const MODEL_CODES = ['no_model', 'model_gone', 'upstream_auth'];
/**
 * @type {Record<string, string>} labels of the retry button by error code; the default is Retry
 */
const LABELS = { lost: 'thread.reconnect', interrupted: 'thread.regenerate' };
const BROKEN = ['stopped', 'failed', 'interrupted'];
/** Errors after which an answer cannot be continued. */
const FINAL = ['answer_too_long', 'unreadable', GONE];

export class AnswerView {
  root = clone('answer');
  #message;
  #engine;
  #grown;
  #phase;
  #reasoning;
  /** @type {StreamRenderer|null} */ #renderer = null;
  /** Text or reasoning has arrived. */
  #begun = false;
  /** When the first of them arrived; kept by a reset, which may turn text into reasoning. */
  #since = 0;
  /** The phase shown until then. */
  #status = '';
  /** @type {import('../net/run.js').Gap} */ #gap = '';
  /** @type {import('../net/stop.js').StopState|null} */ #stop = null;

  /**
   * @param {Message} message
   * @param {import('../markdown/engine.js').Engine} engine
   * @param {() => void} grown called when its height may have changed
   */
  constructor(message, engine, grown) {
    this.#message = message;
    this.#engine = engine;
    this.#grown = grown;
    this.#phase = new Phase(this.root);
    this.#reasoning = new Reasoning(this.root);
    if (!isLive(message)) this.#whole();
    else if (message.content) this.#stream();
  }

  get message() {
    return this.#message;
  }

  /** Show everything but the streamed text. @param {string[]} siblings ids */
  update(siblings) {
    const message = this.#message;
    const live = isLive(message);
    this.root.dataset.message = message.id;
    this.root.dataset.status = message.status;
    this.root.setAttribute('aria-busy', String(live));
    find(this.root, '[data-context-line]').hidden = !message.knowledge;
    find(this.root, '[data-context]').textContent = message.knowledge ?? '';
    find(this.root, '[data-actions]').hidden = live;
    find(this.root, '[data-copy]').hidden = !message.content;
    this.#showEnd(live);
    showBranch(this.root, message, siblings);
    showUnread(this.root, live ? [] : (message.unread ?? []));
    find(this.root, '[data-why]').hidden = live || !message.searched;
    showMoment(this.root, message.created_at);
    find(this.root, '[data-facts]').hidden = true;
    this.#showsQuotes(message.sources ?? []);
    if (!live) {
      showSources(this.root, message);
      showFacts(this.root, message);
      showFeedback(this.root, message);
    } else if (isLocal(message)) this.#is('connecting');
    else if (!this.#begun && ['', 'connecting'].includes(this.#status)) this.#is('writing');
  }

  /** @param {import('../net/events.js').WireEvent} event */
  stream(event) {
    const renderer = this.#stream();
    if (event.type === 'status') this.#is(this.#begun ? '' : event.data);
    else if (event.type === 'sources') {
      renderer.cite(event.data.map((source) => source.n));
      this.#showsQuotes(event.data);
    } else if (event.type === 'reasoning') {
      this.#begins();
      this.#reasoning.append(event.data, this.#since);
    } else if (event.type === 'chunk') {
      this.#begins();
      this.#reasoning.end();
      renderer.append(event.data);
    } else if (event.type === 'reset') {
      this.#begun = false;
      this.#reasoning.reset();
      renderer.reset();
      this.#is('writing');
    }
    this.#grown();
  }

  /**
   * The connection is lost or restored.
   * @param {import('../net/run.js').Gap} gap
   */
  gap(gap) {
    this.#gap = gap;
    this.#showPhase();
    this.#showEnd(true);
    this.#grown();
  }

  /** @param {import('../net/stop.js').StopState} state */
  stopping(state) {
    this.#stop = state;
    this.#showPhase();
    this.#grown();
  }

  /** @returns {string} its text as HTML, to be pasted */
  html() {
    return richText(find(this.root, '[data-text]'));
  }

  /**
   * The built-in model quotes: its answers have the typeface of documents.
   * @param {unknown[]} sources
   */
  #showsQuotes(sources) {
    const quotes = this.#message.supplier === 'builtin' && sources.length > 0;
    find(this.root, '[data-text]').toggleAttribute('data-quotes', quotes);
  }

  /** The answer has ended. */
  finish() {
    this.#gap = '';
    this.#stop = null;
    this.#is('');
    this.#reasoning.end();
    this.#renderer?.finish();
    this.#renderer = null;
    this.#grown();
  }

  #begins() {
    this.#begun = true;
    this.#since ||= performance.now();
    this.#is('');
  }

  /** @param {string} status */
  #is(status) {
    this.#status = status;
    this.#showPhase();
  }

  /**
   * Precedence: stopping, then reconnecting, then the status.
   */
  #showPhase() {
    const stop = this.#stop === 'unreached' ? 'unreached' : this.#stop && 'stopping';
    const name = stop || (this.#gap ? 'reconnecting' : this.#status);
    if (name) this.#phase.show(name);
    else this.#phase.hide();
  }

  #stream() {
    if (!this.#renderer) {
      this.#renderer = new StreamRenderer(
        find(this.root, '[data-text]'),
        this.#engine,
        this.#grown,
      );
      this.#renderer.cite((this.#message.sources ?? []).map((source) => source.n));
      if (this.#message.content) this.#renderer.append(this.#message.content);
    }
    return this.#renderer;
  }

  #whole() {
    const { content, reasoning, sources, timings } = this.#message;
    renderWhole(
      find(this.root, '[data-text]'),
      this.#engine,
      content,
      (sources ?? []).map((source) => source.n),
      this.#grown,
    );
    this.#reasoning.show(reasoning ?? '', timings?.reasoning_ms);
  }

  /** @param {boolean} live */
  #showEnd(live) {
    const { status, finish_reason: reason } = this.#message;
    const note = status === 'stopped' ? 'stopped' : (reason ?? '');
    const element = find(this.root, '[data-note]');
    showText(element, !live && NOTES.includes(note) ? t(`answer.${note}`) : '');
    element.dataset.note = NOTES.includes(note) ? note : '';
    const problem = live ? this.#gapProblem() : problemOf(this.#message);
    const continuable = !live && canContinue(this.#message);
    this.#showProblem(problem, continuable);
    const asksAgain = problem !== null || Boolean(this.#message.unread?.length);
    find(this.root, '[data-regenerate]').hidden = asksAgain; // there is a button beside the reason
    find(this.root, '[data-continue]').hidden = !continuable || problem !== null;
  }

  /** @param {Problem|null} problem @param {boolean} continuable */
  #showProblem(problem, continuable) {
    const code = problem?.code ?? '';
    find(this.root, '[data-error]').hidden = !problem;
    find(this.root, '[data-error]').dataset.error = code;
    find(this.root, '[data-error-text]').textContent = problem?.message ?? '';
    showUpstream(this.root, problem?.upstream);
    find(this.root, '[data-error-continue]').hidden = !continuable;
    find(this.root, '[data-retry]').hidden = code === GONE;
    find(this.root, '[data-retry-label]').textContent = t(LABELS[code] ?? 'thread.retry');
    find(this.root, '[data-error-connect]').hidden = !MODEL_CODES.includes(code);
  }

  /** @returns {Problem|null} */
  #gapProblem() {
    return this.#gap === 'long' ? { code: 'lost', message: t('answer.lost') } : null;
  }
}

/**
 * @param {Message} message
 * @returns {Problem|null} the error of an ended answer
 */
function problemOf({ status, error }) {
  if (status === 'interrupted') {
    return { code: 'interrupted', message: error?.message || t('answer.interrupted') };
  }
  if (error?.message) return error;
  return status === 'failed' ? { code: error?.code ?? '', message: t('answer.failed') } : null;
}

/** @param {Message} message @returns {boolean} whether the answer broke off with text */
function canContinue({ content, status, finish_reason: reason, error }) {
  return (
    Boolean(content) &&
    (BROKEN.includes(status) || reason === 'length') &&
    !FINAL.includes(error?.code ?? '')
  );
}
