/**
 * Characters of a document that nobody sees and that models do not get (chatapp/core/unseen.py:
 * `visible`): tags but in flags, zero-width spaces, word joiners, embeddings, overrides and
 * isolates of the writing direction. Pure.
 */
const FLAG = '\u{1f3f4}[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]{3,6}\\u{e007f}';
const UNSEEN =
  '[\\u00ad\\u200b\\u202a-\\u202e\\u2060-\\u206f\\ufeff\\u{e0000}-\\u{e007f}]|' +
  '(?<=[\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}])[\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}]';
const RUN = new RegExp(`${FLAG}|((?:${UNSEEN})+)`, 'gu');
const TAG = 0xe0000;

/**
 * @param {string} text
 * @returns {{text: string, unseen: boolean}[]} the text in order, unseen runs apart
 */
export function partsOf(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(RUN)) {
    if (!match[1]) continue;
    if (match.index > at) parts.push({ text: text.slice(at, match.index), unseen: false });
    parts.push({ text: match[1], unseen: true });
    at = match.index + match[1].length;
  }
  if (at < text.length || !parts.length) parts.push({ text: text.slice(at), unseen: false });
  return parts;
}

/** What tag characters spell. @param {string} unseen */
export const spelled = (unseen) =>
  [...unseen]
    .map((c) => (c.codePointAt(0) ?? 0) - TAG)
    .filter((code) => code >= 0x20 && code < 0x7f)
    .map((code) => String.fromCharCode(code))
    .join('');
