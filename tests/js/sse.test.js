/**
 * SseDecoder on tests/fixtures/sse_vectors.json, which Python tests share: each stream whole and
 * cut at every byte.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SseDecoder } from '../../static/js/net/sse.js';

const vectors = JSON.parse(
  readFileSync(new URL('../fixtures/sse_vectors.json', import.meta.url), 'utf8'),
);

const bytesOf = ({ text, hex }) =>
  hex
    ? Uint8Array.from(hex.split(' '), (byte) => parseInt(byte, 16))
    : new TextEncoder().encode(text);

/** @param {Uint8Array[]} parts */
function decode(parts) {
  const decoder = new SseDecoder();
  const events = parts.flatMap((part) => decoder.push(part));
  return { events, retry: decoder.retry, lastId: decoder.lastId };
}

for (const vector of vectors) {
  const bytes = bytesOf(vector);
  const check = (/** @type {Uint8Array[]} */ parts) => {
    const found = decode(parts);
    assert.deepEqual(found.events, vector.events);
    assert.equal(found.retry, vector.retry ?? null);
    assert.equal(found.lastId, vector.last_id ?? vector.events.at(-1)?.id ?? '');
  };

  test(vector.name, () => {
    check([bytes]);
    check(Array.from(bytes, (byte) => Uint8Array.of(byte)));
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      check([bytes.subarray(0, cut), bytes.subarray(cut)]);
    }
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      check([bytes.subarray(0, cut), new Uint8Array(), bytes.subarray(cut)]);
    }
  });
}

test('there are 22 vectors', () => assert.equal(vectors.length, 22));

test('an event is dispatched at its empty line', () => {
  const decoder = new SseDecoder();
  const push = (/** @type {string} */ text) =>
    decoder.push(new TextEncoder().encode(text)).map((event) => event.data);
  assert.deepEqual(push('data: a\r\n\r'), ['a']);
  assert.deepEqual(push('\ndata: b\n'), []);
  assert.deepEqual(push('\n'), ['b']);
});
