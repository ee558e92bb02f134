/** Which knowledge bases the empty page offers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recentBases } from '../../static/js/chat/recent-bases.js';

const base = (/** @type {string} */ id, more = {}) => ({
  id,
  name: id,
  files: 1,
  chunks: 1,
  ...more,
});
const ids = (/** @type {{id: string}[]} */ bases) => bases.map(({ id }) => id);
const BASES = [base('a'), base('b'), base('c'), base('manual', { bundled: true })];

test('bases of the latest chats come first, then the newest', () => {
  const chats = [
    { knowledge_base_id: null },
    { knowledge_base_id: 'a' },
    { knowledge_base_id: ['b', 'a'] },
  ];
  assert.deepEqual(ids(recentBases(BASES, chats, 4)), ['a', 'b', 'c']);
  assert.deepEqual(ids(recentBases(BASES, [], 2)), ['c', 'b']);
});

test('a base in which nothing can be found is not offered', () => {
  const chats = [{ knowledge_base_id: 'empty' }, { knowledge_base_id: 'manual' }];
  const bases = [base('empty', { files: 0, chunks: 0 }), ...BASES];
  assert.deepEqual(ids(recentBases(bases, chats, 4)), ['c', 'b', 'a']);
});
