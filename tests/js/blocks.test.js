/** Rendering block by block gives the same result as rendering the whole, for every prefix. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeMarks, mayClose, split } from '../../static/js/markdown/blocks.js';
import { createEngine } from '../../static/js/markdown/engine.js';
import { LABELS } from './labels.js';

const engine = createEngine(LABELS);
const env = () => ({ cited: new Set([1, 2, 3]) });
const DOCUMENTS = 150;
const CUTS = 500;

const PARTS = [
  '# Title\n',
  'A heading\n===\n',
  '## 小结\n\n',
  'Plain words with **bold** and `code`.\n',
  '含**“中文”**后文，见 https://example.com。后文\n',
  '- one\n- two\n',
  '- one\n\n  second paragraph\n\n- two\n',
  '1. a\n2. b\n   - c\n',
  '* star\n',
  '10) ten\n',
  '> quote\n> more\n',
  '> lazy\ncontinued\n',
  '```js\nlet a = 1;\n\nlet b;\n```\n',
  '```\nnever closed\n\n',
  '~~~text\n```\n~~~\n',
  '    indented\n\n    more\n',
  '  ```\n  indented fence\n  ```\n',
  '| a | b |\n|:--|--:|\n| 1 | 2 |\n',
  '| not a table\n',
  '---\n',
  '***\n',
  'See [1], [2, 3] and [9].\n',
  '[1]: file.pdf\n',
  '[ref]: https://example.com "t"\n\n[ref]\n',
  '![pic](https://example.com/a.png)\n',
  '<div>\nraw\n</div>\n',
  '<!-- comment\n',
  '\\\n',
  '&amp; &copy;\n',
  '~~gone~~\n',
  'line one  \nline two\n',
  '\n',
  '\n\n',
  ' \n',
  '\t\n',
  '- \n',
  '1.\n',
  '>\n',
  '#\n',
  '[^1]: foot\n',
  'tail without end',
  '- [ ] task\n',
  '1. [x] done<br>\n   - [X] **all** of it\n',
  '<details>\n<summary>More **of** it</summary>\n\n',
  '<details open><summary>Two\nlines</summary> and text\n',
  '<details>\n- item\n',
  '<details><summary>a</summary>b</details>\n',
  '</details>\n',
  '- in a list\n  <details>\n\n  text\n\n  </details>\n',
  '> <details>\n> text\n',
  '  </details>\n\n',
  '| a<br/>b | <br |\n|--|--|\n| - [ ] c | <BR>d |\n',
  '   three\n',
  '日本語。한국어。\n',
  '\\[ a * b\n',
  '= c * d \\] and \\(x_*\\)\n',
  '\\[\n\na\n\n',
  '\\]\n',
  '$$\n',
  '$$x_1 * x_2$$ for $5\n',
  '\\begin{cases}\n- a\n\\end{cases}\n',
  'it is \\[ a\n',
  '- b \\] or $x$ at C:\\new\\*.*\n',
];

/** @param {number} seed seeds a small generator, so that failures are reproducible */
function random(seed) {
  return () => {
    seed = (seed * 1664525 + 1013904223) % 2 ** 32;
    return seed / 2 ** 32;
  };
}

/** @param {number} seed */
function documentOf(seed) {
  const next = random(seed);
  const parts = Array.from(
    { length: 2 + Math.floor(next() * 9) },
    () => PARTS[Math.floor(next() * PARTS.length)],
  );
  return parts.map((part) => (next() < 0.55 ? `${part}\n` : part)).join('');
}

/** Feed a text piece by piece and compare after each. @param {string} text @param {number} step */
function stream(text, step) {
  let committed = '';
  let tail = '';
  for (let at = 0; at < text.length; at += step) {
    tail += text.slice(at, at + step);
    const { cut } = split(engine, tail);
    committed += engine.render(tail.slice(0, cut), env());
    tail = tail.slice(cut);
    const shown = committed + engine.render(tail, env());
    assert.equal(
      shown,
      engine.render(text.slice(0, at + step), env()),
      JSON.stringify(text.slice(0, at + step)),
    );
  }
}

test('every prefix renders like the whole document', () => {
  for (let seed = 1; seed <= DOCUMENTS; seed += 1) stream(documentOf(seed), 1 + (seed % 4));
});

test('a long document cut at random places ends like the whole', () => {
  const text = Array.from({ length: 8 }, (_, seed) => documentOf(seed + 900)).join('\n\n');
  const whole = engine.render(text, env());
  for (let seed = 1; seed <= CUTS; seed += 1) {
    const next = random(seed);
    let [committed, tail] = ['', ''];
    for (let at = 0; at < text.length; ) {
      const end = at + 1 + Math.floor(next() * 200);
      tail += text.slice(at, end);
      at = end;
      const { cut } = split(engine, tail);
      committed += engine.render(tail.slice(0, cut), env());
      tail = tail.slice(cut);
    }
    assert.equal(committed + engine.render(tail, env()), whole, `seed ${seed}`);
  }
});

