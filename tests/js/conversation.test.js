/**
 * The message tree, merging messages from other tabs, and how an answer ends.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { merge } from '../../static/js/chat/history.js';
import { applyEvent, applyOutcome } from '../../static/js/chat/outcome.js';
import { isEmptyAnswer, MessageTree } from '../../static/js/chat/tree.js';

/** @param {string} id @param {string|null} parent @param {object} [more] @returns {any} */
const question = (id, parent, more = {}) => ({
  id,
  parent_id: parent,
  role: 'user',
  content: id,
  status: 'complete',
  session_id: 's',
  ...more,
});
/** @param {string} id @param {string|null} parent @param {object} [more] @returns {any} */
const answer = (id, parent, more = {}) => ({
  id,
  parent_id: parent,
  role: 'assistant',
  content: id,
  status: 'complete',
  session_id: 's',
  ...more,
});
const ids = (/** @type {{id: string}[]} */ messages) => messages.map((message) => message.id);

test('a path goes from the root to the leaf', () => {
  const tree = new MessageTree([
    question('q1', null),
    answer('a1', 'q1'),
    answer('a2', 'q1'),
    question('q2', 'a1'),
    answer('a3', 'q2'),
  ]);
  assert.deepEqual(ids(tree.path('a3')), ['q1', 'a1', 'q2', 'a3']);
  assert.deepEqual(ids(tree.path('a2')), ['q1', 'a2']);
  assert.deepEqual(tree.path(null), []);
  assert.equal(tree.leafBelow('a1')?.id, 'a3');
});

test('a cycle in the data ends', () => {
  const tree = new MessageTree([question('q', 'a'), answer('a', 'q')]);
  assert.deepEqual(ids(tree.path('a')), ['q', 'a']);
});

test('an empty answer is not offered as an alternative', () => {
  const empty = answer('a1', 'q', { content: '', status: 'stopped' });
  const full = answer('a2', 'q');
  const tree = new MessageTree([question('q', null), empty, full]);
  assert.ok(isEmptyAnswer(empty));
  assert.ok(!isEmptyAnswer(answer('a', 'q', { content: '', status: 'running' })));
  assert.ok(
    !isEmptyAnswer(
      answer('a', 'q', { content: '', status: 'failed', error: { code: 'x', message: 'y' } }),
    ),
  );
  assert.deepEqual(tree.siblings(full), ['a2']);
});

test('a message keeps its children when it gets its server id', () => {
  const local = question('question-1', null, { status: 'sending' });
  const tree = new MessageTree([local, answer('answer-1', 'question-1')]);
  tree.rename(local, 'q1');
  assert.deepEqual(ids(tree.path('answer-1')), ['q1', 'answer-1']);
});

test('a parent is the nearest message that the server knows', () => {
  const tree = new MessageTree([
    question('q1', null),
    answer('a1', 'q1'),
    question('question-x', 'a1', { status: 'unsent' }),
  ]);
  assert.equal(tree.stored('question-x'), 'a1');
  const later = question('q2', 'question-x');
  tree.add(later);
  const unsent = tree.get('question-x');
  assert.ok(unsent);
  tree.moveBelow(unsent, 'q2');
  assert.deepEqual(ids(tree.path('question-x')), ['q1', 'a1', 'q2', 'question-x']);
});

test('messages from another tab are merged into the tree', () => {
  const [asked, told] = [question('q1', null), answer('a1', 'q1')];
  const running = answer('a2', 'q2', { status: 'running', content: '' });
  const tree = new MessageTree([asked, told, question('q2', 'a1'), running]);
  merge(tree, [
    question('q1', null),
    answer('a1', 'q1'),
    question('q2', 'a1'),
    answer('a2', 'q2', { status: 'stopped' }),
    question('q3', 'a2'),
    answer('a3', 'q3'),
  ]);
  assert.equal(tree.get('q1'), asked);
  assert.equal(tree.get('a1'), told);
  assert.equal(tree.get('a2')?.status, 'stopped');
  assert.deepEqual(ids(tree.path('a3')), ['q1', 'a1', 'q2', 'a2', 'q3', 'a3']);
});

