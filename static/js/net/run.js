/**
 * Reads the stream of one answer: sends the question or attaches to an answer, and reconnects when
 * the connection drops. A dropped connection does not stop the answer; reading resumes from the
 * last position (`Last-Event-ID`). `sse.js` decodes the bytes, `events.js` parses the events.
 *
 *   idle → connecting → streaming ⇄ reconnecting
 *        → done | stopped | failed | refused | unsent | closed
 *
 * Events go to the sink. Fetch, clock and random numbers are passed in, so that tests need no
 * network.
 *
 * @typedef {import('./events.js').WireEvent} WireEvent
 * @typedef {'idle'|'connecting'|'streaming'|'reconnecting'} LiveState
 * @typedef {LiveState|'done'|'stopped'|'failed'|'refused'|'unsent'|'closed'} State
 * @typedef {{state: State, error?: import('./api.js').ApiError|null, unreadable?: boolean,
 *   delivery?: import('./buffering.js').Verdict}} Outcome
 * @typedef {''|'short'|'long'} Gap whether the connection is lost, and for how long
 * @typedef {{event(event: WireEvent): void, gap(gap: Gap): void,
 *   stop(state: import('./stop.js').StopState): void, end(outcome: Outcome): void}} Sink
 * @typedef {{fetch: typeof fetch, random: () => number, wait: (ms: number,
 *   signal: AbortSignal) => Promise<void>, now: () => number, watch: (ms: number,
 *   call: () => void) => () => void, hidden: () => boolean}} Deps
 * @typedef {{ask: Record<string, unknown>} | {attach: string}} Target
 * @typedef {'seen'|'online'|'asked'} NudgeReason the page became visible, the network changed, or
 *   the user asked for it
 */
import { fromRoot } from '../core/address.js';
import { refusal } from './api.js';
import { DeliveryTiming } from './buffering.js';
import { readEvent, UnreadableEvent } from './events.js';
import { SseDecoder } from './sse.js';
import { StopRequest } from './stop.js';

const PATH = fromRoot('/chat/stream');
/** The connection counts as lost: three missed pings, which the server sends every 10 s. */
const SILENCE_MS = 30_000;
/** After this much silence a page that becomes visible reconnects. */
const DOUBT_MS = 12_000;
const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 10_000;
/** A gap longer than this is reported to the user. */
const LONG_MS = 20_000;
/** Retries of a question whose answer has no id yet. */
const TRIES = 7;
/** A stopped answer that does not end within this time is read over a new connection. */
const STOP_GRACE_MS = 3_000;
const STREAM_HEADERS = { Accept: 'text/event-stream' };

/** @type {Record<State, State[]>} */
const MOVES = {
  idle: ['connecting', 'closed'],
  connecting: ['streaming', 'reconnecting', 'refused', 'unsent', 'failed', 'closed'],
  streaming: ['reconnecting', 'done', 'stopped', 'failed', 'refused', 'closed'],
  reconnecting: ['streaming', 'refused', 'unsent', 'failed', 'closed'],
  done: [],
  stopped: [],
  failed: [],
  refused: [],
  unsent: [],
  closed: [],
};

