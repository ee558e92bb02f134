/**
 * Numbers, sizes, times and names as shown to people.
 */
import { currentLanguage, t } from './i18n.js';

const KILO = 1024;
const DAY_MS = 86_400_000;

/** @param {number} bytes @returns {string} */
export function size(bytes) {
  const [value, unit] = bytes < KILO ** 2 ? [bytes / KILO, 'KB'] : [bytes / KILO ** 2, 'MB'];
  const digits = value < 10 && unit === 'MB' ? 1 : 0;
  return `${Math.max(value, unit === 'KB' ? 1 : 0).toFixed(digits)} ${unit}`;
}

/** @param {number} ms @returns {string} at least 0.1 */
export function seconds(ms) {
  return Math.max(ms / 1000, 0.1).toLocaleString(currentLanguage(), {
    maximumFractionDigits: ms < 10_000 ? 1 : 0,
  });
}

/** @param {number} value @returns {string} a score with two decimals */
export function score(value) {
  return value.toLocaleString(currentLanguage(), {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
  });
}

/** Embeddings, overrides and isolates of the writing direction, which can hide an extension. */
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;

/**
 * A file's name as the server will show it.
 * @param {string} name @returns {string}
 */
export function fileName(name) {
  return name.replace(DIRECTIONS, '').normalize('NFC');
}

/** @param {string|null|undefined} time @returns {string} */
export function day(time) {
  return time ? new Date(time).toLocaleDateString(currentLanguage(), { dateStyle: 'medium' }) : '';
}

/**
 * When something was, in a few characters: the time today, else the day, with its year if another.
 * @param {string} time RFC 3339 @param {Date} now @returns {string}
 */
export function moment(time, now) {
  const then = new Date(time);
  const language = currentLanguage();
  if (then.toDateString() === now.toDateString()) {
    return then.toLocaleTimeString(language, { hour: 'numeric', minute: '2-digit' });
  }
  const year = then.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  return then.toLocaleDateString(language, { year, month: 'short', day: 'numeric' });
}

/** @param {string} time RFC 3339 @returns {string} day and time to the second */
export const exact = (time) =>
  new Date(time).toLocaleString(currentLanguage(), { dateStyle: 'long', timeStyle: 'medium' });

/** @param {number} value @returns {string} small values with one decimal */
export const decimal = (value) =>
  value.toLocaleString(currentLanguage(), { maximumFractionDigits: value < 10 ? 1 : 0 });

/**
 * The date heading of a chat that last changed at `time`.
 * @param {string} time RFC 3339 @param {Date} now @returns {string}
 */
export function dateGroup(time, now) {
  const then = new Date(time);
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const age = midnight - then.getTime();
  if (age <= 0) return t('date.today');
  if (age <= DAY_MS) return t('date.yesterday');
  if (age <= 7 * DAY_MS) return t('date.week');
  if (age <= 30 * DAY_MS) return t('date.month');
  return month(then);
}

/** @type {Map<string, string>} making one takes longer than all else about a chat in a list */
const months = new Map();

/** @param {Date} time @returns {string} */
function month(time) {
  const key = `${currentLanguage()} ${time.getFullYear()} ${time.getMonth()}`;
  const known = months.get(key);
  if (known) return known;
  const name = time.toLocaleDateString(currentLanguage(), { year: 'numeric', month: 'long' });
  months.set(key, name);
  return name;
}

/**
 * A source's place in its document: "Page 3 · Leave › Parents".
 * @param {{page?: number|null, heading?: string|null}} source
 * @param {{brief?: boolean}} [options] brief: the last heading only
 * @returns {string}
 */
export function place(source, { brief = false } = {}) {
  const parts = [];
  if (source.page) parts.push(t('sources.page', { page: source.page }));
  if (source.heading) parts.push(brief ? source.heading.split(' › ').at(-1) : source.heading);
  return parts.join(' · ');
}

/** @returns {string} a UUID, also on plain http, where `crypto.randomUUID` is missing */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
