/**
 * One reader of one answer: asks or attaches, reads the stream, and comes back when the connection drops. A drop is
 * never a stop: the answer goes on at the server, and what was missed follows by position (`Last-Event-ID`).
 *
 *   idle → connecting → streaming ⇄ reconnecting → done | stopped | failed | refused | unsent | lost | closed
 *
 * Text goes straight to the sink. Everything from outside (fetch, clock, chance) is passed in, so that tests need no network.
 *
 * @typedef {import('./events.js').WireEvent} WireEvent
 * @typedef {'idle'|'connecting'|'streaming'|'reconnecting'|'done'|'stopped'|'failed'|'refused'|'unsent'|'lost'|'closed'} State
 * @typedef {{state: State, error?: import('./api.js').ApiError|null, unreadable?: boolean}} Outcome
 * @typedef {{event(event: WireEvent): void, reconnecting(on: boolean): void, end(outcome: Outcome): void}} Sink
 * @typedef {{fetch: typeof fetch, random: () => number, wait: (ms: number, signal: AbortSignal) => Promise<void>,
 *   now: () => number, watch: (ms: number, call: () => void) => () => void}} Deps
 * @typedef {{ask: Record<string, unknown>} | {attach: string}} Target
 */
import { refusal } from './api.js';
import { readEvent, UnreadableEvent } from './events.js';
import { SseDecoder } from './sse.js';

const PATH = '/chat/stream';
/** Three missed pings, which come every 10 s. */
const SILENCE_MS = 30_000;
/** After this much silence a page that comes to the front does not trust its connection. */
const DOUBT_MS = 12_000;
const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 8_000;
const TRIES = 7;
const STOP_TRIES = 4;
/** How long a stopped answer may take to say so before the page believes it anyway. */
const STOP_GRACE_MS = 3_000;
const STREAM_HEADERS = { Accept: 'text/event-stream' };

/** @type {Record<State, State[]>} */
const MOVES = {
  idle: ['connecting', 'closed'],
  connecting: ['streaming', 'reconnecting', 'refused', 'unsent', 'lost', 'failed', 'closed', 'stopped'],
  streaming: ['reconnecting', 'done', 'stopped', 'failed', 'closed'],
  reconnecting: ['streaming', 'refused', 'unsent', 'lost', 'failed', 'closed', 'stopped'],
  done: [], stopped: [], failed: [], refused: [], unsent: [], lost: [], closed: [],
};

/** @type {Deps} */
const REAL = {
  fetch: (...args) => fetch(...args),
  random: Math.random,
  now: () => Date.now(),
  wait: (ms, signal) => new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  }),
  watch: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

export class Run {
  /** @type {State} */ #state = 'idle';
  /** @type {Target} */ #target;
  #sink;
  #deps;
  /** @type {string|null} */ #messageId = null;
  #position = '';
  #misread = false;
  #stopping = false;
  #tries = 0;
  #heard = 0;
  #attempt = new AbortController();
  #pause = new AbortController();

  /** @param {Target} target @param {Sink} sink @param {Partial<Deps>} [deps] */
  constructor(target, sink, deps = {}) {
    this.#target = target;
    this.#sink = sink;
    this.#deps = { ...REAL, ...deps };
    if ('attach' in target) this.#messageId = target.attach;
  }

  get state() {
    return this.#state;
  }

  get messageId() {
    return this.#messageId;
  }

