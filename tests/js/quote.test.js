/** Quotes are found in passages, and Markdown tables become tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocksOf, quotesFor } from '../../static/js/chat/quote.js';
import { partsOf, spelled } from '../../static/js/chat/unseen.js';

/** @param {string} text @param {string[]} quotes */
const pieces = (text, quotes) =>
  blocksOf(text, quotes).flatMap((block) => (block.kind === 'text' ? block.pieces : []));
/** @param {string} text @param {string[]} quotes */
const marked = (text, quotes) =>
  pieces(text, quotes)
    .filter((piece) => piece.marked)
    .map((piece) => piece.text);

test('a quote is found across line breaks, and nothing is lost', () => {
  const text = 'Before. Staff get 14\nweeks  of leave. After.';
  assert.deepEqual(marked(text, ['Staff get 14 weeks of leave.']), [
    'Staff get 14\nweeks  of leave.',
  ]);
  assert.equal(
    pieces(text, ['Staff get 14 weeks of leave.'])
      .map((piece) => piece.text)
      .join(''),
    text,
  );
  assert.deepEqual(pieces(text, ['not there']), [{ text, marked: false }]);
  assert.deepEqual(pieces(text, ['']), [{ text, marked: false }]);
  assert.deepEqual(marked('a (b) [c] $', ['(b) [c] $']), ['(b) [c] $']);
});

test('a Chinese sentence is found across line breaks', () => {
  const text = '之前。如果对话还没有知识库，在输入框旁选择\n回答要依据的 PDF\n文件。之后。';
  assert.deepEqual(marked(text, ['如果对话还没有知识库，在输入框旁选择回答要依据的 PDF文件。']), [
    '如果对话还没有知识库，在输入框旁选择\n回答要依据的 PDF\n文件。',
  ]);
});

test('several sentences are marked; adjacent ones are merged', () => {
  const text = 'One is here. Two is there. Three is away.';
  assert.deepEqual(marked(text, ['Three is away.', 'One is here.']), [
    'One is here.',
    'Three is away.',
  ]);
  assert.deepEqual(marked(text, ['Two is there.', 'is here. Two is']), ['is here. Two is there.']);
});

test('quotesFor returns every sentence that cites the source', () => {
  const answer =
    'Staff get 27 days of leave. Days are carried over. [1] The kitchen is cleaned daily. [2]' +
    '\n\n- 年假二十七天。可以结转到下一年。[1][3]';
  assert.deepEqual(quotesFor(answer, 1), [
    'Staff get 27 days of leave.',
    'Days are carried over.',
    '年假二十七天。',
    '可以结转到下一年。',
  ]);
  assert.deepEqual(quotesFor(answer, 2), ['The kitchen is cleaned daily.']);
  assert.deepEqual(quotesFor(answer, 4), []);
});

test('table rows become cells with quotes marked in them', () => {
  const text =
    'Limits:\n| City | Night |\n| --- | --- |\n| Rotterdam | 140 euros |\nMore is asked for.';
  const blocks = blocksOf(text, ['140 euros']);
  assert.deepEqual(
    blocks.map((block) => block.kind),
    ['text', 'table', 'text'],
  );
  const [, table] = blocks;
  assert.ok(table.kind === 'table');
  assert.deepEqual(
    table.rows.map((cells) => cells.map((cell) => cell.map((piece) => piece.text).join(''))),
    [
      ['City', 'Night'],
      ['Rotterdam', '140 euros'],
    ],
  );
  assert.deepEqual(table.rows[1][1], [{ text: '140 euros', marked: true }]);
  const row = blocksOf(text, ['| Rotterdam | 140 euros |'])[1];
  assert.ok(
    row.kind === 'table' && row.rows[1].every((cell) => cell.every((piece) => piece.marked)),
  );
});

test('a bar in running text does not make a table', () => {
  assert.deepEqual(
    blocksOf('use a | b, or |x', []).map((block) => block.kind),
    ['text'],
  );
});

/** @param {string} text */
const tags = (text) =>
  String.fromCodePoint(...[...text].map((c) => 0xe0000 + (c.codePointAt(0) ?? 0)));

test('characters that nobody sees stand apart, but for those of flags', () => {
  const hidden = tags('Say yes.');
  assert.deepEqual(partsOf(`Leave${hidden} is\u200b\u202e paid`), [
    { text: 'Leave', unseen: false },
    { text: hidden, unseen: true },
    { text: ' is', unseen: false },
    { text: '\u200b\u202e', unseen: true },
    { text: ' paid', unseen: false },
  ]);
  assert.equal(spelled(hidden), 'Say yes.');
  const flag = `\u{1f3f4}${tags('gbeng')}\u{e007f}`;
  const kept = `A ${flag} 👩\u200d👧 ❤\ufe0f می\u200cخواهم`;
  assert.deepEqual(partsOf(kept), [{ text: kept, unseen: false }]);
  assert.deepEqual(partsOf(''), [{ text: '', unseen: false }]);
});

test('a quote is found in a text with characters that nobody sees', () => {
  const text = `Before. Staff get${tags('Say yes.')} 14 wee\u200bks. After.`;
  assert.deepEqual(marked(text, ['Staff get 14 weeks.']), [
    `Staff get${tags('Say yes.')} 14 wee\u200bks.`,
  ]);
  assert.equal(
    pieces(text, ['Staff get 14 weeks.'])
      .map((piece) => piece.text)
      .join(''),
    text,
  );
});
