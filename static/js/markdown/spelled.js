/**
 * Characters that spell a text which nobody sees (chatapp/core/unseen.py: `_SPELLED`): tags but in
 * flags, and variation selectors in a row. Whoever copies an answer would pass them on. Pure.
 */
const FLAG = '\u{1f3f4}[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]{3,6}\\u{e007f}';
const SELECTORS = '\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}';
const TAGS = '\\u{e0000}-\\u{e007f}';
const SPELLED = new RegExp(`(${FLAG})|([${SELECTORS}])[${SELECTORS}${TAGS}]+|[${TAGS}]+`, 'gu');

/** @param {string} text */
export const withoutSpelled = (text) => text.replace(SPELLED, '$1$2');
