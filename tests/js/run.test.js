/** Run, the reader of one answer, on a network with faults. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { block, chunk, CONTEXT, DONE, MESSAGE, streamFixture, until } from './stream-fixture.js';

test('an answer is read to its end', async () => {
  const { run, outcomes, text, requests } = streamFixture([
    { body: CONTEXT + chunk('Hello ', 7) + chunk('you', 10) + DONE },
  ]);
  await run.start();
  assert.equal(outcomes[0].state, 'done');
  assert.equal(text(), 'Hello you');
  assert.equal(requests.length, 1);
});

test('a dropped connection resumes from its position without repeating text', async () => {
  const { run, outcomes, text, requests } = streamFixture([
    { body: CONTEXT + chunk('Hello ', 7), then: 'drop' },
    { body: chunk('dear ', 12) },
    null,
    { body: chunk('you', 15) + DONE },
  ]);
  await run.start();
  assert.equal(text(), 'Hello dear you');
  assert.deepEqual(
    requests.slice(1).map((request) => [request.url, request.after]),
    [
      ['/chat/stream/m1', 'm1:7'],
      ['/chat/stream/m1', 'm1:12'],
      ['/chat/stream/m1', 'm1:12'],
    ],
  );
  assert.equal(requests.filter((request) => request.method === 'POST').length, 1);
  assert.equal(outcomes[0].state, 'done');
});

test('events without an id do not move the position', async () => {
  const { run, requests } = streamFixture([
    { body: CONTEXT + chunk('a', 2) + 'event: ping\ndata: {"type":"ping","data":{}}\n\n' },
    { body: DONE },
  ]);
  await run.start();
  assert.equal(requests[1].after, 'm1:2');
});

test('the back-off grows and starts small again after progress', async () => {
  const { run, waits } = streamFixture([
    { body: CONTEXT },
    null,
    null,
    { body: chunk('a', 2) },
    { body: DONE },
  ]);
  await run.start();
  assert.deepEqual(waits, [500, 1000, 2000, 500]);
});

test('the page retries a missing server and reports a long gap', async () => {
  const { run, outcomes, gaps, waits, pass } = streamFixture([
    { body: CONTEXT + chunk('a', 2) },
    ...Array(9).fill(null),
    { body: chunk('b', 3) + DONE },
  ]);
  const over = run.start();
  await until(() => waits.length > 6);
  assert.deepEqual(gaps, ['short']);
  pass(20_000);
  assert.deepEqual(gaps, ['short', 'long']);
  await over;
  assert.equal(Math.max(...waits), 10_000);
  assert.equal(outcomes[0].state, 'done');
  assert.deepEqual(gaps, ['short', 'long', '']);
});
test('a question that does not reach a server is unsent', async () => {
  const { run, outcomes, requests } = streamFixture([null]);
  await run.start();
  assert.deepEqual(outcomes, [{ state: 'unsent' }]);
  assert.equal(requests.length, 1);
});

test('a refusal before the stream carries the server’s message', async () => {
  const body = JSON.stringify({
    error: { code: 'no_model', message: 'Choose a model first.' },
  });
  const { run, outcomes } = streamFixture([{ status: 409, body }]);
  await run.start();
  assert.equal(outcomes[0].state, 'refused');
  assert.equal(outcomes[0].error.code, 'no_model');
  assert.equal(outcomes[0].error.message, 'Choose a model first.');
});

test('a proxy’s HTML page is a refusal', async () => {
  const { run, outcomes } = streamFixture([{ status: 502, body: '<html>Bad gateway</html>' }]);
  await run.start();
  assert.equal(outcomes[0].error.code, 'unexpected');
});

test('a stream cut before its first event is requested again with the same id', async () => {
  const { run, outcomes, requests } = streamFixture([{ body: '' }, { body: CONTEXT + DONE }], {
    target: { ask: { question: 'x', client_message_id: 'c' } },
  });
  await run.start();
  assert.deepEqual(
    requests.map((request) => request.method),
    ['POST', 'POST'],
  );
  assert.equal(outcomes[0].state, 'done');
});

test('reconnecting respects Retry-After and ends at a missing answer', async () => {
  const gone = JSON.stringify({ error: { code: 'not_found', message: 'gone' } });
  const { run, outcomes, waits } = streamFixture([
    { body: CONTEXT },
    { status: 503, body: '{}', headers: { 'Retry-After': '7' } },
    { status: 502, body: '<html>' },
    { status: 404, body: gone },
  ]);
  await run.start();
  assert.deepEqual(waits, [500, 7500, 2000]);
  assert.deepEqual([outcomes[0].state, outcomes[0].error.code], ['refused', 'not_found']);
});

test('only an explicit retry cuts Retry-After short', async () => {
  const { run, requests, waits } = streamFixture(
    [{ body: CONTEXT }, { status: 503, headers: { 'Retry-After': '60' } }, { body: DONE }],
    { held: true },
  );
  const over = run.start();
  await until(() => waits.length === 1);
  run.nudge('seen');
  await until(() => waits.length === 2);
  run.nudge('seen');
  run.nudge('online');
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(requests.length, 2);
  run.nudge('asked');
  await over;
  assert.equal(run.state, 'done');
});

test('a captive portal’s sign-in page is not taken for an answer', async () => {
  const portal = { body: '<html>Welcome to the hotel', headers: { 'Content-Type': 'text/html' } };
  const { run, outcomes, text } = streamFixture([
    { body: CONTEXT + chunk('a', 2) },
    portal,
    portal,
    { body: chunk('b', 3) + DONE },
  ]);
  await run.start();
  assert.equal(text(), 'ab');
  assert.equal(outcomes[0].state, 'done');
});

test('a lost login is a refusal, not a failed answer', async () => {
  const { run, outcomes } = streamFixture([
    { body: CONTEXT + chunk('a', 2) },
    { status: 401, body: '{}' },
  ]);
  await run.start();
  assert.deepEqual([outcomes[0].state, outcomes[0].error.status], ['refused', 401]);
});
test('an unreadable event is retried once, then reported', async () => {
  const broken = 'data: {"type":"chunk",\n\n';
  const once = streamFixture([
    { body: CONTEXT + chunk('a', 2) + broken + chunk('lost', 6) },
    { body: chunk('b', 3) + DONE },
  ]);
  await once.run.start();
  assert.equal(once.text(), 'ab');
  assert.equal(once.requests[1].after, 'm1:2');
  assert.equal(once.outcomes[0].state, 'done');
  for (const bad of [broken, 'data: 5\n\n', 'data: {"type":"chunk","data":7}\n\n', 'data:\n\n']) {
    const twice = streamFixture([{ body: CONTEXT + chunk('a', 2) + bad }, { body: bad }]);
    await twice.run.start();
    assert.deepEqual(twice.outcomes, [{ state: 'failed', unreadable: true }]);
    assert.equal(twice.text(), 'a');
  }
});

test('unknown event types are ignored', async () => {
  const { run, events, outcomes } = streamFixture([
    { body: CONTEXT + block({ type: 'mood', data: 1 }) + DONE },
  ]);
  await run.start();
  assert.deepEqual(
    events.map((event) => event.type),
    ['context', 'done'],
  );
  assert.equal(outcomes[0].state, 'done');
});

test('an error event ends the run', async () => {
  const { run, outcomes, events } = streamFixture([
    {
      body:
        CONTEXT + chunk('a', 2) + block({ type: 'error', data: 'No.', code: 'upstream_auth' }, 3),
    },
  ]);
  await run.start();
  assert.deepEqual(outcomes, [{ state: 'failed' }]);
  assert.equal(events.at(-1).code, 'upstream_auth');
});

test('after a reset the text starts again from the beginning', async () => {
  const { run, text } = streamFixture([
    { body: CONTEXT + chunk('lost in a crash', 16), then: 'drop' },
    {
      body:
        'event: reset\ndata: {"type":"reset","data":{}}\n\n' + CONTEXT + chunk('kept', 5) + DONE,
    },
  ]);
  await run.start();
  assert.equal(text(), 'kept');
});

test('silence longer than three pings is a drop; a ping is not silence', async () => {
  const ping = 'event: ping\ndata: {"type":"ping","data":{}}\n\n';
  const { run, pass, requests, outcomes } = streamFixture([
    { body: CONTEXT + chunk('a', 2) + ping, then: 'hang' },
    { body: DONE },
  ]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  pass(29_000);
  assert.equal(run.state, 'streaming');
  pass(1_000);
  await over;
  assert.equal(requests[1].after, 'm1:2');
  assert.equal(outcomes[0].state, 'done');
});

test('a server that accepts the connection and stays silent is retried', async () => {
  const { run, pass, requests, gaps } = streamFixture([
    { body: CONTEXT },
    { then: 'hang' },
    { body: DONE },
  ]);
  const over = run.start();
  await until(() => requests.length === 2);
  assert.deepEqual(gaps, ['short']);
  pass(30_000);
  await over;
  assert.equal(requests.length, 3);
});
test('a page that becomes visible reopens a silent connection', async () => {
  const { run, pass, outcomes } = streamFixture([{ body: CONTEXT, then: 'hang' }, { body: DONE }]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  run.nudge();
  assert.equal(run.state, 'streaming');
  pass(13_000);
  run.nudge();
  await over;
  assert.equal(outcomes[0].state, 'done');
});

test('a network change reopens the connection', async () => {
  const { run, requests, waits } = streamFixture([
    { body: CONTEXT + chunk('a', 2), then: 'hang' },
    { body: DONE },
  ]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  run.nudge('online');
  await over;
  assert.equal(requests[1].after, 'm1:2');
  assert.deepEqual(waits, [500]);
});

test('closing the page does not stop the answer', async () => {
  const { run, requests, outcomes } = streamFixture([{ body: CONTEXT, then: 'hang' }]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  run.close();
  await over;
  assert.deepEqual(outcomes, [{ state: 'closed' }]);
  assert.equal(requests.filter((request) => request.method === 'DELETE').length, 0);
});

test('attaching reads from the beginning', async () => {
  const { run, requests, text } = streamFixture([{ body: CONTEXT + chunk('all', 4) + DONE }], {
    target: { attach: MESSAGE },
  });
  await run.start();
  assert.deepEqual(
    requests.map((request) => [request.method, request.url, request.after]),
    [['GET', '/chat/stream/m1', null]],
  );
  assert.equal(text(), 'all');
});
