/**
 * The page's texts, delivered with the page in one language. `t` looks one up and fills its
 * `{placeholders}`.
 */

/** @type {Readonly<Record<string, string>>} */
let texts = {};
let language = 'en';
/** @type {Intl.PluralRules} */
let plural = new Intl.PluralRules('en');

/** @param {Readonly<Record<string, string>>} messages @param {string} code */
export function setMessages(messages, code) {
  texts = messages;
  language = code;
  plural = new Intl.PluralRules(code);
}

/** @returns {string} */
export const currentLanguage = () => language;

/** A placeholder, with the space that Chinese text has around Latin letters and digits. */
const PLACEHOLDER = /((?<=[\u3400-\u9fff]) )?\{(\w+)\}( (?=[\u3400-\u9fff]))?/g;
const CHINESE_FIRST = /^[\u3400-\u9fff]/;
const CHINESE_LAST = /[\u3400-\u9fff]$/;

/**
 * Return the text for `key`.
 * @param {string} key @param {Record<string, string|number>} [params] @returns {string}
 */
export function t(key, params = {}) {
  return (texts[key] ?? key).replace(PLACEHOLDER, (placeholder, before = '', name, after = '') => {
    if (!(name in params)) return placeholder;
    const value = String(params[name]);
    const start = CHINESE_FIRST.test(value) ? '' : before;
    const end = CHINESE_LAST.test(value) ? '' : after;
    return start + value + end;
  });
}

/**
 * Return `key.one` or `key.other` by the language's plural rules.
 * @param {string} key
 * @param {number} n
 * @param {Record<string, string|number>} [params]
 * @returns {string}
 */
export function count(key, n, params = {}) {
  const form = plural.select(n) === 'one' ? 'one' : 'other';
  return t(`${key}.${form}`, { n: n.toLocaleString(language), ...params });
}
