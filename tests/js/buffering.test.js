/** Detection of proxies that buffer answers, without false positives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryTiming } from '../../static/js/net/buffering.js';
import { block, chunk, CONTEXT, streamFixture } from './stream-fixture.js';

/**
 * @param {{first: number, last: number, pieces?: number}} arrived ms after asking
 * @param {Record<string, number>|null} timings
 */
function judged({ first, last, pieces = 40 }, timings) {
  const delivery = new DeliveryTiming(5_000);
  delivery.note('context', 5_000 + first);
  for (let piece = 0; piece < pieces; piece += 1) {
    delivery.note('chunk', 5_000 + first + ((last - first) * piece) / pieces);
  }
  delivery.note('done', 5_000 + last);
  return delivery.verdict(timings);
}

const SLOWLY = { ttft_ms: 400, total_ms: 6_000 };

test('an answer written over seconds that arrives in one burst is buffered', () => {
  assert.equal(judged({ first: 6_010, last: 6_040 }, SLOWLY), 'buffered');
});

test('a burst after two seconds is only suspicious', () => {
  assert.equal(
    judged({ first: 2_310, last: 2_340 }, { ttft_ms: 200, total_ms: 2_300 }),
    'suspicious',
  );
});

test('an answer that arrives as it is written is flowing', () => {
  assert.equal(judged({ first: 30, last: 6_040 }, SLOWLY), 'flowing');
  assert.equal(judged({ first: 1_500, last: 6_040 }, SLOWLY), 'flowing');
});

test('quick, short, resumed or untimed answers are not judged', () => {
  assert.equal(judged({ first: 900, last: 940 }, { ttft_ms: 100, total_ms: 900 }), 'unknown');
  assert.equal(
    judged({ first: 8_010, last: 8_040 }, { ttft_ms: 7_900, total_ms: 8_000 }),
    'unknown',
  );
  assert.equal(judged({ first: 6_010, last: 6_040, pieces: 3 }, SLOWLY), 'unknown');
  assert.equal(judged({ first: 20, last: 40 }, SLOWLY), 'unknown');
  assert.equal(judged({ first: 6_010, last: 6_040 }, null), 'unknown');
  assert.equal(judged({ first: 6_010, last: 6_040 }, { total_ms: 6_000 }), 'unknown');
});

const PIECES = Array.from({ length: 20 }, (_, n) => chunk('a', n + 2)).join('');
const END = block({ type: 'done', data: { finish_reason: 'stop', timings: SLOWLY } }, 99);

/**
 * @param {import('./stream-fixture.js').Reply[]} replies
 * @param {object} [options]
 * @param {(run: import('../../static/js/net/run.js').Run) => void} [meanwhile]
 */
async function verdict(replies, options, meanwhile) {
  const { run, outcomes, pass } = streamFixture(replies, options);
  const over = run.start();
  pass(6_000);
  meanwhile?.(run);
  await over;
  return outcomes[0].delivery;
}

test('only an answer read in one go on a visible page is judged', async () => {
  const whole = { body: CONTEXT + PIECES + END };
  assert.equal(await verdict([whole]), 'buffered');
  assert.equal(await verdict([whole], { target: { attach: 'm1' } }), 'unknown');
  assert.equal(await verdict([whole], { hidden: true }), 'unknown');
  assert.equal(await verdict([whole], {}, (run) => run.nudge('seen')), 'unknown');
  assert.equal(await verdict([{ body: CONTEXT, then: 'drop' }, { body: PIECES + END }]), 'unknown');
});
