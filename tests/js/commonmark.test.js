/**
 * CommonMark 0.31.2: each of its 652 examples renders as the specification says, or is listed
 * below with the reason. An example that is listed and renders as specified fails too.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEngine } from '../../static/js/markdown/engine.js';
import { LABELS } from './labels.js';

const EXAMPLES = 652;
/** Examples that render otherwise, by reason. `from-to` is a range. */
const DIFFERENT = {
  'raw HTML is shown as text, since what a model writes must not become markup':
    '21 31 148-191 201 308 309 344 475-477 491 494 524 536 613-617 623 625-631 642 643',
  'an image is a link to its address, since loading it would tell its server who reads what':
    '517 520 531 572-589 591',
  'an address without marks becomes a link, as on every page that people know': '602 608 611',
};
/** Examples that render as specified once a link may lead anywhere. */
const ELSEWHERE =
  '22 23 32 33 192-196 198 200 202-208 210 214-218 317 404 419 422 433 473 474 482-484 486 489 ' +
  '492 495 496 498-507 509 510 512 514-516 518 519 521 522 527-530 532-535 537-545 549 550 ' +
  '553-571 592 593 596 598 599 601';

const FIGURE =
  '<figure class="code(?: open)?"><figcaption><span>(.*?)</span>.*?</figcaption>' +
  '<pre tabindex="0"><code>([^]*?)</code></pre></figure>';

/** @type {{tests: {number: number, markdown: string, html: string}[]}|null} */
const spec = await import('commonmark-spec').then(
  (module) => module.default,
  () => null,
);
const missing = spec ? false : 'commonmark-spec is not installed: npm install';

/** @param {string} list @returns {number[]} */
const numbers = (list) =>
  list.split(' ').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });

/** Without what the page adds to code and links. @param {string} html */
const plain = (html) =>
  html
    .replace(new RegExp(FIGURE, 'g'), (_, language, code) => {
      const name = language ? ` class="language-${language}"` : '';
      return `<pre><code${name}>${code}</code></pre>`;
    })
    .replaceAll(' rel="noopener noreferrer" target="_blank"', '');

/** Two ways to write the same nodes. @param {string} html */
const normal = (html) =>
  html
    .replaceAll(' />', '>')
    .replaceAll('&quot;', '"')
    .replace(/>\n+</g, '><')
    .trim();

/** @param {ReturnType<typeof createEngine>} engine @returns {number[]} */
function different(engine) {
  const tabs = (/** @type {string} */ text) => text.replaceAll('→', '\t');
  return (spec?.tests ?? [])
    .filter(({ markdown, html }) => {
      const rendered = plain(engine.ended.render(tabs(markdown), { cited: new Set() }));
      return normal(rendered) !== normal(tabs(html));
    })
    .map(({ number }) => number);
}

const ascending = (/** @type {number} */ a, /** @type {number} */ b) => a - b;
const listed = () => Object.values(DIFFERENT).flatMap(numbers).sort(ascending);

test('what differs from CommonMark is listed with its reason', { skip: missing }, () => {
  assert.equal(spec?.tests.length, EXAMPLES);
  const engine = createEngine(LABELS);
  engine.ended.validateLink = () => true;
  assert.deepEqual(different(engine), listed());
});

test('a link leads to the web or to an address for mail', { skip: missing }, () => {
  const all = [...listed(), ...numbers(ELSEWHERE)].sort(ascending);
  assert.deepEqual(different(createEngine(LABELS)), all);
});
