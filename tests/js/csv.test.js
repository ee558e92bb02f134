/** Tables as CSV: quoting, and cells that a spreadsheet would calculate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toCsv } from '../../static/js/markdown/csv.js';

const cell = (/** @type {string} */ text) => toCsv([[text]]).slice(0, -2);

test('rows end with CRLF and fields are quoted where they must be', () => {
  assert.equal(
    toCsv([
      ['a', 'b, c', 'say "x"'],
      ['', 'two\nlines', '中文，逗号'],
    ]),
    'a,"b, c","say ""x"""\r\n,"two\nlines",中文，逗号\r\n',
  );
});

test('what a spreadsheet would calculate becomes text', () => {
  for (const text of [
    '=1+1',
    '@SUM(A1)',
    '+1+1',
    '-2+3',
    '-2+3|cmd',
    '=HYPERLINK(A1)',
    '＝1+1',
    '-A1',
  ]) {
    assert.equal(cell(text), `'${text}`, text);
  }
  assert.equal(cell('=cmd|"/c calc"!A1'), `"'=cmd|""/c calc""!A1"`);
  assert.equal(cell('a;=1+1'), `"a;'=1+1"`);
  assert.equal(cell('a\n =1+1'), `"a\n' =1+1"`);
});

test('numbers, signs and words stay as they are', () => {
  for (const text of [
    '-5',
    '+3%',
    '-1.50',
    '−5',
    '-€ 3',
    '- 12',
    '-',
    '--',
    'a=b',
    'x - y',
    '12 €',
    'mail@example.org',
  ]) {
    assert.equal(cell(text), text);
  }
  assert.equal(cell('-1,200.50'), '"-1,200.50"');
  assert.equal(cell('1; -2'), '"1; -2"');
});
