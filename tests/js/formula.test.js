/** Formulas keep their source word for word; prices, shells and Windows paths are none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeMarks, split } from '../../static/js/markdown/blocks.js';
import { createEngine } from '../../static/js/markdown/engine.js';
import { LABELS } from './labels.js';

const engine = createEngine(LABELS);
const render = (/** @type {string} */ text) => engine.render(text, { cited: new Set([1]) });
const plain = (/** @type {string} */ html) =>
  html
    .replace(/<[^>]+>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
/** The formulas of a text, as a reader sees them. */
const formulas = (/** @type {string} */ text) =>
  [...render(text).matchAll(/<code class="formula(?: open)?">([\s\S]*?)<\/code>/g)].map((match) =>
    plain(match[1]),
  );
const shown = (/** @type {string} */ text) => plain(render(text)).trim();

const INLINE = [
  '\\( e^{i\\pi} + 1 = 0 \\)',
  '\\(x\\)',
  '\\(a*b*c\\)',
  '\\( \\left( \\frac{a_1}{c_*^2} * d_* \\right) \\)',
  '\\[ \\frac{a_1}{c_*^2} * d_* \\]',
  '\\[ x \\\\[4pt] y \\]',
  '\\( a \\\\) b \\)',
  '$$x_1 * x_2 * x_3$$',
  '$$\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}$$',
  '\\begin{cases} 1 & x < 0 \\\\ 2 & x \\ge 0 \\end{cases}',
  '$E = mc^2$',
  '$x$',
  "$f'(x)$",
  '$\\alpha$',
  '$a_1 * b_1$',
  '$\\text{若 } x > 0$',
  '$[0, 1)$',
  '$\\$5 + \\$6 = \\$11$',
  '$3.14$',
];

test('a formula in a sentence is shown as it was written', () => {
  for (const formula of INLINE) {
    for (const text of [`so ${formula} holds`, formula, `设${formula}为`, `- see **${formula}**.`]) {
      assert.deepEqual(formulas(text), [formula], text);
    }
    assert.deepEqual(formulas(`| a | b |\n|--|--|\n| ${formula} | c |`), [formula], 'in a table');
    assert.deepEqual(formulas(`# About ${formula}`), [formula], 'in a heading');
  }
  assert.deepEqual(formulas('the $n$th of $x$-axis, ($y$), $z$.'), ['$n$', '$x$', '$y$', '$z$']);
});

const BLOCKS = [
  '\\[\n\\frac{a}{b}\n\\]',
  '\\[ a\n= b\n- c\n\\]',
  '\\[\n\n  x_1\n\n  x_2\n\n\\]',
  '$$\n\\begin{aligned}\na &= b \\\\\n- c &= d\n\\end{aligned}\n$$',
  '$$ a\n> b $$',
  '\\begin{align*}\na &= b \\\\\n# c\n\\end{align*}',
  '$$\n1. a\n===\n$$',
];

test('a formula with lines of its own is one block, whatever its lines begin with', () => {
  for (const formula of BLOCKS) {
    for (const text of [formula, `Text:\n${formula}\nmore`, `Text:\n\n${formula}\n\nmore`]) {
      assert.deepEqual(formulas(text), [formula], text);
      assert.match(render(text), /<pre tabindex="0"><code class="formula">/);
    }
    const item = `1. first\n\n   ${formula.replaceAll('\n', '\n   ')}\n2. second`;
    assert.deepEqual(formulas(item), [formula], item);
    const quote = `> so\n${formula.replace(/^/gm, '> ')}\n> end`;
    assert.deepEqual(formulas(quote), [formula], quote);
  }
});

test('a formula over several lines of a sentence is not cut by what looks like a list', () => {
  const parts = ['\\[ a\n- b\n+ c \\]', '\\(a\n> b\\)', '$$x\n===\ny$$', '\\[\n1. a\n\\]'];
  for (const formula of parts) {
    assert.deepEqual(formulas(`It is ${formula} and more.`), [formula]);
  }
  assert.match(render('The price\n- one\n- \\(x\\)'), /<ul>/);
});

test('a formula that is still written, or was cut off, is shown as it is', () => {
  assert.deepEqual(formulas('so \\( \\frac{a_1}{c_*^2} * d_*'), ['\\( \\frac{a_1}{c_*^2} * d_*']);
  assert.deepEqual(formulas('\\[ a_1 * b_*'), ['\\[ a_1 * b_*']);
  assert.deepEqual(formulas('$$\na * b *\nc\n\nd'), ['$$\na * b *\nc\n\nd']);
  assert.deepEqual(formulas('\\begin{align}\na &= b \\\\'), ['\\begin{align}\na &= b \\\\']);
  const long = `$$\n${'a\n'.repeat(5000)}$$`;
  for (const text of ['so \\( a_1', '\\[ a_1', '$$\na', '\\begin{align}\na', long]) {
    assert.match(render(text), /class="formula open"/, text.slice(0, 20));
    assert.doesNotMatch(render('\\[\na\n\\] and $$b$$ and $c$'), /open/);
  }
});

test('prices, variables and sentences between dollar signs stay text', () => {
  for (const text of [
    'It costs $5 and $10.',
    'from $5-$10, or $5/month or 50$/year',
    'US$5 and HK$6',
    '售价$5，优惠$3元，约合$',
    '$5元，涨了2$',
    'cheap ($) to pricey ($$$), ($$) and ($$$)',
    '$HOME and $PATH, $HOME:$PATH, ${HOME}/bin:${PATH}',
    '$(pwd)/$(date) and $_GET/$_POST',
    'a $ b $ c',
    'costs $5 *or* 6$',
    '$5 for this, and that for 7$',
    '\\$5 and \\$6',
    '`$x$`',
    'the variable `$a` and `$b`',
    '5$ = 6$ = 7$',
  ]) {
    assert.deepEqual(formulas(text), [], text);
  }
  assert.equal(shown('It costs $5 and $10.'), 'It costs $5 and $10.');
  assert.equal(shown('\\$5 and \\$6'), '$5 and $6');
});

test('escaped brackets and code are no formulas', () => {
  for (const text of ['\\[1\\]', '\\[1, 2\\] and \\(\\)', '\\[not a link](x)', '`\\(x\\)`']) {
    assert.deepEqual(formulas(text), [], text);
  }
  assert.equal(shown('\\[1\\]'), '[1]');
  assert.match(render('```\n\\[ x \\]\n$$\n```'), /<figure class="code">/);
  assert.match(render('\\!\\(\\)\\*\\[\\\\\\]\\^\\_'), /<p>!\(\)\*\[\\\]\^_<\/p>/);
});

test('a backslash before a letter stays, and all of a Windows path do', () => {
  for (const text of [
    'C:\\new\\table',
    'in C:\\Users\\name, then',
    '路径C:\\temp\\*.txt。',
    'D:\\_build\\-x\\[a]',
    '\\\\server\\share\\_x',
    '"C:\\Program Files (x86)\\new"',
    'the word \\alpha and \\beta_1',
  ]) {
    assert.equal(shown(text), text);
  }
  assert.equal(shown('a \\*star\\* and foo\\\\bar'), 'a *star* and foo\\bar');
});

test('what a formula contains is no markup', () => {
  assert.deepEqual(formulas('\\( <b>x</b> & "y" \\)'), ['\\( <b>x</b> & "y" \\)']);
  assert.doesNotMatch(render('$$<img src=x onerror=alert(1)>_x$$'), /<img/);
  assert.deepEqual([...render('\\(x [1]\\) [1]').matchAll(/class="cite"/g)].length, 1);
});

/** @param {string} text */
function stream(text) {
  let committed = '';
  let tail = '';
  for (const char of text) {
    tail += char;
    const { cut } = split(engine, tail);
    committed += render(tail.slice(0, cut));
    tail = tail.slice(cut);
    render(closeMarks(tail));
  }
  return committed + render(tail);
}

test('cut at every character it is the same', () => {
  const lines = [...INLINE.map((formula) => `so ${formula} holds`), ...BLOCKS];
  const text = lines.map((line, n) => `${line}\n\n${n % 3 ? '' : 'It costs $5.\n\n'}`).join('');
  assert.equal(stream(text), render(text));
  for (const formula of BLOCKS) {
    const nested = `- a\n\n  ${formula.replaceAll('\n', '\n  ')}\n\n- b\n\nend\n\n`;
    assert.equal(stream(nested), render(nested));
  }
});

test('stars of a formula do not count as open marks while it is typed', () => {
  for (const text of ['so \\( a**b', 'so \\( a**b \\) c', '$$2**3', '$$2**3$$ is', 'so \\[ `a']) {
    assert.equal(closeMarks(text), text);
  }
  assert.equal(closeMarks('**so \\(a**b\\) is'), '**so \\(a**b\\) is**');
});

test('marks that are never closed take no long time', () => {
  for (const mark of ['\\(', '\\[ ', '$$', '$a ', '\\begin{a}', 'C:\\', '\\\\']) {
    const text = mark.repeat(20_000);
    assert.ok(render(text).length >= text.length / 2);
  }
});
