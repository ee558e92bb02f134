/** Link references and footnotes: plain text while an answer streams, resolved at its end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definesAcross } from '../../static/js/markdown/across.js';
import { createEngine } from '../../static/js/markdown/engine.js';
import { LABELS } from './labels.js';

const engine = createEngine(LABELS);
const env = () => ({ cited: new Set([1, 2]) });
const streamed = (/** @type {string} */ text) => engine.render(text, env());
const ended = (/** @type {string} */ text) => engine.ended.render(text, env());
const LINK = '[a][x] and [x].\n\n[x]: https://example.com/y "Title"\n';
const NOTES =
  'One[^a], two[^b], again[^a].\n\n[^a]: The **first** [1].\n\n    More.\n[^b]: Second.\n';

test('links to references are resolved at the end', () => {
  const link = '<a href="https://example.com/y" title="Title" rel="noopener noreferrer" ';
  assert.equal(ended(LINK).split(link).length, 3);
  assert.doesNotMatch(ended(LINK), /\[x\]:/);
  assert.doesNotMatch(streamed(LINK), /title=/);
  assert.match(streamed(LINK), /\[a\]\[x\] and \[x\]/);
  assert.match(streamed(LINK), /\[x\]: /);
});

test('the number of a source is a citation, whatever is defined', () => {
  for (const citing of ['so [1].', '[a][1]']) {
    const text = `${citing}\n\n[1]: https://example.com`;
    assert.match(ended(text), /class="cite" data-n="1"/, text);
    assert.doesNotMatch(ended(text), /<a href="https:\/\/example.com">(?:1|a)</, text);
    assert.match(ended(text), /: <a [^>]*>https:\/\/example.com/, 'the line stays');
  }
  assert.match(ended('[9]\n\n[9]: https://example.com'), /<a href[^>]*>9<\/a>/);
});

test('footnotes are gathered at the end', () => {
  const html = ended(NOTES);
  assert.deepEqual(
    [...html.matchAll(/data-footnote="(\d)" aria-label="Footnote \d"/g)].map((match) => match[1]),
    ['1', '2', '1'],
  );
  assert.match(html, /<ol class="footnotes" aria-label="Footnotes">\s*<li tabindex="-1"/);
  assert.match(html, /<strong>first<\/strong> <button[^>]*class="cite"/);
  assert.equal(html.match(/data-footnote-back="1"/g)?.length, 1);
  assert.match(streamed(NOTES), /One\[\^a\], two/);
  assert.doesNotMatch(ended('x^[2] and [^c] and [^]'), /footnote/);
});

test('references neither allow other links nor become markup', () => {
  for (const url of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc', '/api/auth/me']) {
    assert.doesNotMatch(ended(`[a][x]\n\n[x]: ${url}`), /<a /, url);
    assert.doesNotMatch(ended(`a[^1]\n\n[^1]: [x](${url}) <img src=x onerror=a>`), /<a |<img/, url);
  }
  const label = '"><img src=x onerror=alert(1)>';
  assert.doesNotMatch(ended(`a[^${label}]\n\n[^${label}]: x`), /<img/);
  assert.doesNotMatch(ended(`[a][x]\n\n[x]: https://e.com/" "${label}"`), /<img/);
  assert.doesNotMatch(ended('![a][x]\n\n[x]: https://example.com/a.png'), /<img/);
});

test('a text without definitions ends as it was streamed', () => {
  const others = ['> [x]: https://e.com', '- [^a]: b', '[a\nb]: /c', '[a\\]]: b'];
  for (const text of [LINK, NOTES, ...others]) {
    assert.ok(definesAcross(text), text);
  }
  for (const text of [
    'plain [1], [a][b], [^c] and `x[1]: int`',
    'values[0]: 1',
    '```py\nrows[i]: list\n```',
    '[a] b: c',
    '| [a]: |\n|--|',
    '[ ]( x',
  ]) {
    assert.ok(!definesAcross(text), text);
    assert.equal(ended(text), streamed(text));
  }
  for (const text of ['['.repeat(50_000), '[a\n'.repeat(20_000), '- '.repeat(50_000)]) {
    assert.ok(!definesAcross(text));
  }
});
