/**
 * Both catalogues have the same keys and placeholders, and the page uses exactly these keys.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { count, setMessages, t } from '../../static/js/core/i18n.js';

const ROOT = new URL('../../', import.meta.url);
const read = (/** @type {string} */ path) => readFileSync(new URL(path, ROOT), 'utf8');
/** @param {string} folder @param {string} ending @returns {string[]} */
const files = (folder, ending) =>
  readdirSync(new URL(folder, ROOT), { recursive: true })
    .map((name) => `${folder}${name}`)
    .filter((name) => name.endsWith(ending));

const english = JSON.parse(read('static/i18n/en.json'));
const chinese = JSON.parse(read('static/i18n/zh-CN.json'));
const SERVER = ['error.', 'server.', 'builtin.', 'cli.', 'setup.'];
const pageKeys = Object.keys(english).filter(
  (key) => !SERVER.some((prefix) => key.startsWith(prefix)),
);
const sources = [...files('static/js/', '.js'), ...files('templates/', '.html')].map((path) => ({
  path,
  text: read(path),
}));
const holes = (/** @type {string} */ text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

/** Prefixes of keys that are composed at run time. */
const BUILT = [
  'phase.',
  'facts.',
  'feedback.why.',
  'file.',
  'answer.',
  'settings.theme.',
  'empty.suggestion.',
  'knowledge.vectors.',
  'why.cut.',
  'why.not.',
  'knowledge.split.',
  'knowledge.left_out.',
  'find.export.',
  'share.days.',
  'settings.token.scope.',
  'sharing.access.',
  'queue.',
  'usage.days.',
  'limits.',
  'audit.do.',
  'audit.kind.',
  'cli.backup.',
  'cli.compact.',
  'metrics.chart.',
  'app.description', // of the web manifest
];

test('both catalogues have the same keys', () => {
  assert.deepEqual(Object.keys(english).sort(), Object.keys(chinese).sort());
});

test('both have the same placeholders and no empty texts', () => {
  for (const key of Object.keys(english)) {
    assert.deepEqual(holes(english[key]), holes(chinese[key]), key);
    assert.ok(english[key].trim() && chinese[key].trim(), key);
  }
});

test('every key used by the page exists', () => {
  for (const { path, text } of sources) {
    for (const [, key] of text.matchAll(/\bt\(\s*'([\w.]+)'\s*[,)]/g)) {
      assert.ok(key in english, `${path}: ${key}`);
    }
    for (const [, key] of text.matchAll(/\bcount\(\s*'([\w.]+)'\s*,/g)) {
      assert.ok(`${key}.one` in english && `${key}.other` in english, `${path}: ${key}`);
    }
  }
});

test('every key of the page is used', () => {
  const all = sources.map(({ text }) => text).join('\n');
  for (const key of pageKeys) {
    const stem = key.replace(/\.(one|other)$/, '');
    assert.ok(
      all.includes(`'${key}'`) ||
        all.includes(`'${stem}'`) ||
        BUILT.some((prefix) => key.startsWith(prefix)),
      key,
    );
  }
});

test('no Chinese text outside the catalogue', () => {
  for (const { path, text } of sources) assert.doesNotMatch(text, /\p{Script=Han}/u, path);
});

test('texts are filled and counted in the user’s language', () => {
  setMessages(
    { greet: 'Hello {name}, {name}{unknown}', 'file.one': '{n} file', 'file.other': '{n} files' },
    'en',
  );
  assert.equal(t('greet', { name: 'Li' }), 'Hello Li, Li{unknown}');
  assert.equal(t('missing.key'), 'missing.key');
  assert.deepEqual([count('file', 1), count('file', 1200)], ['1 file', '1,200 files']);
});

test('Latin words have spaces in Chinese text, and Chinese words none', () => {
  setMessages({ a: '由 {who} 停止 {n} 次', b: '{who} is blind', c: '“{who}” {n} 页' }, 'zh-CN');
  assert.equal(t('a', { who: 'Ada', n: 3 }), '由 Ada 停止 3 次');
  assert.equal(t('a', { who: '张三', n: 3 }), '由张三停止 3 次');
  assert.equal(t('b', { who: '张三' }), '张三 is blind');
  assert.equal(t('c', { who: '张 三', n: 3 }), '“张 三” 3 页');
});
