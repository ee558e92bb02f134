/** Bars of the tokens of each day, and the same as a table. */
import { find } from '../core/dom.js';
import { count, currentLanguage, t } from '../core/i18n.js';

const DAY_MS = 86_400_000;

/**
 * @typedef {{day: string|null, user_id: string|null, user: string|null, supplier: string|null,
 *   model: string|null, questions: number, prompt_tokens: number, completion_tokens: number}} Sum
 */

/** @param {Date} date @returns {string} its day in UTC, as the API writes it */
export const isoDay = (date) => date.toISOString().slice(0, 10);

/** @param {number} days @returns {string} the first of so many days that end today, in UTC */
export const firstOf = (days) => isoDay(new Date(Date.now() - (days - 1) * DAY_MS));

/** @param {Sum} sum @returns {number} */
export const tokens = (sum) => sum.prompt_tokens + sum.completion_tokens;

/** @param {number} value @returns {string} */
export const number = (value) => value.toLocaleString(currentLanguage());

/** @param {number} value @returns {string} in a few characters, as 12K */
export const short = (value) =>
  value.toLocaleString(currentLanguage(), { notation: 'compact', maximumFractionDigits: 1 });

/** @param {string} day @returns {string} a day of UTC */
const dayName = (day) =>
  new Date(day).toLocaleDateString(currentLanguage(), {
    timeZone: 'UTC',
    month: 'short',
    day: 'numeric',
  });

/**
 * @param {readonly Sum[]} sums of days, some of which may be missing
 * @param {string} first @param {string} last
 * @returns {Sum[]} one for each day
 */
export function everyDay(sums, first, last) {
  const known = new Map(sums.map((sum) => [sum.day, sum]));
  const all = [];
  for (let at = Date.parse(first); at <= Date.parse(last); at += DAY_MS) {
    const day = isoDay(new Date(at));
    all.push(known.get(day) ?? { ...NOTHING, day });
  }
  return all;
}

/** @type {Sum} */
const NOTHING = {
  day: null,
  user_id: null,
  user: null,
  supplier: null,
  model: null,
  questions: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
};

/** @param {HTMLElement} root @param {readonly Sum[]} days one sum for each day */
export function showChart(root, days) {
  const most = Math.max(...days.map(tokens), 1);
  find(root, '[data-usage-bars]').replaceChildren(
    ...days.map((sum) => {
      const bar = document.createElement('i');
      const answers = count('usage.questions', sum.questions);
      bar.title = `${dayName(sum.day ?? '')}: ${answers}, ${count('usage.tokens', tokens(sum))}`;
      bar.style.setProperty('--share', String(tokens(sum) / most));
      if (!tokens(sum)) bar.dataset.empty = '';
      return bar;
    }),
  );
  find(root, '[data-usage-most]').textContent = t('usage.most', { n: short(most) });
  find(root, '[data-usage-first]').textContent = dayName(days[0]?.day ?? '');
  find(root, '[data-usage-last]').textContent = dayName(days.at(-1)?.day ?? '');
}

/**
 * @param {HTMLElement} body of a table @param {readonly Sum[]} sums
 * @param {(sum: Sum) => string} name what a row is about
 */
export function showRows(body, sums, name) {
  body.replaceChildren(
    ...sums.map((sum) => {
      const row = document.createElement('tr');
      const head = document.createElement('th');
      head.scope = 'row';
      head.dir = 'auto';
      head.textContent = name(sum);
      const cells = [sum.questions, sum.prompt_tokens, sum.completion_tokens].map((value) => {
        const cell = document.createElement('td');
        cell.textContent = number(value);
        return cell;
      });
      row.append(head, ...cells);
      return row;
    }),
  );
}

/** @param {HTMLElement} body @param {readonly Sum[]} days those without use are left out */
export const showDays = (body, days) =>
  showRows(
    body,
    days.filter((sum) => sum.questions).reverse(),
    (sum) => dayName(sum.day ?? ''),
  );
