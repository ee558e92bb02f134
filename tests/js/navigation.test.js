/** Which part of a chat is shown, with a fake server that reads branches in parts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Navigation } from '../../static/js/chat/navigation.js';
import { ApiError } from '../../static/js/net/api.js';

/** Turns q1 a1 q2 a2 …; each answer in `twice` has an older version `<id>-old`. */
function stored(/** @type {number} */ turns, /** @type {string[]} */ twice = []) {
  /** @type {any[]} */ const messages = [];
  const add = (/** @type {string} */ id, /** @type {string|null} */ parent) =>
    messages.push({
      id,
      parent_id: parent,
      role: id.startsWith('q') ? 'user' : 'assistant',
      content: id,
      status: 'complete',
      session_id: 's',
    });
  for (let n = 1; n <= turns; n += 1) {
    add(`q${n}`, n > 1 ? `a${n - 1}` : null);
    if (twice.includes(`a${n}`)) add(`a${n}-old`, `q${n}`);
    add(`a${n}`, `q${n}`);
  }
  return messages;
}

/** @param {any[]} messages */
function chat(messages) {
  const server = {
    leaf: messages.at(-1)?.id ?? null,
    /** @type {string[]} */ asked: [],
    /** @type {Error|null} */ fault: null,
    /** @type {Promise<void>|null} */ wait: null,
  };
  const of = (/** @type {string|null} */ id) => messages.find((one) => one.id === id);
  const below = (/** @type {string} */ id) => messages.findLast((one) => one.parent_id === id);
  const end = (/** @type {string} */ id) => {
    while (below(id)) id = below(id).id;
    return id;
  };
  const up = (/** @type {string|null} */ id) => {
    const line = [];
    for (let at = of(id); at; at = of(at.parent_id)) line.unshift(at);
    return line;
  };
  const part = (/** @type {URLSearchParams} */ query) => {
    const limit = Number(query.get('limit'));
    const leaf = query.get('leaf') ?? 'current';
    const [around, before, after] = ['around', 'before', 'after'].map((name) => query.get(name));
    if (around && !of(around)) throw new ApiError('not_found', 'gone', { status: 404 });
    const tip = leaf === 'current' ? server.leaf : end(leaf);
    const whole = up(around || after ? end(around ?? after ?? '') : (before ?? tip));
    const at = whole.findIndex(({ id }) => id === (around ?? before ?? after));
    const [from, to] = around
      ? [at - limit / 2 + 1, at + limit / 2 + 1]
      : before
        ? [at - limit, at]
        : after
          ? [at + 1, at + 1 + limit]
          : [whole.length - limit, whole.length];
    const items = whole.slice(Math.max(0, from), to).map((one) => ({
      ...one,
      siblings: messages.filter((other) => other.parent_id === one.parent_id).map(({ id }) => id),
    }));
    const ends = before ? !items.length : !below(items.at(-1)?.id ?? '');
    return {
      items,
      next: null,
      before: items[0]?.parent_id ? items[0].id : null,
      after: ends ? null : items.at(-1)?.id,
    };
  };
  /** @type {any[]} */ const problems = [];
  /** @type {string[]} */ let path = [];
  const shows = (/** @type {any[]} */ shown) => {
    path = shown.map(({ id }) => id);
  };
  const navigation = new Navigation({
    api: {
      get: async (address) => {
        server.asked.push(address.replace('/api/sessions/s', ''));
        await server.wait;
        if (server.fault) throw server.fault;
        if (!address.includes('/messages')) return { id: 's', leaf_id: server.leaf };
        return structuredClone(part(new URL(address, 'http://x').searchParams));
      },
      patch: async (_, body) => server.asked.push(`leaf ${/** @type {any} */ (body).leaf_id}`),
      delete: async (address) => {
        server.asked.push(`delete ${address}`);
        const gone = new Set([address.split('/').at(-1)]);
        for (const one of messages) if (gone.has(one.parent_id)) gone.add(one.id);
        messages = messages.filter((one) => !gone.has(one.id));
        if (!of(server.leaf)) server.leaf = messages.at(-1)?.id ?? null;
      },
    },
    view: /** @type {any} */ ({ show: shows, grow: shows }),
    problem: (problem) => problems.push(problem),
    isLive: () => false,
    attach: () => {},
  });
  const message = (/** @type {string} */ id) => {
    const found = navigation.history.tree.get(id);
    assert.ok(found, id);
    return found;
  };
  return { navigation, server, problems, message, shown: () => path };
}

test('a long chat opens with its last messages; earlier ones are read later', async () => {
  const { navigation, server, shown } = chat(stored(50));
  await navigation.open('s');
  assert.deepEqual([shown().length, shown()[0], shown().at(-1)], [30, 'q36', 'a50']);
  assert.equal(server.asked.length, 2);
  assert.deepEqual(navigation.unloaded, { earlier: true, later: false });
  for (const first of ['q21', 'q6', 'q1']) {
    await navigation.readMore('earlier');
    assert.deepEqual([shown()[0], shown().at(-1)], [first, 'a50']);
  }
  assert.deepEqual(navigation.unloaded, { earlier: false, later: false });
});

