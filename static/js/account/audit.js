/** The audit log: who did what, latest first, with filters. */
import { clone, fill, find, findAs } from '../core/dom.js';
import { exact } from '../core/format.js';
import { t } from '../core/i18n.js';
import { dialog, open } from '../ui/dialog.js';
import { toastError } from '../ui/toast.js';

/**
 * @typedef {{at: string, actor_id: string|null, actor: string, action: string, target: string,
 *   target_id: string|null, address: string, request_id: string,
 *   details: Record<string, unknown>}} Entry
 */

export class AuditDialog {
  #api;
  #root = dialog('audit');
  #rows = find(this.#root, '[data-audit-rows]');
  #more = find(this.#root, '[data-audit-more]');
  #person = findAs(this.#root, '[data-audit-person]', HTMLSelectElement);
  /** @type {string|null} */ #next = null;
  /** Counts what was asked for, so that only the latest is shown. */ #asked = 0;

  /** @param {{api: import('../net/api.js').Api}} deps */
  constructor({ api }) {
    this.#api = api;
    find(this.#root, '[data-audit-filters]').addEventListener('change', () => {
      void this.#load().catch(toastError);
    });
    this.#more.addEventListener('click', () => void this.#load(this.#next).catch(toastError));
  }

  async open() {
    const { items } = await this.#api.get('/api/limits');
    const chosen = this.#person.value;
    this.#person.replaceChildren(
      new Option(t('usage.everybody'), ''),
      ...items.map((/** @type {{name: string, user_id: string}} */ one) => {
        return new Option(one.name, one.user_id);
      }),
    );
    this.#person.value = chosen;
    await this.#load();
    open(this.#root);
  }

  /** @param {string|null} [after] a cursor; without one, from the latest on */
  async #load(after = null) {
    const asked = ++this.#asked;
    const query = new URLSearchParams();
    for (const field of this.#root.querySelectorAll('[data-audit-filter]')) {
      if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement)) continue;
      if (field.value) query.set(field.dataset.auditFilter ?? '', field.value);
    }
    if (after) query.set('after', after);
    const { items, next } = await this.#api.get(`/api/audit?${query}`);
    if (asked !== this.#asked) return;
    const rows = items.map(row);
    if (after) this.#rows.append(...rows);
    else this.#rows.replaceChildren(...rows);
    this.#next = next;
    this.#more.hidden = next === null;
    find(this.#root, '[data-audit-empty]').hidden = this.#rows.childElementCount > 0;
    if (after && !next) rows[0]?.focus();
  }
}

/** @param {Entry} entry @returns {HTMLElement} */
function row(entry) {
  const made = fill(clone('audit-entry'), {
    text: sentence(entry),
    note: [exact(entry.at), entry.address, details(entry.details)].filter(Boolean).join(' · '),
  });
  made.title = entry.request_id;
  return made;
}

/** @param {Entry} entry @returns {string} */
function sentence({ actor, action, target, target_id: id }) {
  const key = `audit.do.${action}`;
  const params = { actor: actor || '—', target: target || id || '' };
  const text = t(key, params);
  return text === key ? [params.actor, action, params.target].join(' ').trim() : text;
}

/** @param {Record<string, unknown>} kept values, and under `fields` names @returns {string} */
function details({ fields, ...values }) {
  const known = Object.entries(values).map(([name, value]) => `${name}: ${shown(value)}`);
  return [...known, ...(Array.isArray(fields) ? fields : [])].join(', ');
}

/** @param {unknown} value @returns {string} */
function shown(value) {
  if (value === null) return t('limits.default');
  return Array.isArray(value) ? value.join(', ') : String(value);
}