test('an unsent question stays last when another tab has asked one', () => {
  const tree = new MessageTree([
    question('q1', null),
    answer('a1', 'q1'),
    question('question-x', 'a1', { status: 'unsent' }),
  ]);
  merge(tree, [question('q2', 'a1'), answer('a2', 'q2')]);
  const leaf = tree.moveUnsent('question-x', 'a2');
  assert.deepEqual(ids(tree.path(leaf)), ['q1', 'a1', 'q2', 'a2', 'question-x']);
  assert.equal(tree.moveUnsent('a1', 'a2'), 'a2');
});

test('an alternative has a place before it is loaded', () => {
  const second = answer('a2', 'q1', { siblings: ['a1', 'a2', 'a3'] });
  const tree = new MessageTree([question('q1', null), second]);
  assert.deepEqual(tree.siblings(second), ['a1', 'a2', 'a3']);
  assert.deepEqual([tree.beside(second, 1), tree.beside(second, -1)], ['a3', 'a1']);
  assert.equal(tree.beside(second, 2), null);
  const local = answer('answer-x', 'q1', { status: 'queued' });
  tree.add(local);
  merge(tree, [answer('a1', 'q1', { siblings: ['a1', 'a2', 'a3'] })]);
  assert.deepEqual(tree.siblings(second), ['a1', 'a2', 'a3', 'answer-x'], 'ours is last');
  tree.rename(local, 'a4');
  assert.deepEqual(tree.siblings(second), ['a1', 'a2', 'a3', 'a4']);
  tree.removeBranch(second);
  assert.deepEqual(tree.siblings(local), ['a1', 'a3', 'a4']);
});

test('an answer that is being written is not replaced by its stored state', () => {
  const writing = answer('a1', 'q1', { status: 'running', content: 'Half' });
  const tree = new MessageTree([question('q1', null), writing]);
  merge(tree, [answer('a1', 'q1', { status: 'complete', content: 'Half and half' })], writing);
  assert.equal(tree.get('a1'), writing);
});

test('an answer ends as its stream says; interrupted is not failed', () => {
  const ended = (/** @type {any} */ event, /** @type {any} */ outcome) => {
    const message = answer('a', 'q', { content: 'Half', status: 'running' });
    if (event) applyEvent(message, event);
    applyOutcome(message, outcome);
    return [message.status, message.error?.code];
  };
  assert.deepEqual(
    ended({ type: 'error', code: 'interrupted', data: 'A restart.' }, { state: 'failed' }),
    ['interrupted', 'interrupted'],
  );
  assert.deepEqual(
    ended({ type: 'error', code: 'upstream_error', data: 'No.' }, { state: 'failed' }),
    ['failed', 'upstream_error'],
  );
  assert.deepEqual(
    ended(null, { state: 'refused', error: { status: 404, code: 'not_found', message: '' } }),
    ['failed', 'gone'],
  );
  assert.deepEqual(ended(null, { state: 'failed', unreadable: true }), ['failed', 'unreadable']);
  assert.deepEqual(
    ended({ type: 'done', data: { finish_reason: 'stopped' } }, { state: 'stopped' }),
    ['stopped', undefined],
  );
});

test('a question that was sent before takes the place that it has', () => {
  const tree = new MessageTree([question('q1', null), answer('a1', 'q1')]);
  const again = question('question-x', 'a1', { status: 'sending' });
  const written = answer('answer-x', 'question-x', { status: 'queued' });
  tree.add(again);
  tree.add(written);
  tree.rename(again, 'q1');
  tree.rename(written, 'a1');
  assert.deepEqual(ids(tree.path('a1')), ['q1', 'a1']);
  assert.deepEqual(tree.siblings(again), ['q1']);
  assert.deepEqual(tree.siblings(written), ['a1']);
});