  get live() {
    return MOVES[this.#state].length > 0;
  }

  /** Read until the end, through as many connections as it takes. @returns {Promise<void>} */
  async start() {
    this.#move('connecting');
    while (this.live) {
      await this.#connect();
      if (this.live) await this.#pauseBeforeNext();
    }
  }

  /** End the answer at the server; what has arrived stays. Before the answer has a name, this waits for it. */
  async stop() {
    if (this.#stopping || !this.live) return;
    this.#stopping = true;
    if (this.#messageId) await this.#sendStop(this.#messageId);
  }

  /** Leave without stopping: the answer goes on at the server. */
  close() {
    if (this.live) this.#end({ state: 'closed' });
  }

  /** The network or the page is back: do not wait any longer, and do not trust a silent connection. */
  nudge() {
    this.#pause.abort();
    if (this.#state === 'streaming' && this.#deps.now() - this.#heard > DOUBT_MS) this.#attempt.abort();
  }

  async #connect() {
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    let unwatch = () => {};
    const heard = () => {
      this.#heard = this.#deps.now();
      unwatch();
      unwatch = this.#deps.watch(SILENCE_MS, () => this.#attempt.abort());
    };
    heard();
    try {
      const response = await this.#deps.fetch(...this.#request(signal));
      if (!response.ok || !response.body) await this.#refused(response);
      else await this.#read(response.body.getReader(), heard);
    } catch (error) {
      this.#dropped(error);
    } finally {
      unwatch();
      this.#attempt.abort();
    }
  }

  /** @param {AbortSignal} signal @returns {[string, RequestInit]} */
  #request(signal) {
    if (this.#messageId) {
      const headers = this.#position ? { ...STREAM_HEADERS, 'Last-Event-ID': this.#position } : STREAM_HEADERS;
      return [`${PATH}/${this.#messageId}`, { headers, signal, cache: 'no-store' }];
    }
    const body = JSON.stringify('ask' in this.#target ? this.#target.ask : {});
    const headers = { ...STREAM_HEADERS, 'Content-Type': 'application/json' };
    return [PATH, { method: 'POST', body, headers, signal }];
  }

  /** @param {ReadableStreamDefaultReader<Uint8Array>} reader @param {() => void} heard */
  async #read(reader, heard) {
    const decoder = new SseDecoder();
    while (this.live) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      for (const block of decoder.push(value)) {
        const event = readEvent(block.data);
        if (block.id) this.#position = block.id;
        this.#take(event);
        if (!this.live) return;
      }
    }
  }

  /** @param {WireEvent} event */
  #take(event) {
    this.#tries = 0;
    if (this.#state !== 'streaming') this.#move('streaming');
    if (event.type === 'context') {
      this.#messageId = event.message_id;
      if (this.#stopping) void this.#sendStop(event.message_id);
    }
    if (event.type === 'ping' || event.type === 'other') return;
    this.#sink.event(event);
    if (event.type === 'error') this.#end({ state: 'failed' });
    if (event.type === 'done') this.#end({ state: event.data.finish_reason === 'stopped' ? 'stopped' : 'done' });
  }

  /** @param {Response} response */
  async #refused(response) {
    const error = await refusal(response);
    const passing = error.status >= 500 || error.status === 429;
    const accepted = this.#messageId !== null;
    if (!accepted || !passing) this.#end({ state: 'refused', error });
    else if (error.retryAfter) await this.#rest(error.retryAfter * 1000);
  }

  /** @param {unknown} error */
  #dropped(error) {
    if (!this.live) return;
    if (error instanceof UnreadableEvent) {
      if (this.#misread) return this.#end({ state: 'failed', unreadable: true });
      this.#misread = true;
      return;
    }
    if (!this.#messageId && this.#state === 'connecting') this.#end({ state: 'unsent' });
  }

  async #pauseBeforeNext() {
    if (this.#state !== 'reconnecting') this.#move('reconnecting');
    if (this.#tries >= TRIES) return this.#end({ state: this.#messageId ? 'lost' : 'unsent' });
    const full = Math.min(BACKOFF_MS * 2 ** this.#tries, BACKOFF_MAX_MS);
    this.#tries += 1;
    await this.#rest(full * (0.5 + this.#deps.random() / 2));
  }

  /** @param {number} ms */
  async #rest(ms) {
    this.#pause = new AbortController();
    await this.#deps.wait(ms, this.#pause.signal);
  }

  /** @param {string} messageId */
  async #sendStop(messageId) {
    for (let attempt = 0; attempt < STOP_TRIES && this.live; attempt += 1) {
      const answered = await this.#deps.fetch(`${PATH}/${messageId}`, { method: 'DELETE' }).catch(() => null);
      if (answered && answered.status < 500) break;
      await this.#deps.wait(BACKOFF_MS * 2 ** attempt, new AbortController().signal);
    }
    this.#deps.watch(STOP_GRACE_MS, () => {
      if (this.live) this.#end({ state: 'stopped' });
    });
  }

  /** @param {State} next */
  #move(next) {
    if (!MOVES[this.#state].includes(next)) throw new Error(`${this.#state} → ${next}`);
    const before = this.#state;
    this.#state = next;
    if (next === 'reconnecting') this.#sink.reconnecting(true);
    if (before === 'reconnecting' && next === 'streaming') this.#sink.reconnecting(false);
  }

  /** @param {Outcome} outcome */
  #end(outcome) {
    this.#move(outcome.state);
    this.#attempt.abort();
    this.#pause.abort();
    this.#sink.end(outcome);
  }
}
