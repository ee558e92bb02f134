/** Printing: what is not loaded is loaded first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadAll } from '../../static/js/chat/printing.js';

test('all parts of a chat are loaded, earlier ones first', async () => {
  const left = { earlier: 3, later: 2 };
  /** @type {string[]} */
  const read = [];
  await loadAll({
    get unloaded() {
      return { earlier: left.earlier > 0, later: left.later > 0 };
    },
    readMore: async (where) => {
      left[where] -= 1;
      read.push(where);
    },
  });
  assert.deepEqual(read, ['earlier', 'earlier', 'earlier', 'later', 'later']);
});

test('a part that cannot be loaded ends it', async () => {
  await assert.rejects(
    loadAll({
      unloaded: { earlier: true, later: false },
      readMore: () => Promise.reject(new Error('away')),
    }),
    /away/,
  );
});
