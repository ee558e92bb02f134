/** Figures for operators: those of this moment, and of each of the last 60 minutes as bars. */
import { clone, fill, find } from '../core/dom.js';
import { currentLanguage, t } from '../core/i18n.js';
import { dialog, open } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';

const RELOAD_MS = 10_000;

/**
 * @typedef {{time: string, live_answers: number, answers: number, supplier_errors: number,
 *   first_token_seconds: number|null, retrieval_seconds: number|null,
 *   database_wait_seconds: number|null}} Minute
 * @typedef {{processes: number, live_answers: number, readers: number, connections: number,
 *   connections_limit: number, documents_waiting: number, documents_oldest_seconds: number}} Now
 * @typedef {{now: Now, supplier_errors: Record<string, number>, minutes: Minute[]}} Metrics
 */

/** @param {number} value @returns {string} */
const number = (value) => value.toLocaleString(currentLanguage());

/** @param {number} seconds @returns {string} in milliseconds, seconds or minutes */
export function duration(seconds) {
  const [value, unit] =
    seconds < 1
      ? [seconds * 1000, 'millisecond']
      : seconds < 120
        ? [seconds, 'second']
        : [seconds / 60, 'minute'];
  const maximumFractionDigits = value < 10 ? 1 : 0;
  return value.toLocaleString(currentLanguage(), { style: 'unit', unit, maximumFractionDigits });
}

/** @type {Record<string, (values: number[]) => string>} what is said about the bars */
const SAYS = {
  answers: (values) => t('metrics.sum', { n: number(sum(values)) }),
  supplier_errors: (values) => t('metrics.sum', { n: number(sum(values)) }),
  live_answers: (values) => t('metrics.most', { n: number(Math.max(...values)) }),
  first_token_seconds: longest,
  retrieval_seconds: longest,
  database_wait_seconds: longest,
};

/** @param {number[]} values @returns {number} */
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** @param {number[]} values in seconds @returns {string} */
function longest(values) {
  const most = Math.max(...values);
  return most ? t('metrics.longest', { time: duration(most) }) : t('metrics.none');
}

export class MetricsDialog {
  #api;
  #root = dialog('metrics');
  /** @type {ReturnType<typeof setInterval>|undefined} */ #timer;

  /** @param {{api: import('../net/api.js').Api}} deps */
  constructor({ api }) {
    this.#api = api;
    this.#root.addEventListener('close', () => clearInterval(this.#timer));
  }

  async open() {
    await this.#show();
    open(this.#root);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => void this.#reload(), RELOAD_MS);
  }

  async #reload() {
    if (document.hidden) return;
    try {
      await this.#show();
    } catch (fault) {
      clearInterval(this.#timer);
      toastError(fault);
    }
  }

  async #show() {
    /** @type {Metrics} */
    const { now, minutes, supplier_errors: errors } = await this.#api.get('/api/metrics');
    find(this.#root, '[data-metric-facts]').replaceChildren(...facts(now));
    find(this.#root, '[data-metric-charts]').replaceChildren(
      ...Object.keys(SAYS).map((name) => chart(name, minutes)),
    );
    const codes = Object.entries(errors);
    find(this.#root, '[data-metric-errors]').hidden = !codes.length;
    find(this.#root, '[data-metric-error-rows]').replaceChildren(
      ...codes.map(([code, times]) => fact(code, number(times))),
    );
  }
}

/** @param {Now} now @returns {Node[]} */
function facts(now) {
  const oldest = now.documents_oldest_seconds;
  const waiting = number(now.documents_waiting);
  return [
    fact(t('metrics.now.live_answers'), number(now.live_answers)),
    fact(t('metrics.now.readers'), number(now.readers)),
    fact(
      t('metrics.now.connections'),
      t('usage.of', { used: number(now.connections), limit: number(now.connections_limit) }),
    ),
    fact(
      t('metrics.now.documents'),
      oldest ? t('metrics.oldest', { n: waiting, time: duration(oldest) }) : waiting,
    ),
    fact(t('metrics.now.processes'), number(now.processes)),
  ];
}

/** @param {string} name @param {string} value */
const fact = (name, value) => fill(clone('metric-fact'), { name, value });

/** @param {string} name @param {Minute[]} minutes the oldest first */
function chart(name, minutes) {
  const key = /** @type {Exclude<keyof Minute, 'time'>} */ (name);
  const values = minutes.map((minute) => minute[key] ?? 0);
  const most = Math.max(...values) || 1;
  const root = fill(clone('metric-chart'), {
    name: t(`metrics.chart.${name}`),
    value: SAYS[name]?.(values) ?? '',
  });
  find(root, '[data-metric-bars]').replaceChildren(
    ...values.map((value) => {
      const bar = document.createElement('i');
      bar.style.setProperty('--share', String(value / most));
      if (!value) bar.dataset.empty = '';
      return bar;
    }),
  );
  return root;
}
