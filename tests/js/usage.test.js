/** The days of the chart of use. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyDay, tokens } from '../../static/js/account/usage-chart.js';

const SUM = { user_id: null, user: null, supplier: null, model: null, questions: 1 };

test('days without use are shown as nothing, over the end of a month too', () => {
  const known = [{ ...SUM, day: '2026-03-01', prompt_tokens: 5, completion_tokens: 2 }];
  const days = everyDay(known, '2026-02-27', '2026-03-02');
  assert.deepEqual(
    days.map((sum) => [sum.day, tokens(sum)]),
    [
      ['2026-02-27', 0],
      ['2026-02-28', 0],
      ['2026-03-01', 7],
      ['2026-03-02', 0],
    ],
  );
});

test('one day is one bar', () => {
  assert.equal(everyDay([], '2026-11-29', '2026-11-29').length, 1);
});
