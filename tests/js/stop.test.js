/** Stop is retried until it reaches the server, and is sent successfully once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunk, CONTEXT, DONE, MESSAGE, streamFixture, STOPPED, until } from './stream-fixture.js';

const deletes = (/** @type {{method: string, url: string}[]} */ requests) =>
  requests.filter((request) => request.method === 'DELETE').map((request) => request.url);
const ADDRESS = `/chat/stream/${MESSAGE}`;

test('Stop is sent once and the stream says how the answer ended', async () => {
  const { run, requests, stopStates, outcomes, pass } = streamFixture([
    { body: CONTEXT + chunk('a', 2), then: 'hang' },
    { body: STOPPED },
  ]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  const pressed = run.stop();
  assert.deepEqual(stopStates, ['asked']);
  await run.stop();
  await pressed;
  await run.stop();
  assert.deepEqual(deletes(requests), [ADDRESS]);
  assert.equal(outcomes.length, 0);
  pass(3_000);
  await over;
  assert.equal(outcomes[0].state, 'stopped');
  assert.equal(requests.at(-1)?.after, 'm1:2');
});

test('an answer that completed before Stop arrived is complete', async () => {
  const { run, pass, outcomes } = streamFixture([
    { body: CONTEXT, then: 'hang' },
    { body: chunk('all', 4) + DONE },
  ]);
  const over = run.start();
  await until(() => run.state === 'streaming');
  await run.stop();
  pass(3_000);
  await over;
  assert.equal(outcomes[0].state, 'done');
});

test('a Stop that does not get through is reported and retried', async () => {
  const { run, requests, stopStates, outcomes, pass } = streamFixture(
    [{ body: CONTEXT, then: 'hang' }, { body: STOPPED }],
    { stops: [null, 502, 204] },
  );
  const over = run.start();
  await until(() => run.state === 'streaming');
  await run.stop();
  assert.deepEqual(stopStates, ['asked', 'unreached']);
  assert.equal(deletes(requests).length, 3);
  assert.equal(outcomes.length, 0);
  pass(3_000);
  await over;
  assert.equal(outcomes[0].state, 'stopped');
});

test('pressing Stop again retries it immediately', async () => {
  const { run, requests, stopStates, waits } = streamFixture([{ body: CONTEXT, then: 'hang' }], {
    stops: [null, 204],
    held: true,
  });
  const over = run.start();
  await until(() => run.state === 'streaming');
  const pressed = run.stop();
  await until(() => waits.length === 1);
  await run.stop();
  await pressed;
  assert.deepEqual(stopStates, ['asked', 'unreached', 'asked']);
  assert.equal(deletes(requests).length, 2);
  run.close();
  await over;
});

test('Stop before the answer has an id is sent when it gets one', async () => {
  const { run, requests, stopStates } = streamFixture([{ body: CONTEXT + STOPPED }]);
  const over = run.start();
  await run.stop();
  assert.deepEqual(stopStates, ['asked']);
  await over;
  await until(() => deletes(requests).length === 1);
  assert.equal(run.state, 'stopped');
});

test('Stop of a question that the server has not accepted is reported', async () => {
  const { run, stopStates, pass, outcomes } = streamFixture([{ then: 'hang' }]);
  const over = run.start();
  await run.stop();
  await run.stop();
  pass(3_000);
  assert.deepEqual(stopStates, ['asked', 'asked', 'unreached']);
  run.close();
  await over;
  assert.equal(outcomes[0].state, 'closed');
});

test('Stop without a login ends in a refusal', async () => {
  const { run, outcomes } = streamFixture([{ body: CONTEXT, then: 'hang' }], { stops: [401] });
  const over = run.start();
  await until(() => run.state === 'streaming');
  await run.stop();
  await over;
  assert.equal(outcomes[0].error.status, 401);
});
