/**
 * The Markdown renderer: citations, CJK emphasis, links, and HTML that it must never produce.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEngine } from '../../static/js/markdown/engine.js';

const engine = createEngine({
  copy: 'Copy',
  wrap: 'Wrap',
  csv: 'CSV',
  draw: 'Draw',
  citation: (n) => `Source ${n}`,
});
const render = (/** @type {string} */ text) =>
  engine.render(text, { cited: new Set([1, 2, 3]) }).trim();
const chips = (/** @type {string} */ text) =>
  [...render(text).matchAll(/class="cite" data-n="(\d+)"/g)].map((match) => Number(match[1]));

test('source numbers become buttons, other numbers stay text', () => {
  assert.deepEqual(chips('so [1], and [2][3].'), [1, 2, 3]);
  assert.deepEqual(chips('so [1, 3] and [1，2]'), [1, 3, 1, 2]);
  assert.deepEqual(chips('| a |\n|--|\n| [2] |'), [2]);
  assert.deepEqual(chips('**见 [1]**'), [1]);
  for (const text of [
    '[4]',
    '[0]',
    '[1, 9]',
    '`[1]`',
    '[1](https://example.com)',
    '\\[1]',
    '[1',
    '[a]',
  ]) {
    assert.deepEqual(chips(text), [], text);
  }
});

test('a reference definition makes no link and stays visible', () => {
  assert.deepEqual(chips('as shown [1].\n\n[1]: file.pdf'), [1]);
  assert.match(render('[1]: file.pdf'), /\[1\]: file\.pdf/);
});

test('emphasis works beside Chinese punctuation', () => {
  for (const text of [
    '**“中文”**后文',
    '这是**“中文”**的例子',
    '**注意：**正文',
    '前文**（测试）**后文',
    '含**「重点」**内容',
  ]) {
    assert.match(render(text), /<strong>/, text);
  }
});

test('a bare URL ends before a Chinese full stop', () => {
  assert.match(render('见 https://example.com/a。后文'), /href="https:\/\/example\.com\/a"/);
});

test('links allow http, https and mailto only and open a new tab', () => {
  assert.match(render('[a](https://example.com)'), /rel="noopener noreferrer" target="_blank"/);
  for (const url of [
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    '/api/auth/me',
    'vbscript:x',
    ' javascript:x',
  ]) {
    assert.doesNotMatch(render(`[a](${url})`), /<a /, url);
  }
});

test('an image becomes a link with its text and host', () => {
  const html = render('![the chart](https://evil.example/p.png?secret=1)');
  assert.doesNotMatch(html, /<img/);
  assert.match(html, />the chart \(evil\.example\)</);
  assert.doesNotMatch(render('![x](data:image/png;base64,AAAA)'), /<img/);
});

test('raw HTML is text and no style attribute is written', () => {
  assert.match(render('<img src=x onerror=alert(1)>'), /&lt;img/);
  assert.match(render('<script>alert(1)</script>'), /&lt;script/);
  const table = render('| a |\n|--:|\n| 1 |');
  assert.match(table, /class="align-right"/);
  assert.doesNotMatch(table, /style=/);
});

test('a code block names its language and escapes its content', () => {
  const html = render('```py"><b>\n<i>\n```');
  assert.match(html, /<span>py&quot;&gt;&lt;b&gt;<\/span>/);
  assert.match(html, /<code>&lt;i&gt;\n<\/code>/);
});

test('a code block is open until its closing mark comes', () => {
  const open = ['```', '```js\n', '```js\na', '```js\na\n', '```js\n\n', '- ```\n  a\n\nb'];
  const closed = ['```\n```', '```js\na\n```', '```js\n\n```', '- ```\n  a\n  ```\n\nb', '    a'];
  for (const text of open) {
    assert.match(render(text), /class="code open"/, text);
  }
  for (const text of closed) {
    assert.match(render(text), /class="code"/, text);
  }
});
