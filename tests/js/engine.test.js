/**
 * The Markdown renderer: citations, CJK emphasis, links, and HTML that it must never produce.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEngine } from '../../static/js/markdown/engine.js';
import { LABELS } from './labels.js';

const engine = createEngine(LABELS);
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

test('tasks of a list are boxes with a name, other brackets are text', () => {
  const html = render('- [ ] open\n- [x] **done**\n\n1. [X] both');
  const open = /<span class="task" role="img" aria-label="To do">☐<\/span>open/g;
  assert.equal(html.match(open)?.length, 1);
  assert.equal(html.match(/<span class="task done" role="img" aria-label="Done">☑/g)?.length, 2);
  assert.match(html, /<strong>done/);
  const others = ['[ ] no list', '- [ ]', '- [y] a', '- [x](https://example.com)', '- \\[x] a'];
  for (const text of others) {
    assert.doesNotMatch(render(text), /class="task/, text);
  }
  assert.deepEqual(chips('- [1] a source'), [1]);
});

test('<br> breaks a line, also in a table; other tags are text', () => {
  assert.match(render('a<br>b<BR/>c<br />\nd'), /<p>a<br>\s*b<br>\s*c<br>\s*d<\/p>/);
  assert.match(render('| a |\n|--|\n| b<br>c |'), /<td>b<br>\s*c<\/td>/);
  for (const text of ['`<br>`', '\\<br>', '<br onclick="x">', '<brr>', '<b>', '</br>']) {
    assert.doesNotMatch(render(text), /<br>/, text);
  }
});

test('<details> folds Markdown; one that is not closed is open', () => {
  const lines = ['<details>', '<summary><b>More</b> *of it*</summary>', '', '- a', '- **b** [1]'];
  const fold = [...lines, '', '</details>'].join('\n');
  const html = render(`before\n\n${fold}\n\nafter`);
  assert.match(html, /<details>\s*<summary>More <em>of it<\/em><\/summary>\s*<ul>/);
  assert.match(html, /<strong>b<\/strong> <button[^]*<\/ul>\s*<\/details>\s*<p>after<\/p>/);
  const line = render('<details><summary>a</summary>*b*</details>\nc');
  assert.match(line, /<p><em>b<\/em><\/p>\s*<\/details>\s*<p>c/);
  const open = render('<details open>\n\ntext\n</details>');
  assert.match(open, /<details open="">\s*<summary>Details</);
  assert.match(render('<details>\n\ntext'), /<details open="">/);
  const within = render(`<details>\n\n${fold}\n\nlast\n</details>\nend`);
  assert.match(within, /last<\/p>\s*<\/details>\s*<p>end/);
});

test('a fold ends with the list or quote that contains it', () => {
  const list = render('- x\n\n  <details>\n\n  a\n\n  </details>\n- y');
  assert.match(list, /<details>[^]*<\/details>\s*<\/li>\s*<li>/);
  assert.match(render('> <details>\n>\n> a\n>\n> </details>'), /<details>[^]*<\/details>/);
  const open = render('- <details>\n\n  a\n\noutside');
  assert.match(open, /<\/details>\s*<\/li>\s*<\/ul>\s*<p>outside/);
});

test('of <details>, neither attributes nor what is no fold become markup', () => {
  assert.match(render('<details open ontoggle="x">\na'), /<p>&lt;details/);
  assert.match(render('<details> is a tag'), /<p>&lt;details/);
  assert.match(render('`<details>`'), /<p><code>/);
  assert.match(render('    <details>'), /<figure/);
  assert.match(render('</details>'), /<p>&lt;\/details/);
  assert.match(render('```\n<details>\n```'), /&lt;details/);
  const code = render('<details>\n\n```\n</details>\n```\n\na\n\n</details>');
  assert.match(code, /a<\/p>\s*<\/details>$/);
  const hostile = '<img src=x onerror=alert(1)>';
  const summary = render(`<details><summary>${hostile}</summary>\na\n</details>`);
  assert.match(summary, /<summary>&lt;img/);
  assert.doesNotMatch(summary, /<img/);
});

test('many tags of folds take no long time', () => {
  for (const tag of ['<details>\n', '<details>\n</details>\n', '<details><summary>']) {
    assert.ok(render(tag.repeat(5000)).length > 0);
  }
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