test('finished blocks are committed, the last two are not', () => {
  const { cut } = split(engine, 'one\n\ntwo\n\nthree\n\nfour');
  assert.equal(cut, 'one\n\ntwo\n\n'.length);
  assert.equal(split(engine, 'one\n\ntwo').cut, 0);
});

test('a code fence is cut before its head and after its closing mark', () => {
  const text = 'one\ntwo\n';
  assert.equal(split(engine, `${text}\`\`\`js`).cut, 0);
  assert.equal(split(engine, `${text}\`\`\`js\na\n\n\nb\n`).cut, text.length);
  const closed = `${text}\`\`\`js\na\n\`\`\`\n`;
  assert.equal(split(engine, closed.slice(0, -1)).cut, text.length);
  for (const after of ['', 'x', '\n']) {
    assert.equal(split(engine, closed + after).cut, closed.length, after);
  }
  assert.equal(split(engine, '- ```\n  a\n  ```\n  b\n').cut, 0);
});

test('an open code fence is detected, a closed or indented one is not', () => {
  assert.deepEqual(split(engine, 'a\n\n```js\nlet a').fence, { marker: '`', size: 3 });
  assert.deepEqual(split(engine, '~~~~\nx\n~~~\n').fence, { marker: '~', size: 4 });
  for (const text of [
    '```js\na\n```',
    '```js\na\n```\n',
    '  ```\na',
    'text',
    '```js',
    '- ```\n  a',
  ]) {
    assert.equal(split(engine, text).fence, null, text);
  }
});

test('a line that may become a closing fence counts as one', () => {
  const fence = { marker: '`', size: 3 };
  for (const line of ['`', '``', '```', '   ```', '````  ']) assert.ok(mayClose(line, fence), line);
  for (const line of ['a', '```js', '    ```', '~~~', '` `']) {
    assert.ok(!mayClose(line, fence), line);
  }
});

test('open marks in the last line are closed while it is typed', () => {
  const cases = {
    'plain text': 'plain text',
    'a **bold': 'a **bold**',
    'a **bold ': 'a **bold**',
    'a **bold*': 'a **bold**',
    'a **bold** b': 'a **bold** b',
    'a **': 'a ',
    'a `code': 'a `code`',
    'a `': 'a ',
    'a `2**3` b': 'a `2**3` b',
    'a `2**': 'a `2**`',
    '**done**\nand **open': '**done**\nand **open**',
    '* item': '* item',
    '***': '***',
  };
  for (const [typed, shown] of Object.entries(cases)) assert.equal(closeMarks(typed), shown);
});

const TABLES = {
  strokes: `Here:

| Name | **Age** | \`a\\|b\` |
|:--|--:|---|
| Ann | 5 | **b** |
| Bob | 7 |
`,
  'directly below a text': 'Here:\n| Name | Age |\n| - | :-: |\n| Ann | 5 |\n',
  'in a list': '1. Here:\n\n   | Name | Age |\n   |------|-----|\n   | Ann | 5 |\n',
  'in a quotation': '> | Name | Age |\n> |------|-----|\n> | Ann | 5 |\n',
  'one column': '| Name |\n|---|\n| Ann |\n',
};

/** What each character adds, as it is shown. @param {string} text */
function* shownWhile(text) {
  for (let end = 1; end <= text.length; end += 1) {
    const tail = text.slice(0, end);
    const { prose } = split(engine, tail);
    yield { typed: tail, html: engine.render(prose ? closeMarks(tail) : tail, env()) };
  }
}

test('a table is one from its first cell on while it is typed', () => {
  for (const [name, text] of Object.entries(TABLES)) {
    const from = text.indexOf('|') + 3;
    for (const { typed, html } of shownWhile(text)) {
      const [outside] = html.split('<table>');
      assert.doesNotMatch(outside, /\||<h\d>/, `${name}: ${typed}`);
      assert.equal(html.includes('<table>'), typed.length >= from, `${name}: ${typed}`);
      assert.doesNotMatch(html, /:?--|\*\*<|<strong><\/strong>/, `${name}: ${typed}`);
    }
  }
});

test('the columns of a table only grow while its head is typed', () => {
  for (const [name, text] of Object.entries(TABLES)) {
    let most = 0;
    for (const { typed, html } of shownWhile(text)) {
      const columns = html.match(/<th[ >]/g)?.length ?? 0;
      assert.ok(columns >= most, `${name}: ${typed}`);
      most = columns;
    }
  }
});

test('a table without strokes at its sides is no heading while it is typed', () => {
  for (const { typed, html } of shownWhile('Name | Age\n--- | ---\nAnn | 5\n')) {
    assert.doesNotMatch(html, /<h\d>/, typed);
  }
});

test('what is no table stays as it is', () => {
  for (const tail of ['a | b', 'a\n-', '| a |\n\nb', '| a |\n|---|---|', '| a | b |\nmore']) {
    assert.equal(closeMarks(tail), tail);
  }
});
