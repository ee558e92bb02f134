/** How an answer was written: model, times, tokens; and when a message was sent. */
import { find } from '../core/dom.js';
import { decimal, exact, moment, seconds } from '../core/format.js';
import { t } from '../core/i18n.js';

/** @typedef {import('../types.js').Message} Message */

/** In less time a speed says nothing. */
const SHORTEST_MS = 100;

/** @param {HTMLElement} root of a message @param {string} [time] RFC 3339 */
export function showMoment(root, time) {
  const element = find(root, '[data-moment]');
  element.hidden = !time;
  if (!time || element.getAttribute('datetime') === time) return;
  element.setAttribute('datetime', time);
  element.textContent = moment(time, new Date());
  element.title = exact(time);
}

/** Fill the fold of an answer that has ended. @param {HTMLElement} root @param {Message} message */
export function showFacts(root, message) {
  const rows = facts(message).flatMap(([name, value]) => {
    const [term, data] = [document.createElement('dt'), document.createElement('dd')];
    term.textContent = t(`facts.${name}`);
    data.textContent = value;
    data.dataset.fact = name;
    return [term, data];
  });
  find(root, '[data-facts]').hidden = !rows.length || !message.content;
  find(root, '[data-facts-list]').replaceChildren(...rows);
}

/** @param {Message} message @returns {[string, string][]} name and value of each */
function facts(message) {
  const { timings, usage, created_at: time } = message;
  const { total_ms: total, ttft_ms: first } = timings ?? {};
  /** @type {[string, string|undefined|null|false|0][]} */
  const all = [
    ['model', modelName(message)],
    ['asked', time && exact(time)],
    ['total', total && t('facts.seconds', { seconds: seconds(total) })],
    ['first', first !== undefined && t('facts.seconds', { seconds: seconds(first) })],
  ];
  const { input_tokens: read, output_tokens: written } = usage ?? {};
  // The built-in model has no tokens: what it reports is an estimate.
  if (written && message.supplier !== 'builtin') {
    const counts = { written: decimal(written), read: decimal(read ?? 0) };
    all.push(['tokens', t('facts.counts', counts)]);
    const took = (total ?? 0) - (first ?? 0);
    if (took >= SHORTEST_MS) all.push(['speed', decimal((written / took) * 1000)]);
  }
  return all.flatMap(([name, value]) => (value ? [[name, value]] : []));
}

/** @param {Message} message */
function modelName({ supplier, model }) {
  return supplier === 'builtin' ? t('model.builtin') : model;
}
