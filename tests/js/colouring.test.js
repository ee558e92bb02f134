/** Code that is streamed gets the colours of code that is shown at once. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Chunks, highlighter } from '../../static/js/markdown/colouring.js';
import { grammarsOf, languageOf, languages } from '../../static/js/markdown/languages.js';

const VENDOR = new URL('../../static/vendor/highlight/', import.meta.url);
const library = (/** @type {string} */ name) => import(new URL(`${name}.js`, VENDOR).href);

const PYTHON = `import os


class Reader:
    """A text that goes on


    over empty lines, with def and class in it.

    """

    def read(self, path: str) -> str:  # a comment
        with open(path) as file:
            return file.read()


def main() -> None:
    print(f"{Reader().read('a')!r}", 42)
`;
const SAMPLES = {
  python: PYTHON.repeat(4),
  javascript: `/* one\n\n\n\n\n two */
const a = \`x\${1 + f("s")}\n\n\n\n\n\`;

// end

let b = 1;

let c = 2;

let d;

`.repeat(5),
  xml: `<html>
<style>\na { color: red }\n\n\n\n</style>
<script>\nlet a = 1;\n\n\n\n</script>

</html>
`.repeat(3),
  yaml: 'a: |\n  text\n\n  more\nb: [1, true]\n'.repeat(9),
  sql: "SELECT a, 'x' FROM t -- why\nWHERE a > 1;\n".repeat(40),
};

/** @param {string} language */
async function highlight(language) {
  const names = grammarsOf(language);
  const grammars = await Promise.all(names.map(async (name) => (await library(name)).default));
  const { default: core } = await library('core');
  return highlighter(core, language, new Map(names.map((name, at) => [name, grammars[at]])));
}

/**
 * @param {import('../../static/js/markdown/colouring.js').Highlight} one
 * @param {string} text @param {number} step characters that arrive at once
 */
function stream(one, text, step) {
  const chunks = new Chunks(one);
  /** @type {any[]} */ const made = [];
  let rest = '';
  for (let at = 0; ; at += step) {
    rest += text.slice(at, at + step);
    const ended = at + step >= text.length;
    for (let next = chunks.next(rest, ended); next; next = chunks.next(rest, ended)) {
      made.push(next);
      rest = rest.slice(next.end);
    }
    if (ended) return { made, rest };
  }
}

const plain = (/** @type {any[]} */ parts) =>
  parts.map((part) => (typeof part === 'string' ? part : plain(part.parts))).join('');
const tones = (/** @type {any[]} */ parts) =>
  parts.filter((part) => part.tone).map((part) => [part.tone, plain(part.parts)]);

test('every language has its grammar, and a name of one language only', () => {
  for (const name of ['core', ...languages]) {
    assert.ok(existsSync(new URL(`${name}.js`, VENDOR)), name);
  }
  for (const name of languages) {
    assert.equal(languageOf(name), name);
    for (const part of grammarsOf(name)) assert.ok(languages.includes(part), part);
  }
  assert.equal(languageOf('Py'), 'python');
  for (const name of ['', 'mermaid', 'text', 'constructor']) assert.equal(languageOf(name), null);
});

test('every grammar colours and keeps the text', async () => {
  for (const name of languages) {
    const { made } = stream(await highlight(name), PYTHON, PYTHON.length);
    assert.equal(made.map((chunk) => plain(chunk.parts)).join(''), PYTHON, name);
  }
});

test('pieces of any size give the chunks of the whole', async () => {
  for (const [language, text] of Object.entries(SAMPLES)) {
    const one = await highlight(language);
    const whole = stream(one, text, text.length);
    assert.ok(whole.made.length > 1, language);
    assert.equal(whole.rest, '');
    assert.equal(whole.made.map((chunk) => plain(chunk.parts)).join(''), text);
    for (const step of [1, 3, 17, 100]) {
      assert.deepEqual(stream(one, text, step), whole, `${language} ${step}`);
    }
  }
});

test('a chunk never ends inside a string or a comment', async () => {
  const { made } = stream(await highlight('python'), PYTHON, 7);
  const [start] = made;
  const strings = tones(start.parts).filter(([tone]) => tone === 'string');
  assert.ok(strings.some(([, text]) => text.includes('in it.')));
  assert.deepEqual(tones(start.parts)[0], ['keyword', 'import']);
  const all = made.flatMap((chunk) => tones(chunk.parts));
  assert.ok(all.some(([tone, text]) => tone === 'number' && text === '42'));
  assert.ok(all.every(([tone, text]) => tone !== 'comment' || text === '# a comment'));
});

test('what would take too long stays plain', async () => {
  const one = await highlight('python');
  const long = `a = 1\n\n\n\n\n${`x = "${'y'.repeat(20_000)}"\n`.repeat(2)}`;
  const { made, rest } = stream(one, long, 5_000);
  assert.deepEqual(
    made.map((chunk) => chunk.end),
    [9],
  );
  assert.equal(rest.length, long.length - 9);
  assert.deepEqual(stream(one, long, long.length), { made, rest });
});

test('the colours can be read in both themes', () => {
  const css = readFileSync(new URL('../../static/css/prose.css', import.meta.url), 'utf8');
  const pair = /light-dark\((#\w{6}), (#\w{6})\)/;
  const paper = pair.exec(css.slice(css.indexOf('\n.code {')))?.slice(1) ?? [];
  const colours = [...css.matchAll(/\.c-\w+ \{ color: ([^;]+); \}/g)].map(([, colour]) => colour);
  assert.ok(colours.length >= 8);
  for (const colour of colours.filter((value) => !value.startsWith('var('))) {
    (pair.exec(colour)?.slice(1) ?? []).forEach((ink, theme) => {
      assert.ok(contrast(ink, paper[theme]) >= 4.5, `${ink} on ${paper[theme]}`);
    });
  }
});

/** WCAG 2.2, relative luminance. @param {string} colour */
function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** @param {string} one @param {string} other */
function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}
