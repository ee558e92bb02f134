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

/**
 * Return the text for `key`.
 * @param {string} key @param {Record<string, string|number>} [params] @returns {string}
 */
export function t(key, params = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (placeholder, name) =>
    name in params ? String(params[name]) : placeholder,
  );
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