test('earlier messages that cannot be loaded are asked for again', async () => {
  const { navigation, server, shown } = chat(stored(50));
  await navigation.open('s');
  server.fault = new Error('offline');
  await assert.rejects(navigation.readMore('earlier'), /offline/);
  assert.equal(shown().length, 30);
  server.fault = null;
  await navigation.readMore('earlier');
  assert.equal(shown().length, 60);
});

test('a chat opens around a message, goes on to its end, and jumps there', async () => {
  const { navigation, server, shown } = chat(stored(100));
  await navigation.open('s', 'q50');
  assert.ok(shown().includes('q50') && shown().length === 30);
  assert.deepEqual(navigation.unloaded, { earlier: true, later: true });
  await navigation.readMore('later');
  assert.equal(shown().length, 60);
  await navigation.showEnd();
  assert.deepEqual([shown().length, shown().at(-1)], [30, 'a100']);
  const before = server.asked.length;
  await navigation.showMessage('a99');
  await navigation.showEnd();
  assert.equal(server.asked.length, before, 'what is shown is not read again');
  while (navigation.unloaded.earlier) await navigation.readMore('earlier');
  assert.equal(shown().length, 200, 'without a gap');
});

test('a chat opens at its end when the message is gone', async () => {
  const { navigation, shown } = chat(stored(20));
  await navigation.open('s', 'nobody');
  assert.deepEqual([shown().length, shown().at(-1)], [30, 'a20']);
});

test('an alternative is read where it is, and its end becomes the chat\'s', async () => {
  const { navigation, server, message, shown } = chat(stored(50, ['a40', 'a20']));
  await navigation.open('s');
  await navigation.switchBranch(message('a40'), -1);
  assert.deepEqual(shown().slice(-2), ['q40', 'a40-old']);
  assert.equal(server.asked.at(-1), 'leaf a40-old');
  await navigation.switchBranch(message('a40-old'), 1);
  assert.equal(server.asked.at(-1), 'leaf a50');
  await navigation.switchBranch(message('a40'), 1);
  assert.equal(server.asked.at(-1), 'leaf a50', 'there is none');
  while (!navigation.history.tree.get('a20')) await navigation.readMore('earlier');
  await navigation.switchBranch(message('a20'), -1);
  await navigation.switchBranch(message('a20-old'), 1);
  assert.equal(server.asked.at(-1), 'leaf a50', 'whose end is far away');
  assert.ok(navigation.unloaded.later);
});

test('of two alternatives asked for quickly, the last is shown', async () => {
  const { navigation, server, message, shown } = chat(stored(3, ['a1', 'a3']));
  await navigation.open('s');
  let go = () => {};
  server.wait = new Promise((done) => (go = done));
  const first = navigation.switchBranch(message('a1'), -1);
  const second = navigation.switchBranch(message('a3'), -1);
  go();
  await Promise.all([first, second]);
  assert.equal(shown().at(-1), 'a3-old');
  assert.deepEqual(server.asked.filter((one) => one.startsWith('leaf ')), ['leaf a3-old']);
});

test('an alternative that cannot be read leaves what is shown', async () => {
  const { navigation, server, problems, message, shown } = chat(stored(3, ['a2']));
  await navigation.open('s');
  server.fault = new Error('offline');
  await navigation.switchBranch(message('a2'), -1);
  assert.deepEqual([problems.length, shown().at(-1)], [1, 'a3']);
});

test('after a deletion the nearest branch that is left is shown', async () => {
  const { navigation, server, message, shown } = chat(stored(50, ['a40']));
  await navigation.open('s');
  await navigation.remove(message('a50'));
  assert.deepEqual([server.asked.at(-1), shown().at(-1)], ['delete /api/messages/a50', 'q50']);
  await navigation.remove(message('a40'));
  assert.deepEqual(shown().slice(-2), ['q40', 'a40-old'], 'the other version');
  await navigation.readMore('earlier');
  await navigation.remove(message('q21'));
  assert.equal(shown().at(-1), 'a20');
  while (navigation.unloaded.earlier) await navigation.readMore('earlier');
  await navigation.remove(message('q1'));
  assert.deepEqual(shown(), []);
});

test('what was asked elsewhere is joined to what is shown', async () => {
  const messages = stored(20);
  const { navigation, server, shown } = chat(messages);
  await navigation.open('s');
  messages.push(...stored(60).slice(40));
  server.leaf = 'a60';
  assert.equal(await navigation.refresh(), true);
  assert.deepEqual([shown()[0], shown().at(-1), shown().length], ['q6', 'a60', 110]);
  assert.equal(await navigation.refresh(), false);
});
