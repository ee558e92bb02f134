/**
 * The palette: late answers of the search, and what its words match.
 */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { ChatSearch } from '../../static/js/find/chat-search.js';
import { beginsWith, marksIn, matches, parts, wordsOf } from '../../static/js/find/matching.js';

/** A search whose requests are answered by hand. */
function searching() {
  mock.timers.enable({ apis: ['setTimeout'] });
  /** @type {{path: string, signal: AbortSignal, answer: Function, fail: Function}[]} */
  const asked = [];
  const changed = mock.fn();
  const search = new ChatSearch(
    (path, { signal }) =>
      new Promise((answer, fail) => asked.push({ path, signal, answer, fail })),
    changed,
  );
  const type = (/** @type {string} */ query) => {
    search.ask(query);
    mock.timers.tick(1000);
  };
  const found = (/** @type {string} */ id) => ({ items: [{ id }] });
  return { search, asked, changed, type, found };
}
const settled = async () => {
  for (let n = 0; n < 5; n += 1) await null;
};

test('an answer that comes late does not replace a newer one', async (context) => {
  context.after(() => mock.timers.reset());
  const { search, asked, changed, type, found } = searching();
  type('a');
  type('ab');
  assert.ok(asked[0].signal.aborted);
  asked[1].answer(found('new'));
  await settled();
  asked[0].answer(found('old'));
  await settled();
  assert.equal(search.state.chats[0].id, 'new');
  assert.equal(search.state.busy, false);
  assert.equal(changed.mock.callCount(), 1);
});

test('a refusal of an older query is not shown', async (context) => {
  context.after(() => mock.timers.reset());
  const { search, asked, type } = searching();
  type('a');
  type('ab');
  asked[0].fail(new Error('aborted'));
  await settled();
  assert.deepEqual([search.state.busy, search.state.error], [true, null]);
});

test('typing on asks once, and the same query is not asked again', async (context) => {
  context.after(() => mock.timers.reset());
  const { search, asked, type, found } = searching();
  search.ask('h');
  search.ask('ho');
  type('hot el');
  assert.deepEqual(
    asked.map(({ path }) => path.split('q=')[1]),
    ['hot%20el'],
  );
  asked[0].answer(found('x'));
  await settled();
  type('hot el');
  assert.equal(asked.length, 1);
});

test('after a failure the same query is asked again', async (context) => {
  context.after(() => mock.timers.reset());
  const { search, asked, type } = searching();
  type('a');
  asked[0].fail(new Error('offline'));
  await settled();
  assert.equal(search.state.error?.message, 'offline');
  type('a');
  assert.equal(asked.length, 2);
  assert.equal(search.state.error, null);
});

test('an emptied or closed search forgets what is under way', async (context) => {
  context.after(() => mock.timers.reset());
  const { search, asked, changed, type, found } = searching();
  type('a');
  search.clear();
  asked[0].answer(found('x'));
  await settled();
  assert.deepEqual(search.state.chats, []);
  assert.equal(changed.mock.callCount(), 0);
});

test('all words occur, in any order', () => {
  assert.deepEqual(wordsOf(' Theme  "dark" '), ['theme', 'dark']);
  assert.ok(matches('Theme: Dark', ['dark', 'theme']));
  assert.ok(!matches('Theme: Dark', ['dark', 'light']));
  assert.ok(beginsWith('New chat', ['ne']) && !beginsWith('New chat', ['chat']));
  assert.ok(!beginsWith('New chat', []));
});

test('marks are places in code points, without overlaps', () => {
  assert.deepEqual(marksIn('\u{1F600} New news', ['new', 'ws']), [
    [2, 5],
    [6, 10],
  ]);
  assert.deepEqual(marksIn('abc', []), []);
  assert.deepEqual(parts('\u{1F600}abc', [[1, 2]]), [
    { text: '\u{1F600}', marked: false },
    { text: 'a', marked: true },
    { text: 'bc', marked: false },
  ]);
});
