/**
 * A run against a simulated network with faults, and a clock that tests advance.
 */
import assert from 'node:assert/strict';
import { Run } from '../../static/js/net/run.js';

/**
 * @typedef {{status?: number, body?: string, headers?: Record<string, string>,
 *   then?: 'end'|'drop'|'hang'}} Reply
 */

export const MESSAGE = 'm1';
export const block = (/** @type {object} */ event, /** @type {number|null} */ at = null) =>
  `${at === null ? '' : `id: ${MESSAGE}:${at}\n`}data: ${JSON.stringify(event)}\n\n`;
export const CONTEXT = block(
  { type: 'context', data: 'Handbook', session_id: 's1', message_id: MESSAGE, question_id: 'q1' },
  1,
);
export const DONE = block({ type: 'done', data: { finish_reason: 'stop' } }, 99);
export const STOPPED = block({ type: 'done', data: { finish_reason: 'stopped' } }, 99);
export const chunk = (/** @type {string} */ data, /** @type {number} */ at) =>
  block({ type: 'chunk', data }, at);

/** @param {Reply} reply @param {AbortSignal|null|undefined} signal */
function respond({ status = 200, body = '', headers = {}, then = 'end' }, signal) {
  const stream = new ReadableStream({
    start(controller) {
      if (body) controller.enqueue(new TextEncoder().encode(body));
      if (then === 'end') controller.close();
      if (then === 'drop') setTimeout(() => controller.error(new TypeError('Load failed')));
      if (then === 'hang') {
        signal?.addEventListener('abort', () =>
          controller.error(new DOMException('', 'AbortError')),
        );
      }
    },
  });
  return new Response(stream, {
    status,
    headers: { 'Content-Type': 'text/event-stream; charset=utf-8', ...headers },
  });
}

/** A fake clock: `pass` advances it and fires due timers. */
function clock() {
  let now = 1_000_000;
  /** @type {{at: number, call: () => void}[]} */ let timers = [];
  return {
    now: () => now,
    watch: (/** @type {number} */ ms, /** @type {() => void} */ call) => {
      const timer = { at: now + ms, call };
      timers.push(timer);
      return () => (timers = timers.filter((other) => other !== timer));
    },
    pass: (/** @type {number} */ ms) => {
      now += ms;
      const due = timers.filter((timer) => timer.at <= now);
      timers = timers.filter((timer) => timer.at > now);
      for (const timer of due) timer.call();
    },
  };
}

/**
 * A run with one reply for each request; `null`, and any request beyond the list, is a network
 * error. `stops` are the statuses of DELETE requests, 204 by default. Waits end immediately unless
 * `held`.
 * @param {(Reply|null)[]} replies
 * @param {{target?: import('../../static/js/net/run.js').Target, stops?: (number|null)[],
 *   held?: boolean, hidden?: boolean}} [options]
 */
export function streamFixture(
  replies,
  { target = { ask: { question: 'x' } }, stops = [], held = false, hidden = false } = {},
) {
  /** @type {{url: string, method: string, after: string|null}[]} */ const requests = [];
  /** @type {any[]} */ const events = [];
  /** @type {any[]} */ const outcomes = [];
  /** @type {number[]} */ const waits = [];
  /** @type {string[]} */ const gaps = [];
  /** @type {string[]} */ const stopStates = [];
  const { now, watch, pass } = clock();
  const run = new Run(
    target,
    {
      event: (event) => events.push(event),
      gap: (gap) => gaps.push(gap),
      stop: (state) => stopStates.push(state),
      end: (outcome) => outcomes.push(outcome),
    },
    {
      fetch: async (url, init = {}) => {
        requests.push({
          url: String(url),
          method: init.method ?? 'GET',
          after: new Headers(init.headers).get('Last-Event-ID'),
        });
        const reply = init.method === 'DELETE' ? stopped(stops) : replies.shift();
        if (!reply) throw new TypeError('Failed to fetch');
        return reply instanceof Response ? reply : respond(reply, init.signal);
      },
      random: () => 1,
      now,
      hidden: () => hidden,
      wait: (ms, signal) => {
        waits.push(ms);
        if (!held) return new Promise((resolve) => setTimeout(resolve));
        return new Promise((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        );
      },
      watch,
    },
  );
  const text = () =>
    events.reduce(
      (all, event) =>
        event.type === 'reset' ? '' : event.type === 'chunk' ? all + event.data : all,
      '',
    );
  return { run, requests, events, outcomes, waits, gaps, stopStates, text, pass };
}

/** @param {(number|null)[]} stops */
function stopped(stops) {
  const status = stops.length ? stops.shift() : 204;
  return status ? new Response(null, { status }) : null;
}

export const until = async (/** @type {() => boolean} */ met) => {
  for (let turn = 0; turn < 200 && !met(); turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(met());
};