/** @type {Deps} */
const REAL = {
  fetch: (...args) => fetch(...args),
  random: Math.random,
  now: () => Date.now(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    }),
  watch: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  hidden: () => document.hidden,
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
  #stop;
  #tries = 0;
  #receivedAt = 0;
  /** The server's Retry-After, in ms. */ #retryAfterMs = 0;
  #attempt = new AbortController();
  #pause = new AbortController();
  #unwatchGap = () => {};
  /** @type {DeliveryTiming|null} only for an answer requested here and read in one go */
  #delivery = null;

  /** @param {Target} target @param {Sink} sink @param {Partial<Deps>} [deps] */
  constructor(target, sink, deps = {}) {
    this.#target = target;
    this.#sink = sink;
    this.#deps = { ...REAL, ...deps };
    this.#stop = new StopRequest(this.#deps, {
      isLive: () => this.live,
      report: (state) => sink.stop(state),
    });
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

  /** Read to the end, reconnecting as needed. @returns {Promise<void>} */
  async start() {
    if (!this.#messageId && !this.#deps.hidden()) {
      this.#delivery = new DeliveryTiming(this.#deps.now());
    }
    this.#move('connecting');
    while (this.live) {
      await this.#connect();
      if (this.live) await this.#pauseBeforeNext();
    }
  }

  /**
   * Stop the answer at the server and keep its text. Waits until the answer has an id.
   */
  async stop() {
    if (!this.live) return;
    if (this.#messageId) return this.#sendStop(this.#messageId);
    this.#sink.stop('asked');
    if (!this.#stopping) {
      this.#deps.watch(
        STOP_GRACE_MS,
        () => this.live && !this.#messageId && this.#sink.stop('unreached'),
      );
    }
    this.#stopping = true;
  }

  /** Close the connection without stopping the answer. */
  close() {
    if (this.live) this.#end({ state: 'closed' });
  }

  /**
   * Reconnect now instead of waiting; replace a silent connection.
   * @param {NudgeReason} why
   */
  nudge(why = 'seen') {
    if (!this.live) return;
    this.#delivery = null;
    if (why === 'asked' || !this.#retryAfterMs) {
      this.#tries = 0;
      this.#pause.abort();
    }
    if (!this.#messageId || this.#state === 'idle') return;
    if (why !== 'seen' || this.#deps.now() - this.#receivedAt > DOUBT_MS) this.#attempt.abort();
  }

  async #connect() {
    this.#retryAfterMs = 0;
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    let unwatch = () => {};
    const received = () => {
      this.#receivedAt = this.#deps.now();
      unwatch();
      unwatch = this.#deps.watch(SILENCE_MS, () => this.#attempt.abort());
    };
    received();
    let reached = false;
    try {
      const response = await this.#deps.fetch(...this.#request(signal));
      reached = true;
      if (!response.ok || !response.body || !isStream(response)) await this.#refused(response);
      else await this.#read(response.body.getReader(), received);
    } catch (error) {
      this.#dropped(error, reached);
    } finally {
      unwatch();
      this.#attempt.abort();
    }
  }

  /** @param {AbortSignal} signal @returns {[string, RequestInit]} */
  #request(signal) {
    if (this.#messageId) {
      const headers = this.#position
        ? { ...STREAM_HEADERS, 'Last-Event-ID': this.#position }
        : STREAM_HEADERS;
      return [`${PATH}/${this.#messageId}`, { headers, signal, cache: 'no-store' }];
    }
    const body = JSON.stringify('ask' in this.#target ? this.#target.ask : {});
    const headers = { ...STREAM_HEADERS, 'Content-Type': 'application/json' };
    return [PATH, { method: 'POST', body, headers, signal }];
  }

  /** @param {ReadableStreamDefaultReader<Uint8Array>} reader @param {() => void} received */
  async #read(reader, received) {
    const decoder = new SseDecoder();
    while (this.live) {
      const { done, value } = await reader.read();
      if (done) return;
      received();
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
    if (this.#deps.hidden()) this.#delivery = null;
    this.#delivery?.note(event.type, this.#deps.now());
    if (event.type === 'context') {
      this.#messageId = event.message_id;
      if (this.#stopping) void this.#sendStop(event.message_id);
    }
    if (event.type === 'ping' || event.type === 'other') return;
    this.#sink.event(event);
    if (event.type === 'error') this.#end({ state: 'failed' });
    if (event.type !== 'done') return;
    if (event.data.finish_reason === 'stopped') this.#end({ state: 'stopped' });
    else {
      this.#end({
        state: 'done',
        delivery: this.#delivery?.verdict(event.data.timings) ?? 'unknown',
      });
    }
  }

  /** @param {Response} response */
  async #refused(response) {
    const error = await refusal(response);
    const passing =
      error.status >= 500 || error.status === 429 || error.status === 408 || response.ok;
    if (!this.live) return;
    if (this.#messageId === null || !passing) this.#end({ state: 'refused', error });
    else this.#retryAfterMs = (error.retryAfter ?? 0) * 1000;
  }

  /** @param {unknown} error @param {boolean} reached whether the server had responded */
  #dropped(error, reached) {
    if (!this.live) return;
    if (error instanceof UnreadableEvent) {
      if (this.#misread) return this.#end({ state: 'failed', unreadable: true });
      this.#misread = true;
      return;
    }
    if (!this.#messageId && !reached && this.#state === 'connecting') {
      this.#end({ state: 'unsent' });
    }
  }

  async #pauseBeforeNext() {
    this.#delivery = null;
    if (this.#state !== 'reconnecting') this.#move('reconnecting');
    if (!this.#messageId && this.#tries >= TRIES) return this.#end({ state: 'unsent' });
    const least = this.#retryAfterMs;
    const full = least ? BACKOFF_MS : Math.min(BACKOFF_MS * 2 ** this.#tries, BACKOFF_MAX_MS);
    this.#tries += 1;
    this.#pause = new AbortController();
    await this.#deps.wait(least + full * (0.5 + this.#deps.random() / 2), this.#pause.signal);
  }

  /**
   * After Stop has arrived, the stream reports the end; if it does not, reconnect.
   * @param {string} messageId
   */
  async #sendStop(messageId) {
    const answered = await this.#stop.send(`${PATH}/${messageId}`);
    if (!answered || !this.live) return;
    if (answered.status === 401) this.#end({ state: 'refused', error: await refusal(answered) });
    else this.#deps.watch(STOP_GRACE_MS, () => this.nudge('asked'));
  }

  /** @param {State} next */
  #move(next) {
    if (!MOVES[this.#state].includes(next)) throw new Error(`${this.#state} → ${next}`);
    const before = this.#state;
    this.#state = next;
    if (next !== 'reconnecting') this.#unwatchGap();
    else {
      this.#unwatchGap = this.#deps.watch(LONG_MS, () => this.#sink.gap('long'));
      this.#sink.gap('short');
    }
    if (before === 'reconnecting' && next !== before) this.#sink.gap('');
  }

  /** @param {Outcome} outcome */
  #end(outcome) {
    this.#move(outcome.state);
    this.#attempt.abort();
    this.#pause.abort();
    this.#sink.end(outcome);
  }
}

/**
 * False for a captive portal, which answers every request with a page.
 * @param {Response} response
 */
function isStream(response) {
  return (response.headers.get('Content-Type') ?? '').startsWith('text/event-stream');
}
