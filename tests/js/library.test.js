/** The choice of model and knowledge bases of a chat. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Library } from '../../static/js/chat/library.js';

/** @typedef {import('../../static/js/types.js').Session} Session */

const BASES = ['a', 'b', 'c'].map((id) => ({ id, name: id.toUpperCase(), files: 1 }));
const MODEL = { supplier: 'builtin', model: 'extractive' };

/**
 * @param {string|string[]|null} knowledge_base_id
 * @returns {Promise<Library>} in a chat with these bases
 */
async function entered(knowledge_base_id) {
  const answers = {
    '/api/models': { items: [], default: MODEL },
    '/api/knowledge': { items: BASES },
    '/api/presets': { items: [] },
  };
  const api = {
    get: async (/** @type {keyof typeof answers} */ path) => answers[path],
    patch: async () => ({}),
  };
  const library = new Library(/** @type {any} */ (api));
  await library.load();
  library.enter(
    /** @type {Session} */ (/** @type {unknown} */ ({ id: 's', ...MODEL, knowledge_base_id })),
  );
  return library;
}

test('a chat with several knowledge bases keeps all of them', async () => {
  const library = await entered(['a', 'c', 'gone']);
  assert.equal(library.chosenNames, 'A · C');
  assert.deepEqual(library.request().knowledge_config, { knowledge_base_id: ['a', 'c'] });
  await library.chooseModel({ supplier: 'x', model: 'y' });
  assert.deepEqual(library.request().knowledge_config, { knowledge_base_id: ['a', 'c'] });
});

test('a chat with one base or none has that choice', async () => {
  const library = await entered(['a', 'c']);
  await library.chooseBase('b');
  assert.equal(library.chosenNames, 'B');
  assert.deepEqual(library.request().knowledge_config, { knowledge_base_id: 'b' });
  assert.deepEqual((await entered('a')).request().knowledge_config, { knowledge_base_id: 'a' });
  assert.equal((await entered(null)).request().knowledge_config, null);
});

test('a chosen file goes with the question until another choice is made', async () => {
  const library = await entered('a');
  await library.chooseBase('b', { md5: 'f00', name: 'f.txt' });
  assert.equal(library.chosenNames, 'f.txt');
  assert.deepEqual(library.request().knowledge_config, {
    knowledge_base_id: 'b',
    filter_by_file_md5: ['f00'],
  });
  await library.chooseModel({ supplier: 'x', model: 'y' });
  assert.equal(library.chosenNames, 'f.txt');
  await library.chooseBase('b');
  assert.deepEqual(library.request().knowledge_config, { knowledge_base_id: 'b' });
});
