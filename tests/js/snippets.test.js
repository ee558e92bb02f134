/** Code snippets pass any text through a shell unchanged. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { curl, python } from '../../static/js/chat/snippets.js';

const URL = 'https://[::1]:8443/chat/stream';
const BODIES = [
  { question: 'plain', knowledge_config: null },
  {
    question: `it's "mine" $HOME \`id\` !! \\ %s 港口\n\u2028 ${'\t'}'''`,
    llm_config: { supplier: "O'Neill", model: 'a"b' },
    knowledge_config: { knowledge_base_id: ['a', 'b'], search_k: 7 },
    session_id: 's',
  },
];

/** @param {string} snippet @returns {string[]} the arguments that curl would get */
const received = (snippet) =>
  execFileSync('sh', ['-c', `curl() { printf '%s\\0' "$@"; }\n${snippet}`], {
    encoding: 'utf8',
    env: { ...process.env, CHATAPP_TOKEN: 'a token' },
  })
    .split('\0')
    .slice(0, -1);

test('a shell passes the request body on unchanged', () => {
  for (const body of BODIES) {
    const words = received(curl({ url: URL, token: true, body }));
    assert.deepEqual(words.slice(0, -1), [
      '-N',
      URL,
      '-H',
      'Authorization: Bearer a token',
      '-H',
      'Content-Type: application/json',
      '-d',
    ]);
    assert.deepEqual(JSON.parse(words.at(-1) ?? ''), body);
  }
});

test('a URL is quoted only where a shell would interpret it', () => {
  assert.match(curl({ url: URL, token: true, body: BODIES[0] }), /^curl -N '/);
  assert.match(
    curl({ url: 'http://127.0.0.1:8000/chat/stream', token: true, body: BODIES[0] }),
    /^curl -N http/,
  );
});

test('without accounts no snippet mentions a token', () => {
  for (const write of [curl, python]) {
    assert.doesNotMatch(
      write({ url: URL, token: false, body: BODIES[0] }),
      /TOKEN|Authorization|import os/,
    );
  }
});
