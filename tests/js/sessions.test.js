/**
 * The list of chats: what a refresh keeps of what was loaded before.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ordered, refreshed, without } from '../../static/js/sessions/order.js';

const chat = (/** @type {string} */ id, minute = 0, pinned = false) => ({
  id,
  title: id,
  pinned,
  updated_at: `2026-01-01T00:${String(minute).padStart(2, '0')}:00Z`,
});
const ids = (/** @type {{id: string}[]} */ sessions) => sessions.map(({ id }) => id).join('');
const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map((id, n) => chat(id, 9 - n));

test('a refresh keeps the pages that were loaded', () => {
  const before = { sessions: [a, b, c, d, e], next: 'after e' };
  const page = { items: [chat('new', 20), a, b], next: 'after b' };
  const after = refreshed(page, before);
  assert.equal(ids(after.sessions), 'newabcde');
  assert.equal(after.next, 'after e');
  assert.equal(after.sessions[4], d, 'the same object, so that its row is not drawn again');
});

test('a chat that was used moves up and is there once', () => {
  const before = { sessions: [a, b, c, d], next: 'after d' };
  const page = { items: [chat('c', 20), a, b], next: 'after b' };
  assert.equal(ids(refreshed(page, before).sessions), 'cabd');
});

test('a chat that was deleted elsewhere is gone', () => {
  const before = { sessions: [a, b, c, d], next: 'after d' };
  const page = { items: [a, c], next: 'after c' };
  assert.deepEqual(refreshed(page, before), { sessions: [a, c, d], next: 'after d' });
});

test('where chats may be missing in between, the list begins anew', () => {
  const before = { sessions: [a, b, c, d], next: 'after d' };
  const strangers = [chat('x', 30), chat('y', 29)];
  assert.deepEqual(refreshed({ items: strangers, next: 'after y' }, before), {
    sessions: strangers,
    next: 'after y',
  });
  const moved = [chat('x', 30), chat('d', 29)];
  assert.equal(refreshed({ items: moved, next: 'after d' }, before).next, 'after d');
  assert.equal(ids(refreshed({ items: moved, next: 'after d' }, before).sessions), 'xd');
});

test('the last page is the whole list', () => {
  const before = { sessions: [a, b, c], next: 'after c' };
  assert.deepEqual(refreshed({ items: [a, b] }, before), { sessions: [a, b], next: null });
  assert.deepEqual(refreshed({ items: [] }, before), { sessions: [], next: null });
});

test('pinned chats come first, the others by latest activity', () => {
  const chats = [chat('a', 1), chat('b', 3), chat('c', 2, true), chat('d', 5, true)];
  assert.equal(ids(ordered(chats)), 'dcba');
  assert.equal(ids(without(chats, [chat('b'), chat('z')])), 'acd');
});
