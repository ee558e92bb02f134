/** Use and limits: one's own, and for administrators everybody's. */
import { fromRoot } from '../core/address.js';
import { clone, delegate, fill, find, findAs, showText } from '../core/dom.js';
import { size } from '../core/format.js';
import { count, currentLanguage, t } from '../core/i18n.js';
import { dialog, open } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';
import { LimitsDialog } from './limits.js';
import {
  everyDay,
  firstOf,
  isoDay,
  number,
  showChart,
  showDays,
  showRows,
  tokens,
} from './usage-chart.js';

/** @typedef {import('./usage-chart.js').Sum} Sum */
/** @typedef {import('./limits.js').PersonLimits} PersonLimits */

const MB = 1024 ** 2;

export class UsageDialog {
  #api;
  #hasPeople;
  #root = dialog('usage');
  #days = findAs(this.#root, '[data-usage-days]', HTMLSelectElement);
  #person = findAs(this.#root, '[data-usage-person]', HTMLSelectElement);
  /** @type {PersonLimits[]} */ #people = [];
  /** Counts what was asked for, so that only the latest is shown. */ #asked = 0;

  /**
   * @param {{api: import('../net/api.js').Api, hasPeople: boolean}} deps
   *   hasPeople: the use and limits of all people are shown
   */
  constructor({ api, hasPeople }) {
    this.#api = api;
    this.#hasPeople = hasPeople;
    find(this.#root, '[data-usage-person-row]').hidden = !hasPeople;
    for (const select of [this.#days, this.#person]) {
      select.addEventListener('change', () => void this.#show().catch(toastError));
    }
    const limits = new LimitsDialog({ api, saved: () => this.#show() });
    delegate(this.#root, 'click', '[data-usage-limits]', (button) => {
      const person = this.#people.find((one) => one.user_id === button.dataset.usageLimits);
      if (person) limits.open(person);
    });
  }

  async open() {
    await this.#show();
    open(this.#root);
  }

  async #show() {
    const asked = ++this.#asked;
    const first = firstOf(Number(this.#days.value));
    const query = new URLSearchParams({ from: first });
    if (this.#person.value) query.set('user_id', this.#person.value);
    const sums = (/** @type {string} */ group) =>
      this.#api.get(`/api/usage?${query}&group=${group}`).then((page) => page.items);
    const [limits, days, models, people] = await Promise.all([
      this.#api.get('/api/limits').then((page) => page.items),
      sums('day'),
      sums('model'),
      this.#hasPeople ? sums('person') : [],
    ]);
    if (asked !== this.#asked) return;
    this.#people = limits;
    findAs(this.#root, '[data-usage-csv]', HTMLAnchorElement).href = fromRoot(
      `/api/usage.csv?${query}`,
    );
    this.#showPeople(people);
    this.#showLimits();
    this.#showSums(everyDay(days, first, isoDay(new Date())), models);
  }

  /** @param {Sum[]} days @param {Sum[]} models */
  #showSums(days, models) {
    const questions = days.reduce((sum, day) => sum + day.questions, 0);
    const total = days.reduce((sum, day) => sum + tokens(day), 0);
    find(this.#root, '[data-usage-sum]').textContent = t('usage.sum', {
      questions: count('usage.questions', questions),
      tokens: count('usage.tokens', total),
    });
    showChart(this.#root, days);
    showDays(find(this.#root, '[data-usage-day-rows]'), days);
    showRows(find(this.#root, '[data-usage-model-rows]'), models, modelName);
    find(this.#root, '[data-usage-models]').hidden = !models.length;
  }

  /** Limits of the person who is chosen; without people, one's own. */
  #showLimits() {
    const person = this.#hasPeople
      ? this.#people.find((one) => one.user_id === this.#person.value)
      : this.#people[0];
    const list = find(this.#root, '[data-usage-of-limits]');
    list.hidden = !person;
    if (!person) return;
    const { limits, used, free_at: freeAt } = person;
    list.replaceChildren(
      meter(
        t('usage.today'),
        used.daily_tokens,
        limits.daily_tokens,
        number,
        t('usage.free_at', { time: clock(freeAt) }),
      ),
      meter(t('usage.storage'), used.storage_bytes, limits.storage_mb * MB, bytes),
      meter(t('usage.answers'), used.answers, limits.answers, number),
    );
  }

  /** @param {Sum[]} sums of the people who have used something */
  #showPeople(sums) {
    if (!this.#hasPeople) return;
    const chosen = this.#person.value;
    this.#person.replaceChildren(
      new Option(t('usage.everybody'), ''),
      ...this.#people.map((one) => new Option(one.name, one.user_id)),
    );
    this.#person.value = this.#people.some((one) => one.user_id === chosen) ? chosen : '';
    const known = new Map(sums.map((sum) => [sum.user_id, sum]));
    const shown = this.#people
      .filter((one) => !chosen || one.user_id === chosen)
      .map((one) => ({ one, used: usedBy(known.get(one.user_id)) }))
      .sort((a, b) => b.used - a.used);
    find(this.#root, '[data-usage-people]').hidden = false;
    find(this.#root, '[data-usage-people-rows]').replaceChildren(
      ...shown.map(({ one, used }) => personRow(one, used)),
    );
  }
}

/** @param {number} value @returns {string} */
const bytes = (value) => (value ? size(value) : '0 KB');

/** @param {string} time @returns {string} day and time here */
const clock = (time) =>
  new Date(time).toLocaleString(currentLanguage(), { dateStyle: 'medium', timeStyle: 'short' });

/** @param {Sum|undefined} sum @returns {number} */
const usedBy = (sum) => (sum ? tokens(sum) : 0);

/** @param {Sum} sum @returns {string} */
const modelName = ({ supplier, model }) => [model, supplier].filter(Boolean).join(' · ') || '—';

/** @param {PersonLimits} person @param {number} used tokens */
function personRow(person, used) {
  const { limits, used: now } = person;
  const row = fill(clone('usage-person'), {
    name: person.name,
    note: [
      count('usage.tokens', used),
      `${t('usage.today')} ${ofLimit(now.daily_tokens, limits.daily_tokens, number)}`,
      `${t('usage.storage')} ${ofLimit(now.storage_bytes, limits.storage_mb * MB, bytes)}`,
    ].join(' · '),
  });
  const button = find(row, '[data-usage-limits]');
  button.dataset.usageLimits = person.user_id;
  button.ariaLabel = t('limits.change_name', { name: person.name });
  return row;
}

/** @param {number} used @param {number} limit 0: none @param {(n: number) => string} show */
const ofLimit = (used, limit, show) =>
  limit ? t('usage.of', { used: show(used), limit: show(limit) }) : show(used);

/**
 * @param {string} name @param {number} used @param {number} limit 0: none
 * @param {(n: number) => string} show @param {string} [note] shown once the limit is reached
 */
function meter(name, used, limit, show, note = '') {
  const row = fill(clone('usage-limit'), {
    name,
    value: limit ? ofLimit(used, limit, show) : t('usage.unlimited', { used: show(used) }),
  });
  const bar = findAs(row, 'meter', HTMLMeterElement);
  bar.hidden = !limit;
  bar.max = limit || 1;
  bar.value = Math.min(used, bar.max);
  bar.ariaLabel = name;
  row.toggleAttribute('data-full', limit > 0 && used >= limit);
  showText(find(row, '[data-slot="note"]'), limit ? note : '');
  return row;
}
