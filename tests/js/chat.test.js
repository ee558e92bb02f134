/** Conversation with a fake server and view: requests, ids, continued answers, refresh. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conversation } from '../../static/js/chat/conversation.js';
import { block, chunk, CONTEXT, DONE, until } from './stream-fixture.js';

const question = (/** @type {string} */ id, /** @type {string|null} */ parent) => ({
  id,
  parent_id: parent,
  role: 'user',
  content: id,
  status: 'complete',
  session_id: 's1',
});
const answer = (/** @type {string} */ id, /** @type {string} */ parent, more = {}) => ({
  id,
  parent_id: parent,
  role: 'assistant',
  content: id,
  status: 'complete',
  session_id: 's1',
  ...more,
});

/**
 * A conversation on a fake server with stored messages and one stream per request; a `null` stream
 * is a network error.
 * @param {any[]} stored @param {(string|null)[]} streams
 */
async function chat(stored, streams) {
  /** @type {any[]} */ const sent = [];
  /** @type {any[]} */ const problems = [];
  /** @type {any[]} */ let path = [];
  /** @type {string[]} */ const shown = [];
  let ended = 0;
  const server = { messages: stored, reads: 0 };
  const get = async (/** @type {string} */ address) => {
    server.reads += 1;
    return address.includes('/messages')
      ? { items: structuredClone(server.messages), next: null, before: null, after: null }
      : { id: 's1', leaf_id: server.messages.at(-1).id };
  };
  const conversation = new Conversation({
    api: { get, patch: async () => null, delete: async () => null },
    view: {
      show: (messages) => (path = messages),
      grow: (messages) => (path = messages),
      update: () => {},
      gap: () => {},
      stopping: () => {},
      finish: () => {},
      stream: (message) => void shown.push(message.content),
    },
    hooks: {
      choice: () => ({ llm_config: { supplier: 'openai', model: 'echo' }, knowledge_config: null }),
      live: () => {},
      accepted: () => {},
      waits: () => false,
      refused: () => false,
      signedOut: () => {},
      ended: () => (ended += 1),
      problem: (problem) => problems.push(problem),
    },
    network: {
      fetch: async (url, init = {}) => {
        sent.push({ url: String(url), ...(init.body ? JSON.parse(String(init.body)) : {}) });
        const stream = streams.shift();
        if (stream === null || stream === undefined) throw new TypeError('Failed to fetch');
        return new Response(stream, { headers: { 'Content-Type': 'text/event-stream' } });
      },
      hidden: () => false,
      random: () => 1,
      wait: async () => {},
      watch: () => () => {},
    },
  });
  await conversation.open('s1');
  return {
    conversation,
    sent,
    problems,
    server,
    shown,
    ids: () => path.map((message) => message.id),
    last: () => path.at(-1),
    over: (/** @type {number} */ n) => until(() => ended === n),
  };
}

test('a repeated request for another answer keeps its id', async () => {
  const { conversation, sent, problems, ids, last, over } = await chat(
    [question('q1', null), answer('a1', 'q1')],
    [null, CONTEXT + chunk('b', 2) + DONE],
  );
  conversation.regenerate(last());
  await over(1);
  assert.equal(problems.length, 1);
  assert.deepEqual(ids(), ['q1', 'a1']);
  conversation.regenerate(last());
  await over(2);
  assert.deepEqual(ids(), ['q1', 'm1']);
  assert.ok(sent[0].client_message_id);
  assert.equal(sent[1].client_message_id, sent[0].client_message_id);
});

test('a continued answer shows the earlier text until its own arrives', async () => {
  const partial = answer('a1', 'q1', { status: 'stopped', content: 'One two ' });
  const { conversation, sent, shown, last, over } = await chat(
    [question('q1', null), partial],
    [CONTEXT + chunk('One two ', 9) + chunk('three', 14) + DONE],
  );
  conversation.continue(last());
  assert.equal(last().content, 'One two ');
  await over(1);
  assert.equal(sent[0].continue_id, 'a1');
  assert.deepEqual(shown, ['One two ', '', 'One two ', 'One two three', 'One two three']);
  assert.equal(last().content, 'One two three');
});

test('a continued answer that is stopped before its first text is empty', async () => {
  const partial = answer('a1', 'q1', { status: 'interrupted', content: 'One two ' });
  const { conversation, ids, last, over } = await chat(
    [question('q1', null), partial],
    [CONTEXT + block({ type: 'done', data: { finish_reason: 'stopped' } }, 2)],
  );
  conversation.continue(last());
  await over(1);
  assert.deepEqual(ids(), ['q1', 'm1']);
  assert.equal(last().content, '');
});

test('refresh shows an answer from another tab and costs one request otherwise', async () => {
  const { conversation, sent, server, ids, last, over } = await chat(
    [question('q1', null), answer('a1', 'q1')],
    [CONTEXT.replaceAll('m1', 'a2') + chunk('all', 4) + DONE],
  );
  assert.equal(server.reads, 2);
  assert.equal(await conversation.refresh(), false);
  assert.equal(server.reads, 3);
  server.messages.push(
    question('q2', 'a1'),
    answer('a2', 'q2', { status: 'running', content: '' }),
  );
  assert.equal(await conversation.refresh(), true);
  assert.deepEqual(ids(), ['q1', 'a1', 'q2', 'a2']);
  assert.deepEqual(
    sent.map((request) => request.url),
    ['/chat/stream/a2'],
  );
  await over(1);
  assert.deepEqual([last().status, last().content], ['complete', 'all']);
});
