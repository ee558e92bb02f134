/** The reader of one answer, with a network that misbehaves on request. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Run } from '../../static/js/net/run.js';

/** @typedef {{status?: number, body?: string, headers?: Record<string, string>, then?: 'end'|'drop'|'hang'}} Reply */

const MESSAGE = 'm1';
const block = (/** @type {object} */ event, /** @type {number|null} */ at = null) => `${at === null ? '' : `id: ${MESSAGE}:${at}\n`}data: ${JSON.stringify(event)}\n\n`;
const CONTEXT = block({ type: 'context', data: 'Handbook', session_id: 's1', message_id: MESSAGE, question_id: 'q1' }, 1);
const DONE = block({ type: 'done', data: { finish_reason: 'stop' } }, 99);
const chunk = (/** @type {string} */ data, /** @type {number} */ at) => block({ type: 'chunk', data }, at);

/** @param {Reply} reply @param {AbortSignal|null|undefined} signal */
function respond({ status = 200, body = '', headers = {}, then = 'end' }, signal) {
  const stream = new ReadableStream({
    start(controller) {
      if (body) controller.enqueue(new TextEncoder().encode(body));
      if (then === 'end') controller.close();
      if (then === 'drop') setTimeout(() => controller.error(new TypeError('Load failed')));
      if (then === 'hang') signal?.addEventListener('abort', () => controller.error(new DOMException('', 'AbortError')));
    },
  });
  return new Response(stream, { status, headers });
}

/**
 * A run against a list of replies, one for each request; `null` is a network that does not answer.
 * @param {(Reply|null)[]} replies @param {import('../../static/js/net/run.js').Target} [target]
 */
function scene(replies, target = { ask: { question: 'x' } }) {
  /** @type {{url: string, method: string, after: string|null}[]} */
  const requests = [];
  /** @type {any[]} */
  const events = [];
  /** @type {any[]} */
  const outcomes = [];
  /** @type {number[]} */
  const waits = [];
  /** @type {(() => void)[]} */
  const alarms = [];
  let now = 0;
  const run = new Run(target, {
    event: (event) => events.push(event),
    reconnecting: () => {},
    end: (outcome) => outcomes.push(outcome),
  }, {
    fetch: async (url, init = {}) => {
      requests.push({ url: String(url), method: init.method ?? 'GET', after: new Headers(init.headers).get('Last-Event-ID') });
      if (init.method === 'DELETE') return new Response(null, { status: 204 });
      const reply = replies.shift();
      if (!reply) throw new TypeError('Failed to fetch');
      return respond(reply, init.signal);
    },
    random: () => 1,
    now: () => now,
    wait: async (ms) => void waits.push(ms),
    watch: (_ms, call) => {
      alarms.push(call);
      return () => {};
    },
  });
  const text = () => events.reduce((all, event) => (event.type === 'reset' ? '' : event.type === 'chunk' ? all + event.data : all), '');
  return { run, requests, events, outcomes, waits, alarms, text, pass: (/** @type {number} */ ms) => (now += ms) };
}

