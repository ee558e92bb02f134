/**
 * Draws a Mermaid diagram in place of its code, in a sandboxed frame of opaque origin: what a model
 * wrote is drawn by a large library that cannot run under Trusted Types, away from this page.
 */
import { fromRoot } from '../core/address.js';
import { find } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { announce } from '../ui/announce.js';
import { note } from './note.js';

/** As in `diagram-frame.js`, which refuses longer texts. */
const MOST_CHARACTERS = 20_000;
/** For the library, 0.8 MB, to load and to draw. */
const PATIENCE_MS = 60_000;
const [LEAST_HEIGHT, MOST_HEIGHT] = [60, 4_000];
/** @type {Record<string, string>} */
const FAULTS = {
  kind: 'diagram.kind',
  too_large: 'diagram.too_large',
  unreachable: 'diagram.unreachable',
};

/** @typedef {{figure: HTMLElement, button: HTMLElement, timer: number}} Drawing */
/** @type {Map<HTMLIFrameElement, Drawing>} */
const drawings = new Map();
const dark = matchMedia('(prefers-color-scheme: dark)');

/** Draw the diagram of a code block, or show its code again. @param {HTMLElement} button */
export function toggleDiagram(button) {
  const figure = button.closest('figure');
  if (!figure) return;
  const shown = [...drawings.keys()].find((frame) => figure.contains(frame));
  if (shown) return end(shown);
  note(figure, '');
  if (textOf(figure).length > MOST_CHARACTERS) return note(figure, t('diagram.too_large'));
  start(figure, button);
}

/** @param {HTMLElement} figure @param {HTMLElement} button */
function start(figure, button) {
  for (const frame of drawings.keys()) if (!frame.isConnected) drawings.delete(frame);
  const frame = document.createElement('iframe');
  frame.setAttribute('sandbox', 'allow-scripts');
  frame.title = t('diagram.title');
  frame.height = '0';
  frame.src = fromRoot('/diagram');
  const timer = window.setTimeout(() => fail(frame, t('diagram.slow')), PATIENCE_MS);
  drawings.set(frame, { figure, button, timer });
  figure.append(frame);
  figure.setAttribute('aria-busy', 'true');
  note(figure, t('diagram.drawing'));
}

/** @param {HTMLIFrameElement} frame */
function send(frame) {
  const drawing = drawings.get(frame);
  if (!drawing || !frame.isConnected) return;
  const theme = document.documentElement.dataset.theme;
  const message = { text: textOf(drawing.figure), dark: theme ? theme === 'dark' : dark.matches };
  frame.contentWindow?.postMessage(message, '*'); // an opaque origin has no name
}

/** @param {MessageEvent} event */
function receive({ source, data }) {
  const [frame, drawing] =
    [...drawings].find(([each]) => source !== null && each.contentWindow === source) ?? [];
  if (!frame || !drawing) return;
  if (data?.ready) send(frame);
  else if (typeof data?.fault === 'string') fail(frame, sentence(data));
  else if (Number.isFinite(data?.height)) show(frame, drawing, data.height);
}

/** @param {HTMLIFrameElement} frame @param {Drawing} drawing @param {number} height */
function show(frame, { figure, button, timer }, height) {
  clearTimeout(timer);
  frame.height = String(Math.ceil(Math.min(Math.max(height, LEAST_HEIGHT), MOST_HEIGHT)));
  if ('drawn' in figure.dataset) return;
  figure.dataset.drawn = '';
  figure.removeAttribute('aria-busy');
  button.textContent = t('diagram.code');
  note(figure, '');
  announce(t('diagram.drawn'));
}

/** @param {HTMLIFrameElement} frame @param {string} words */
function fail(frame, words) {
  const figure = drawings.get(frame)?.figure;
  end(frame);
  if (figure) note(figure, words);
}

/** @param {HTMLIFrameElement} frame */
function end(frame) {
  const drawing = drawings.get(frame);
  drawings.delete(frame);
  frame.remove();
  if (!drawing) return;
  const { figure, button, timer } = drawing;
  clearTimeout(timer);
  delete figure.dataset.drawn;
  figure.removeAttribute('aria-busy');
  button.textContent = t('diagram.draw');
  note(figure, '');
}

/** @param {{fault: string, line?: unknown}} data */
function sentence({ fault, line }) {
  if (fault === 'syntax' && Number.isInteger(line)) {
    return t('diagram.syntax', { line: Number(line) });
  }
  return t(FAULTS[fault] ?? 'diagram.mistake');
}

/** @param {HTMLElement} figure */
const textOf = (figure) => find(figure, 'code').textContent ?? '';

const sendAll = () => [...drawings.keys()].forEach(send);
addEventListener('message', receive);
dark.addEventListener('change', sendAll);
const themes = new MutationObserver(sendAll);
themes.observe(document.documentElement, { attributeFilter: ['data-theme'] });
