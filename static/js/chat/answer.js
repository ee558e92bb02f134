/** One answer of the thread: what it stands on, what it is doing, its text as it comes, its sources, and how it ended. */
import { clone, find, showText } from '../core/dom.js';
import { seconds } from '../core/format.js';
import { t } from '../core/i18n.js';
import { renderWhole, StreamRenderer } from '../markdown/stream.js';
import { showBranch } from './branch.js';
import { Phase } from './phase.js';
import { showSources } from './sources.js';
import { Thinking } from './thinking.js';
import { isLocal } from './tree.js';
import { showUnread } from './unread.js';

/** @typedef {import('../types.js').Message} Message */

const NOTES = ['stopped', 'length', 'content_filter'];
const MODEL_CODES = ['no_model', 'model_gone', 'upstream_auth'];
const CONTINUABLE = ['stopped', 'failed', 'interrupted'];

export class AnswerView {
  root = clone('answer');
  #message;
  #engine;
  #grown;
  #phase;
  #thinking;
  /** @type {StreamRenderer|null} */ #renderer = null;

  /** @param {Message} message @param {import('../markdown/engine.js').Engine} engine @param {() => void} grown called when it got longer */
  constructor(message, engine, grown) {
    this.#message = message;
    this.#engine = engine;
    this.#grown = grown;
    this.#phase = new Phase(this.root);
    this.#thinking = new Thinking(this.root);
    if (!this.#isLive()) this.#whole();
  }

  get message() {
    return this.#message;
  }

  /** Show everything but the streamed text. @param {Message[]} siblings */
  update(siblings) {
    const message = this.#message;
    const live = this.#isLive();
    this.root.dataset.message = message.id;
    this.root.dataset.status = message.status;
    this.root.setAttribute('aria-busy', String(live));
    find(this.root, '[data-context-line]').hidden = !message.knowledge;
    find(this.root, '[data-context]').textContent = message.knowledge ?? '';
    find(this.root, '[data-actions]').hidden = live;
    find(this.root, '[data-copy]').hidden = !message.content;
    find(this.root, '[data-continue]').hidden = !message.content || !CONTINUABLE.includes(message.status);
    this.#showEnd(live);
    showBranch(this.root, message, siblings);
    showUnread(this.root, live ? [] : message.unread ?? []);
    if (!live) showSources(this.root, message);
    else if (!message.content) this.#phase.show(isLocal(message) ? 'connecting' : 'writing');
  }

  /** @param {import('../net/events.js').WireEvent} event */
  stream(event) {
    const renderer = this.#stream();
    if (event.type === 'status') this.#phase.show(event.data);
    else if (event.type === 'sources') renderer.cite(event.data.map((source) => source.n));
    else if (event.type === 'reasoning') {
      this.#phase.hide();
      this.#thinking.append(event.data);
    } else if (event.type === 'chunk') {
      this.#phase.hide();
      this.#thinking.end();
      renderer.append(event.data);
    } else if (event.type === 'reset') {
      this.#thinking.reset();
      renderer.reset();
      this.#phase.show('writing');
    }
    this.#grown();
  }

  /** @param {boolean} on */
  reconnecting(on) {
    if (on) this.#phase.show('reconnecting');
    else if (this.#message.content) this.#phase.hide();
    else this.#phase.show('writing');
  }

  stopping() {
    this.#phase.show('stopping');
  }

  /** No more text will come. */
  finish() {
    this.#phase.hide();
    this.#thinking.end();
    this.#renderer?.finish();
    this.#renderer = null;
    this.#grown();
  }

  #isLive() {
    return this.#message.status === 'queued' || this.#message.status === 'running';
  }

  #stream() {
    if (!this.#renderer) {
      this.#renderer = new StreamRenderer(find(this.root, '[data-text]'), this.#engine, this.#grown);
      this.#renderer.cite((this.#message.sources ?? []).map((source) => source.n));
      if (this.#message.content) this.#renderer.append(this.#message.content);
    }
    return this.#renderer;
  }

  #whole() {
    const { content, reasoning, sources, timings } = this.#message;
    renderWhole(find(this.root, '[data-text]'), this.#engine, content, (sources ?? []).map((source) => source.n));
    this.#thinking.show(reasoning ?? '', timings?.reasoning_ms);
  }

  /** @param {boolean} live */
  #showEnd(live) {
    const { status, error, finish_reason: reason, timings, content } = this.#message;
    const note = status === 'stopped' ? 'stopped' : reason ?? '';
    const element = find(this.root, '[data-note]');
    showText(element, !live && NOTES.includes(note) ? t(`answer.${note}`) : '');
    element.dataset.note = NOTES.includes(note) ? note : '';
    const interrupted = status === 'interrupted' ? t('answer.interrupted') : '';
    const sentence = live ? '' : error?.message || interrupted || (status === 'failed' ? t('answer.failed') : '');
    find(this.root, '[data-error]').hidden = !sentence;
    find(this.root, '[data-error]').dataset.error = error?.code ?? '';
    find(this.root, '[data-error-text]').textContent = sentence;
    find(this.root, '[data-retry-label]').textContent = error?.code === 'lost' ? t('thread.reconnect') : t('thread.retry');
    find(this.root, '[data-error-connect]').hidden = !MODEL_CODES.includes(error?.code ?? '');
    const took = timings?.total_ms ? t('answer.took', { seconds: seconds(timings.total_ms) }) : '';
    find(this.root, '[data-meta]').textContent = content ? [modelName(this.#message), took].filter(Boolean).join(' · ') : '';
  }
}

/** @param {Message} message */
function modelName({ supplier, model }) {
  return supplier === 'builtin' ? t('model.builtin') : model;
}
