/** Which formulas are drawn: TeX that loads and links nothing, and that has an end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import katex from 'katex';
import 'katex/contrib/mhchem';
import { texOf, treeOf } from '../../static/js/markdown/tex.js';

const markup = (/** @type {string} */ source) => {
  const tree = /** @type {any} */ (treeOf(/** @type {any} */ (katex), source));
  return tree ? tree.toMarkup() : null;
};

test('marks say what is TeX and whether it has a line of its own', () => {
  assert.deepEqual(texOf('\\( x \\)'), { tex: ' x ', display: false });
  assert.deepEqual(texOf('$x$'), { tex: 'x', display: false });
  assert.deepEqual(texOf('\\[\nx\n\\]'), { tex: '\nx\n', display: true });
  assert.deepEqual(texOf('$$x$$'), { tex: 'x', display: true });
  const cases = '\\begin{cases}a\\end{cases}';
  assert.deepEqual(texOf(cases), { tex: cases, display: true });
  for (const source of ['\\( x', '$$\nx', 'x', '']) assert.equal(texOf(source), null);
});

test('a formula is drawn with MathML and its TeX for screen readers', () => {
  const html = markup('\\(\\frac{a}{b}\\)');
  assert.match(html, /<math .*<mfrac>.*<annotation encoding="application\/x-tex">\\frac/);
  assert.match(html, /aria-hidden="true"/);
  for (const source of [
    '$x < 0, \\text{若 } x$',
    '\\begin{align*}\na &= b \\\\\nc &= d\n\\end{align*}',
    '$$\\renewcommand{\\arraystretch}{1.5}\\begin{array}{cc}a & b\\end{array}$$',
    '$$\\begin{pmatrix} 1 & 2 \\end{pmatrix} \\tag{1}$$',
    '$$E = mc^2 \\label{eq:energy}$$',
    '$\\ce{2H2 + O2 -> 2H2O}$',
    '$$\\def\\R{\\mathbb{R}} x \\in \\R$$',
  ]) {
    assert.ok(markup(source), source);
  }
  markup('$\\gdef\\later{y} \\later$');
  assert.equal(markup('$\\later + 1$'), null, 'no formula changes another one');
});

test('no style attribute is left, which the policy of the page forbids', () => {
  for (const source of [
    '\\(\\vec{a} + \\overrightarrow{AB}\\)',
    '\\(\\fcolorbox{red}{yellow}{x}\\)',
    '\\(\\pmb{x}\\)',
  ]) {
    /** @param {any} node */
    const check = (node) => {
      assert.equal(node.attributes?.style, undefined, source);
      node.children?.forEach(check);
    };
    check(treeOf(/** @type {any} */ (katex), source));
  }
});

test('what loads, links or marks elements stays source', () => {
  for (const tex of [
    '\\href{javascript:alert(1)}{x}',
    '\\href{https://example.org}{x}',
    '\\url{https://example.org}',
    '\\includegraphics[height=1em]{https://example.org/a.png}',
    '\\htmlClass{a}{x}',
    '\\htmlId{a}{x}',
    '\\htmlStyle{position: fixed}{x}',
    '\\htmlData{a=b}{x}',
  ]) {
    assert.equal(markup(`\\(${tex}\\)`), null, tex);
    assert.equal(markup(`\\(a + {\\frac{${tex}}{b}}\\)`), null, tex);
  }
});

test('TeX that KaTeX cannot read stays source', () => {
  for (const tex of ['\\frac{a', '\\nosuch', 'a & b', '\\begin{nosuch}\\end{nosuch}', '}', 'x^']) {
    assert.equal(markup(`$$${tex}$$`), null, tex);
  }
});

test('TeX without end, too deep or too long stays source', () => {
  const wide = '\\def\\a{xxxxxxxxxx}';
  for (const tex of [
    '\\def\\x{\\x\\x}\\x',
    '\\def\\a#1{#1#1}\\a{\\a{\\a{x}}}',
    `\\def\\a{x}\\edef\\b{\\a\\a}\\b`,
    `${wide}${'\\a'.repeat(1000)}`,
    `\\newcommand{\\a}{${'x'.repeat(2000)}}${'\\a'.repeat(900)}`,
    `${'{'.repeat(3000)}${'}'.repeat(900)}`,
    `${'\\frac{1}{'.repeat(100)}x${'}'.repeat(100)}`,
    'x'.repeat(6000),
    '\\message{x}',
    '\\show\\x',
  ]) {
    assert.equal(markup(`$$${tex}$$`), null, tex.slice(0, 40));
  }
  assert.doesNotMatch(markup('\\(\\rule{9000em}{9000em}\\)'), /9000em;/);
});