const until = async (/** @type {() => boolean} */ met) => {
  for (let turn = 0; turn < 200 && !met(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.ok(met());
};

test('an answer is read to its end', async () => {
  const { run, outcomes, text, requests } = scene([{ body: CONTEXT + chunk('Hello ', 7) + chunk('you', 10) + DONE }]);
  await run.start();
  assert.deepEqual(outcomes, [{ state: 'done' }]);
  assert.equal(text(), 'Hello you');
  assert.equal(requests.length, 1);
});

test('a drop is no stop: what was missed follows by position, and nothing twice', async () => {
  const { run, outcomes, text, requests } = scene([
    { body: CONTEXT + chunk('Hello ', 7), then: 'drop' },
    { body: chunk('dear ', 12) },
    null,
    { body: chunk('you', 15) + DONE },
  ]);
  await run.start();
  assert.equal(text(), 'Hello dear you');
  assert.deepEqual(requests.slice(1).map((request) => [request.url, request.after]), [
    ['/chat/stream/m1', 'm1:7'], ['/chat/stream/m1', 'm1:12'], ['/chat/stream/m1', 'm1:12'],
  ]);
  assert.equal(requests.filter((request) => request.method === 'POST').length, 1);
  assert.equal(outcomes[0].state, 'done');
});

test('events without an id do not move the position', async () => {
  const { run, requests } = scene([
    { body: CONTEXT + chunk('a', 2) + 'event: ping\ndata: {"type":"ping","data":{}}\n\n' },
    { body: DONE },
  ]);
  await run.start();
  assert.equal(requests[1].after, 'm1:2');
});

test('waiting grows, and starts small again after progress', async () => {
  const { run, waits } = scene([{ body: CONTEXT }, null, null, { body: chunk('a', 2) }, { body: DONE }]);
  await run.start();
  assert.deepEqual(waits, [500, 1000, 2000, 500]);
});

test('a server that stays away is given up, and the answer is not called failed', async () => {
  const { run, outcomes } = scene([{ body: CONTEXT }]);
  await run.start();
  assert.equal(outcomes[0].state, 'lost');
});

test('a question that reaches nobody is unsent', async () => {
  const { run, outcomes, requests } = scene([null]);
  await run.start();
  assert.deepEqual(outcomes, [{ state: 'unsent' }]);
  assert.equal(requests.length, 1);
});

test('a refusal before the stream carries the server’s sentence', async () => {
  const body = JSON.stringify({ error: { code: 'no_model', message: 'Please choose a model first.' } });
  const { run, outcomes } = scene([{ status: 409, body }]);
  await run.start();
  assert.equal(outcomes[0].state, 'refused');
  assert.equal(outcomes[0].error.code, 'no_model');
  assert.equal(outcomes[0].error.message, 'Please choose a model first.');
});

test('a proxy’s page is a refusal too', async () => {
  const { run, outcomes } = scene([{ status: 502, body: '<html>Bad gateway</html>' }]);
  await run.start();
  assert.equal(outcomes[0].error.code, 'unexpected');
});

test('a stream cut before its first event is asked for again under the same name', async () => {
  const { run, outcomes, requests } = scene([{ body: '' }, { body: CONTEXT + DONE }], { ask: { question: 'x', client_message_id: 'c' } });
  await run.start();
  assert.deepEqual(requests.map((request) => request.method), ['POST', 'POST']);
  assert.equal(outcomes[0].state, 'done');
});

test('while coming back, a busy server is waited for and a missing answer is the end', async () => {
  const gone = JSON.stringify({ error: { code: 'not_found', message: 'gone' } });
  const { run, outcomes, waits } = scene([
    { body: CONTEXT }, { status: 503, body: '{}', headers: { 'Retry-After': '7' } }, { status: 404, body: gone },
  ]);
  await run.start();
  assert.ok(waits.includes(7000));
  assert.deepEqual([outcomes[0].state, outcomes[0].error.code], ['refused', 'not_found']);
});

test('an event that cannot be read: the stream is taken up again once, then it is said', async () => {
  const broken = 'data: {"type":"chunk",\n\n';
  const once = scene([{ body: CONTEXT + chunk('a', 2) + broken + chunk('lost', 6) }, { body: chunk('b', 3) + DONE }]);
  await once.run.start();
  assert.equal(once.text(), 'ab');
  assert.equal(once.requests[1].after, 'm1:2');
  assert.equal(once.outcomes[0].state, 'done');
  for (const bad of [broken, 'data: 5\n\n', 'data: {"type":"chunk","data":7}\n\n', 'data:\n\n']) {
    const twice = scene([{ body: CONTEXT + chunk('a', 2) + bad }, { body: bad }]);
    await twice.run.start();
    assert.deepEqual(twice.outcomes, [{ state: 'failed', unreadable: true }]);
    assert.equal(twice.text(), 'a');
  }
});

test('events of a newer server are passed over', async () => {
  const { run, events, outcomes } = scene([{ body: CONTEXT + block({ type: 'mood', data: 1 }) + DONE }]);
  await run.start();
  assert.deepEqual(events.map((event) => event.type), ['context', 'done']);
  assert.equal(outcomes[0].state, 'done');
});

test('an error event ends the reading', async () => {
  const { run, outcomes, events } = scene([{ body: CONTEXT + chunk('a', 2) + block({ type: 'error', data: 'No.', code: 'upstream_auth' }, 3) }]);
  await run.start();
  assert.deepEqual(outcomes, [{ state: 'failed' }]);
  assert.equal(events.at(-1).code, 'upstream_auth');
});

test('after a reset everything follows again', async () => {
  const { run, text } = scene([
    { body: CONTEXT + chunk('lost in a crash', 16), then: 'drop' },
    { body: 'event: reset\ndata: {"type":"reset","data":{}}\n\n' + CONTEXT + chunk('kept', 5) + DONE },
  ]);
  await run.start();
  assert.equal(text(), 'kept');
});

test('stop asks the server and waits for its word', async () => {
  const { run, requests, outcomes } = scene([{ body: CONTEXT + chunk('a', 2), then: 'hang' }, { body: block({ type: 'done', data: { finish_reason: 'stopped' } }, 3) }]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  await run.stop();
  await run.stop();
  assert.deepEqual(requests.filter((request) => request.method === 'DELETE').map((request) => request.url), ['/chat/stream/m1']);
  run.nudge();
  assert.equal(outcomes.length, 0);
  run.close();
  await over;
});

test('a stopped answer that does not say so is taken for stopped', async () => {
  const { run, alarms, outcomes } = scene([{ body: CONTEXT, then: 'hang' }]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  await run.stop();
  alarms.at(-1)?.();
  await over;
  assert.deepEqual(outcomes, [{ state: 'stopped' }]);
});

test('stop before the answer has a name is sent as soon as it has one', async () => {
  const { run, requests } = scene([{ body: CONTEXT + block({ type: 'done', data: { finish_reason: 'stopped' } }, 2) }]);
  const over = run.start();
  await run.stop();
  await over;
  await until(() => requests.some((request) => request.method === 'DELETE'));
  assert.equal(run.state, 'stopped');
});

test('silence longer than three pings is a drop', async () => {
  const { run, alarms, requests, outcomes } = scene([{ body: CONTEXT + chunk('a', 2), then: 'hang' }, { body: DONE }]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  alarms.at(-1)?.();
  await over;
  assert.equal(requests[1].after, 'm1:2');
  assert.equal(outcomes[0].state, 'done');
});

test('a page that comes to the front does not trust a silent connection', async () => {
  const { run, pass, outcomes } = scene([{ body: CONTEXT, then: 'hang' }, { body: DONE }]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  run.nudge();
  assert.equal(run.state, 'streaming');
  pass(13_000);
  run.nudge();
  await over;
  assert.equal(outcomes[0].state, 'done');
});

test('leaving is no stop', async () => {
  const { run, requests, outcomes } = scene([{ body: CONTEXT, then: 'hang' }]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  run.close();
  await over;
  assert.deepEqual(outcomes, [{ state: 'closed' }]);
  assert.equal(requests.filter((request) => request.method === 'DELETE').length, 0);
});

test('attaching reads from the beginning', async () => {
  const { run, requests, text } = scene([{ body: CONTEXT + chunk('all', 4) + DONE }], { attach: MESSAGE });
  await run.start();
  assert.deepEqual(requests.map((request) => [request.method, request.url, request.after]), [['GET', '/chat/stream/m1', null]]);
  assert.equal(text(), 'all');
});
